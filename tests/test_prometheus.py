"""Prometheus itself scrapes firn and evaluates the alert rules and the dashboard's queries that firn ships."""

import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from harness.firn_process import REPOSITORY
from harness.postgres_server import free_port
from harness.waiting import end_with_parent, wait_until

RULES = REPOSITORY / "deploy/prometheus/firn.rules.yml"
DASHBOARD = REPOSITORY / "deploy/grafana/firn.json"
OPERATIONS = REPOSITORY / "docs/operations.md"


def promtool(*arguments):
    program = shutil.which("promtool")
    assert program, "promtool is missing: run scripts/install-dependencies test"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    def __init__(self, directory, target):
        self.port = free_port()
        directory.mkdir()
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "firn", "static_configs": [{"targets": [target]}]}],
        }
        (directory / "prometheus.yml").write_text(json.dumps(configuration))
        self._log = open(directory / "prometheus.log", "wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
            + [f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL),
        )

    def ask(self, path, **parameters):
        """The data of an answer; None while there is none."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        except (urllib.error.URLError, ConnectionError):
            assert self._process.poll() is None, "Prometheus ended"
            return None

    def value(self, query):
        answer = self.ask("query", query=query)
        return float(answer["result"][0]["value"][1]) if answer and answer["result"] else None

    def alerts(self):
        """The names of the alerts that are pending or firing."""
        answer = self.ask("alerts")
        return {alert["labels"]["alertname"] for alert in answer["alerts"]} if answer else set()

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture
def prometheus(pipeline, tmp_path):
    server = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{pipeline.firn.http_port}")
    yield server
    server.stop()


def test_the_rules_hold_for_scripted_series():
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", RULES.with_name("firn.rules.test.yml"))


def test_each_alert_has_its_entry_in_the_runbook():
    names = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert len(names) >= 9
    text = OPERATIONS.read_text()
    for name in names:
        assert f"### {name}\n" in text
        assert f"operations.md#{name.lower()}" in RULES.read_text()


def dashboard_queries():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "30s").replace("$job", "firn").replace("$instance", ".*")
            yield f"{panel['title']}: {target['refId']}", expression


def test_prometheus_reads_firn_and_its_dashboard(pipeline, prometheus):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 300)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("DELETE FROM t WHERE id <= 40")
    wait_until(lambda: prometheus.value('firn_table_rows{table="public.t"}') == 260, "Prometheus sees the rows")
    assert prometheus.value('firn_table_deleted_rows{table="public.t"}') == 40
    assert prometheus.value('firn_pipeline_state{state="streaming"}') == 1
    assert prometheus.value("iceberg_table_count") == 1
    wait_until(lambda: prometheus.value("firn_slot_active") == 1, "Prometheus sees the slot")
    # Rates need two scrapes of a counter.
    for title, query in dashboard_queries():
        if "firn_retries_total" in query:  # Nothing failed.
            assert {sample["value"][1] for sample in prometheus.ask("query", query=query)["result"]} <= {"0"}
            continue
        wait_until(lambda query=query: prometheus.ask("query", query=query)["result"], f"the panel {title} has data")
    assert prometheus.alerts() == set()
    pipeline.firn.stop()


def test_prometheus_raises_the_alarm_when_firn_is_gone(pipeline, prometheus):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    wait_until(lambda: prometheus.value("up") == 1, "Prometheus reads firn")
    pipeline.firn.kill()
    wait_until(lambda: prometheus.alerts() == {"FirnDown"}, "the alert is pending")
