"""What is shipped to run firn on Kubernetes: manifests, and the Helm chart, as Helm renders it."""

import json
import pathlib

import kubernetes_validate
import pytest
import yaml
from harness.firn_process import REPOSITORY, run_firn
from helm_python import chart as helm

KUBERNETES = "1.30"
MANIFESTS = REPOSITORY / "deploy/kubernetes/firn.yaml"
CHART = REPOSITORY / "deploy/helm/firn"
VALUES = {
    "defaults": {},
    "everything": {
        "secret": {"PGPASSWORD": "p: #'\"", "FIRN_CATALOG_CREDENTIAL": "id:secret"},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"name": "firn"},
        "serviceMonitor": {"enabled": True},
        "state": {"storageClassName": "fast", "size": "50Gi"},
        "podAnnotations": {"team": "data"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "data", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "nothing kept": {"existingSecret": "mine", "state": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}


def rendered(values, name="shop"):
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values=values, name=name, namespace="data")
    return [
        document
        for path, text in files.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
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
        assert document["metadata"]["name"] == "shop-firn"


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
    assert container["envFrom"] == [{"secretRef": {"name": "shop-firn", "optional": True}}]
    (reference,) = of_kind(rendered(VALUES["nothing kept"]), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert reference["secretRef"] == {"name": "mine", "optional": False}


@pytest.mark.parametrize(
    "values", [{"imag": {}}, {"terminationGracePeriodSeconds": 1}, {"secret": {"A": 1}}], ids=lambda values: next(iter(values))
)
def test_the_chart_refuses_wrong_values(values):
    with helm.Chart.load(CHART) as chart, pytest.raises(Exception, match=next(iter(values))):
        chart.validate_schema(values)
