"""What firn tells of itself while it runs, and without a run."""

import json
import re

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
