"""What is shipped to run firn on Kubernetes: manifests, and the Helm chart, as Helm renders it."""

import json
import pathlib
import re

import kubernetes_validate
import pytest
import yaml
from harness.firn_process import REPOSITORY, run_firn
from helm_python import chart as helm

KUBERNETES = "1.30"
MANIFESTS = REPOSITORY / "deploy/kubernetes/firn.yaml"
CLEANUP = REPOSITORY / "deploy/kubernetes/cleanup.yaml"
CHART = REPOSITORY / "deploy/helm/firn"
VALUES = {
    "defaults": {},
    "everything": {
        "secret": {"PGPASSWORD": "p: #'\"", "FIRN_CATALOG_CREDENTIAL": "id:secret"},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"name": "firn"},
        "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring", "app.kubernetes.io/name": "other"}},
        "state": {"storageClassName": "fast", "size": "50Gi"},
        "podAnnotations": {"team": "data", "prometheus.io/scrape": "false"},
        "podLabels": {"team": "data", "app.kubernetes.io/name": "other"},
        "priorityClassName": "high",
        "extraEnv": [{"name": "AWS_REGION", "value": "eu-central-1"}],
        "extraEnvFrom": [{"configMapRef": {"name": "proxy"}}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "postgres-ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/firn-ca", "readOnly": True}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "data", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "nothing kept": {"existingSecret": "mine", "state": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}
VALUES["over"] = VALUES["everything"] | {"cleanup": {"enabled": True}}
# What the chart refuses, for its values' sake, with what it says of it.
REFUSED = {
    "secret and existingSecret": {"secret": {"A": "a"}, "existingSecret": "mine"},
    "config.http.listen: '127.0.0.1:9090'": {"config": {"http": {"listen": "127.0.0.1:9090"}}},
    "config.state_dir: '/data'": {"config": {"state_dir": "/data"}},
    "config.source.url has a password": {"config": {"source": {"url": "postgresql://firn:hunter2@db/shop"}}},
    "config.catalog.uri has a password": {"config": {"catalog": {"uri": "postgresql://${NAME:-c}:hunter2@${HOST}/catalog"}}},
    "config.catalog.headers.X-Api-Key": {"config": {"catalog": {"headers": {"X-Api-Key": "hunter2"}}}},
    "config.spark.conf.spark.hadoop.fs.s3a.secret.key": {"config": {"spark": {"conf": {"spark.hadoop.fs.s3a.secret.key": "hunter2"}}}},
}


