"""What firn tells of itself while it runs, and without a run."""

import json
import re
import urllib.request

import pytest
from harness.faulty_proxy import TcpProxy
from harness.firn_process import run_firn
from harness.waiting import wait_until


def test_status_and_metrics_while_firn_runs(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 500) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("UPDATE t SET v = 'w' WHERE id <= 100")

    def committed():
        metrics = pipeline.firn.get("/metrics")
        return metrics if sample(metrics, "iceberg_commits_successful_total") >= 2 else None

    metrics = wait_until(committed, "the update is committed")
    for name in (
        *("iceberg_rows_written_total", "iceberg_files_created_total", "iceberg_commits_successful_total"),
        *("iceberg_commits_failed_total", "iceberg_write_duration_seconds_bucket", "iceberg_commit_duration_seconds_count"),
        *("iceberg_file_size_bytes_sum", "iceberg_batch_size_rows_bucket", "iceberg_open_files", "iceberg_pending_commits"),
        "iceberg_table_count",
    ):
        assert re.search(rf"^{name}\b", metrics, re.MULTILINE), f"{name} is missing from\n{metrics}"
    assert sample(metrics, "iceberg_rows_written_total") == 600
    assert sample(metrics, "iceberg_table_count") == 1
    assert sample(metrics, "iceberg_commits_failed_total") == 0
    assert sample(metrics, "iceberg_open_files") == 0
    assert re.search(r"^firn_\w+", metrics, re.MULTILINE)

    status = json.loads(pipeline.firn.get("/status"))
    assert status["pipeline"] == pipeline.database
    (table,) = status["tables"]
    assert table["source"] == "public.t"
    assert table["state"] == "streaming"
    assert table["rows_copied"] == 500
    assert pipeline.firn.get("/healthz") is not None
    assert pipeline.firn.get("/readyz") is not None

    told = pipeline.firn.command("status", "--json", check=True)
    assert json.loads(told.stdout)["tables"][0]["source"] == "public.t"
    pipeline.firn.stop()


def sample(metrics, name):
    """The sum of a metric over its labels."""
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", metrics or "", re.MULTILINE))


@pytest.fixture
def copying(pipeline):
    """The first copy of a table, which goes on for half a minute."""
    proxy = TcpProxy(f"127.0.0.1:{pipeline.postgres.port}").start()
    pipeline.configure(source={"url": f"postgresql://postgres@127.0.0.1:{proxy.port}/{pipeline.database}"})
    pipeline.execute(
        """CREATE TABLE t (id int PRIMARY KEY, v text);
           INSERT INTO t SELECT n, (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 30) i)
             FROM generate_series(1, 60000) n; ANALYZE t"""
    )
    proxy.latency_s = 0.03  # For each 64 kB.
    pipeline.firn.start()
    wait_until(lambda: (pipeline.firn.table_status("public.t") or {}).get("rows_copied"), "t is being copied", 120)
    yield pipeline
    pipeline.firn.kill()
    proxy.stop()


def test_what_waits_for_a_first_copy_is_told(copying):
    copying.execute("UPDATE t SET v = 'w' WHERE id <= 20000")
    status = wait_until(
        lambda: (lambda told: told if told["lag_bytes"] > 1_000_000 and told["lag_seconds"] > 1 else None)(copying.firn.status()),
        "the lag is what waits in PostgreSQL",
    )
    assert status["state"] == "copying" and status["server_lsn"]
    metrics = copying.firn.get("/metrics")
    wait_until(lambda: sample(copying.firn.get("/metrics"), "firn_replication_lag_bytes") > 1_000_000, "the metrics tell it, too")
    # Before anything is committed.
    for name in ("iceberg_commits_successful_total", "iceberg_commits_failed_total", "iceberg_commit_duration_seconds_count"):
        assert f'{name}{{table="public.t"}} 0\n' in metrics
    assert 'firn_retries_total{what="catalog_commit"} 0\n' in metrics

    told = json.loads(copying.firn.command("status", "--json", check=True).stdout)
    (table,) = told["tables"]
    assert told["running"] and told["state"] == "copying" and told["lag_bytes"] > 1_000_000 and told["lag_seconds"] > 1
    assert table["state"] == "copying" and table["rows_copied"] > 0 and table["rows_estimated"] == 60000
    text = copying.firn.command("status", check=True).stdout
    assert re.search(r"^pipeline \S+: copying, .* and .* behind$", text, re.MULTILINE), text
    assert re.search(r"copying \d+%", text), text

    copying.firn.stop()
    assert "a table's copy failed" not in copying.firn.log_text()
    idle = json.loads(copying.firn.command("status", "--json", check=True).stdout)
    assert not idle["running"] and idle["state"] is None and idle["tables"][0]["state"] == "pending"