class UniqueKeys(yaml.SafeLoader):
    """YAML's own rule, which PyYAML doesn't keep and Kubernetes does."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep)


def rendered_files(values, name="shop"):
    with helm.Chart.load(CHART) as chart:
        return chart.render(values=values, name=name, namespace="data")


def rendered(values, name="shop"):
    return [
        document
        for path, text in rendered_files(values, name).items()
        if path.endswith(".yaml")
        for document in yaml.load_all(text, UniqueKeys)
        if document
    ]


def of_kind(documents, kind):
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def expect_valid(documents):
    assert documents
    for document in documents:
        if document["kind"] != "ServiceMonitor":  # Of the Prometheus operator.
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def expect_firn_takes(configuration, directory):
    """firn itself reads the file, and gets as far as looking for a database that is not there."""
    file = pathlib.Path(directory) / "firn.yaml"
    file.write_text(configuration)
    done = run_firn("check", "--config", file)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "postgres" in done.stdout


def test_the_manifests_are_valid(tmp_path):
    documents = list(yaml.safe_load_all(MANIFESTS.read_text()))
    expect_valid(documents)
    expect_firn_takes(of_kind(documents, "ConfigMap")["data"]["firn.yaml"], tmp_path)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_the_chart_is_valid(values, tmp_path):
    report = helm.lint(CHART, values, strict=True)
    assert report["total_charts_linted"] == 1 and report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] >= 2] == []
    documents = rendered(values)
    expect_valid(documents)
    expect_firn_takes(of_kind(documents, "ConfigMap")["data"]["firn.yaml"], tmp_path)
    for document in documents:
        assert document["metadata"]["name"] == ("shop-firn-cleanup" if document["kind"] == "Job" else "shop-firn")


def test_the_chart_makes_what_the_manifests_say():
    documents, written = rendered({}, name="firn"), list(yaml.safe_load_all(MANIFESTS.read_text()))
    assert {document["kind"] for document in documents} == {document["kind"] for document in written}
    pods = [of_kind(side, "StatefulSet")["spec"]["template"]["spec"] for side in (documents, written)]
    (made,), (said,) = (pod["containers"] for pod in pods)
    for key in ("resources", "securityContext", "livenessProbe", "readinessProbe", "args", "ports", "image"):
        assert made[key] == said[key], key
    assert made["resources"] == {
        "requests": {"memory": "2Gi", "cpu": "1"},
        "limits": {"memory": "4Gi", "cpu": "2"},
    }
    assert pods[0]["securityContext"] == pods[1]["securityContext"]
    assert pods[0]["terminationGracePeriodSeconds"] == pods[1]["terminationGracePeriodSeconds"]


def test_the_chart_keeps_secrets_in_secrets():
    documents = rendered(VALUES["everything"])
    assert of_kind(documents, "Secret")["stringData"] == VALUES["everything"]["secret"]
    others = [document for document in documents if document["kind"] != "Secret"]
    assert "id:secret" not in json.dumps(others)
    container = of_kind(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "shop-firn", "optional": True}}, {"configMapRef": {"name": "proxy"}}]
    (reference,) = of_kind(rendered(VALUES["nothing kept"]), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert reference["secretRef"] == {"name": "mine", "optional": False}


def test_the_chart_takes_what_clusters_ask_for():
    documents = rendered(VALUES["everything"])
    template = of_kind(documents, "StatefulSet")["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/scrape"] == "false"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "9090"
    # What the chart selects by stays its own.
    selector = of_kind(documents, "Service")["spec"]["selector"]
    for labels in (template["metadata"]["labels"], of_kind(documents, "ServiceMonitor")["metadata"]["labels"]):
        assert selector.items() <= labels.items()
    assert template["metadata"]["labels"]["team"] == "data"
    assert of_kind(documents, "ServiceMonitor")["metadata"]["labels"]["release"] == "monitoring"
    assert template["spec"]["priorityClassName"] == "high"
    (container,) = template["spec"]["containers"]
    assert container["env"] == VALUES["everything"]["extraEnv"]
    assert VALUES["everything"]["extraVolumes"][0] in template["spec"]["volumes"]
    assert VALUES["everything"]["extraVolumeMounts"][0] in container["volumeMounts"]


def test_a_cleanup_runs_beside_no_pipeline():
    """A job with all that the pipeline had, but the slot, which a pipeline would hold, and the address, where one is asked for."""
    documents = rendered(VALUES["over"])
    pipeline, job = of_kind(documents, "StatefulSet")["spec"], of_kind(documents, "Job")["spec"]
    assert pipeline["replicas"] == 0 and of_kind(rendered(VALUES["everything"]), "StatefulSet")["spec"]["replicas"] == 1
    selector = of_kind(documents, "Service")["spec"]["selector"]
    assert not selector.items() <= job["template"]["metadata"]["labels"].items()
    expect_same_but_the_state(pipeline["template"]["spec"], job["template"]["spec"])
    assert "Job" not in {document["kind"] for document in rendered(VALUES["everything"])}

    pipeline = of_kind(yaml.safe_load_all(MANIFESTS.read_text()), "StatefulSet")["spec"]["template"]["spec"]
    (written,) = yaml.safe_load_all(CLEANUP.read_text())
    expect_valid([written])
    expect_same_but_the_state(pipeline, written["spec"]["template"]["spec"])
    made = of_kind(rendered({"cleanup": {"enabled": True}}, name="firn"), "Job")
    for key in ("args", "resources", "securityContext", "volumeMounts"):
        assert made["spec"]["template"]["spec"]["containers"][0][key] == written["spec"]["template"]["spec"]["containers"][0][key], key


def expect_same_but_the_state(pipeline, cleanup):
    (runs,), (cleans,) = pipeline["containers"], cleanup["containers"]
    assert cleans["args"] == ["cleanup", *runs["args"][1:]]
    for key in ("image", "env", "envFrom", "securityContext"):
        assert cleans.get(key) == runs.get(key), key
    for key in ("securityContext", "serviceAccountName", "imagePullSecrets", "nodeSelector", "tolerations", "affinity", "volumes"):
        assert cleanup.get(key) == pipeline.get(key), key
    assert cleans["volumeMounts"] == [mount for mount in runs["volumeMounts"] if mount["name"] != "state"]


def test_the_notes_tell_how_to_end():
    notes = {name: text for name, text in rendered_files({}).items() if name.endswith("NOTES.txt")}
    (text,) = notes.values()
    assert "--set cleanup.enabled=true" in text and "job/shop-firn-cleanup" in text
    assert "exec" not in text
    (text,) = (text for name, text in rendered_files(VALUES["over"]).items() if name.endswith("NOTES.txt"))
    assert "helm -n data uninstall shop" in text


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED.keys())
def test_the_chart_refuses_what_it_would_ignore_or_show(values):
    (said,) = (said for said, refused in REFUSED.items() if refused is values)
    with pytest.raises(Exception, match=re.escape(said)) as refusal:
        rendered(values)
    assert "hunter2" not in str(refusal.value)


def keys_that_hold_secrets():
    """As firn's own list has them."""
    text = (REPOSITORY / "src/config/config_keys.cc").read_text()
    entries = text.split('{.path = "')[1:]
    return {entry[: entry.index('"')] for entry in entries if ".secret = true" in entry}