def test_a_message_is_the_same_text_each_time(pipeline):
    pipeline.configure(log={"format": "json", "level": "debug"})
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE nokey (id int); INSERT INTO a SELECT generate_series(1, 10)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("INSERT INTO a VALUES (11)")
    wait_until(lambda: sample(pipeline.firn.get("/metrics"), "iceberg_commits_successful_total") >= 3, "the insert is committed")
    pipeline.firn.stop()
    lines = [json.loads(line) for line in pipeline.firn.log_text().splitlines()]
    messages = [line["message"] for line in lines]
    assert messages.count("copied table") == 2
    assert [line["port"] for line in lines if "port" in line] == [pipeline.firn.http_port], "the address is told once"
    (warning,) = (line for line in lines if line["level"] == "warn")
    assert warning["message"] == "the source has something to look at" and "public.nokey" in warning["warning"]
    assert not [message for message in messages if "public." in message]
    (snapshot,) = (line for line in lines if line.get("snapshot_id") and line["message"] == "committed")
    written = [line for line in lines if line["message"] == "wrote the manifests of a snapshot"]
    (manifests,) = [line["manifest_count"] for line in written if line["snapshot_id"] == snapshot["snapshot_id"]]
    assert manifests >= 1
    for message in ("writing a batch", "wrote a data file", "called the catalog", "committing to the catalog", "acknowledged to the slot"):
        assert message in messages, f"{message} is not in the log of level debug"


def test_status_of_a_pause_and_beside_another_firn(pipeline):
    pipeline.configure(http={"token": "a token of the tests, long enough"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    request = urllib.request.Request(
        f"http://127.0.0.1:{pipeline.firn.http_port}/actions/pause",
        data=b"",
        headers={"Authorization": "Bearer a token of the tests, long enough"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=30).close()
    wait_until(lambda: pipeline.firn.status()["state"] == "paused", "the stream is paused")
    assert json.loads(pipeline.firn.command("status", "--json", check=True).stdout)["state"] == "paused"
    # Who answers there is another pipeline's.
    other = json.loads(pipeline.firn.config.read_text())
    other["source"]["slot"] = "another"
    config = pipeline.firn.directory / "another.yaml"
    config.write_text(json.dumps(other))
    told = json.loads(run_firn("status", "--json", "--config", config, check=True).stdout)
    assert told["pipeline"] == "another" and not told["running"]
    pipeline.firn.stop()


def test_status_without_a_run(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    pipeline.catch_up()
    told = json.loads(pipeline.firn.command("status", "--json", check=True).stdout)
    assert [table["source"] for table in told["tables"]] == ["public.t"]
    assert "public.t" in pipeline.firn.command("status", check=True).stdout


def test_an_idle_database_does_not_pin_the_log(pipeline, admin):
    """Other databases' traffic moves the slot on, though nothing of it is replicated."""
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    admin.execute("CREATE TABLE IF NOT EXISTS elsewhere AS SELECT generate_series(1, 100000) n")
    admin.execute("UPDATE elsewhere SET n = n + 1")
    end = admin.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    wait_until(
        lambda: admin.execute(
            "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", [end, pipeline.database]
        ).fetchone()[0],
        "the slot moves past traffic of another database",
    )
    pipeline.firn.stop()


def test_the_password_is_in_no_output(pipeline, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS told")
    admin.execute("CREATE ROLE told LOGIN REPLICATION SUPERUSER PASSWORD 'd0nt-tell-a-soul'")
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    pipeline.configure(source={"url": postgres.url(pipeline.database, "told", "d0nt-tell-a-soul")}, log={"level": "debug"})
    done = [pipeline.catch_up(), pipeline.firn.command("status"), pipeline.firn.command("check")]
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pages = [pipeline.firn.get("/status"), pipeline.firn.get("/metrics"), pipeline.firn.log_text()]
    pipeline.firn.stop()
    for text in [part for run in done for part in (run.stdout, run.stderr)] + pages:
        assert "d0nt-tell-a-soul" not in text