def test_the_chart_knows_each_secret_of_the_configuration():
    """Written out, it is refused; a variable is taken."""
    secrets = keys_that_hold_secrets()
    # Locations, maps, and ids without which a key is worth nothing.
    others = {"source.url", "catalog.uri", "catalog.headers", "spark.conf", "storage.s3.role_external_id"}
    others |= {"catalog.access_key_id", "storage.s3.access_key_id"}
    assert others < secrets and "catalog.credential" in secrets
    for key in secrets - others:
        for value, refused in (("hunter2", True), ("${SECRET}", False), ("${SECRET:-}", False)):
            config = value
            for name in reversed(key.split(".")):
                config = {name: config}
            if refused:
                with pytest.raises(Exception, match=f"config.{key}"):
                    rendered({"config": config})
            else:
                rendered({"config": config})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db1:5432,db2:5432/shop?application_name=a@b",
        "postgresql://firn@db/shop?sslmode=require&passfile=/x",
        "postgresql://${USER:-firn}@db/shop",
        "postgresql://firn:${PASSWORD}@db/shop",
        "postgresql://firn@db/shop?password=${PASSWORD}",
        "host=db user=firn password=${PASSWORD} dbname=shop",
        "${URL}",
    ],
)
def test_the_chart_takes_addresses_without_passwords(url):
    configuration = of_kind(rendered({"config": {"source": {"url": url}}}), "ConfigMap")["data"]["firn.yaml"]
    assert yaml.safe_load(configuration)["source"]["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://firn:p?w@db/shop",
        "postgresql://:pw@db/shop",
        "postgresql://firn@db/shop?sslmode=require&password=pw",
        "host=db password = pw dbname=shop",
        "host=db user=firn sslpassword='p w'",
    ],
)
def test_the_chart_finds_passwords_in_addresses(url):
    with pytest.raises(Exception, match="config.source.url has a password"):
        rendered({"config": {"source": {"url": url}}})


@pytest.mark.parametrize(
    "values",
    [{"imag": {}}, {"terminationGracePeriodSeconds": 1}, {"secret": {"A": 1}}, {"podAnnotations": {"A": 1}}, {"podLabels": {"A": True}}]
    + [{"nodeSelector": {"A": True}}, {"extraEnv": {}}],
    ids=lambda values: next(iter(values)),
)
def test_the_chart_refuses_wrong_values(values):
    with helm.Chart.load(CHART) as chart, pytest.raises(Exception, match=next(iter(values))):
        chart.validate_schema(values)
