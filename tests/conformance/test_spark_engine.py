"""`firn maintain compact --engine spark`: an existing Spark compacts firn's tables, by spark-submit, while firn streams."""

import re
import threading

import psycopg
import pyarrow.parquet
import pytest
from harness.engines import ENGINES
from harness.lake import read_with_pyiceberg
from harness.spark_submit import ENVIRONMENT, SECRET, TIMEOUT_S, spark_section
from harness.waiting import wait_until
from test_metadata import live_entries, read_metadata


def compact_with_spark(pipeline, *arguments, environment=None):
    done = pipeline.firn.command(
        "maintain", "compact", "--engine", "spark", *arguments, timeout_s=TIMEOUT_S, environment=ENVIRONMENT | (environment or {})
    )
    assert SECRET not in done.stdout + done.stderr
    return done


def data_files(pipeline, table):
    snapshot = read_metadata(pipeline.lake.table("public", table))["snapshots"][-1]
    return {entry["data_file"]["file_path"] for _, entry in live_entries(snapshot) if entry["data_file"]["content"] == 0}


def numbers_in(file):
    return pyarrow.parquet.ParquetFile(file.removeprefix("file:").replace("///", "/")).read(columns=["n"])["n"].to_pylist()


@pytest.mark.parametrize("version", [2, 3])
def test_spark_compacts_while_firn_streams(make_pipeline, version):
    pipeline = make_pipeline(f"spark_engine_v{version}")
    pipeline.configure(
        destination={"format_version": version},
        maintenance={"compact": "off"},
        # Where firn is first with each commit, Spark gives up a part of the table after some tries.
        writer={"commit_interval_ms": 2000},
        spark=spark_section(),
        log={"level": "debug"},
        tables={"public.parted": {"partition_by": ["bucket(2, id)"], "sort_by": ["n desc"]}},
    )
    for table in ("calm", "parted", "busy"):
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, name text, n int)")
    for first in range(0, 600, 100):
        for table in ("calm", "parted", "busy"):
            pipeline.execute(f"INSERT INTO {table} SELECT i, 'row ' || i, i FROM generate_series({first + 1}, {first + 100}) i")
            pipeline.execute(f"UPDATE {table} SET n = -n WHERE id % 10 = {first // 100}; DELETE FROM {table} WHERE id = {first + 50}")
        pipeline.catch_up()
    before = {table: data_files(pipeline, table) for table in ("calm", "parted")}
    assert all(len(files) >= 6 for files in before.values())

    done = threading.Event()
    rounds = []

    def load():
        """Rows are added to two tables; of the third, old rows change, too, in files that Spark may be rewriting."""
        with psycopg.connect(pipeline.url, autocommit=True) as connection:
            while not done.wait(0.1):
                n = len(rounds)
                connection.execute(
                    f"INSERT INTO calm VALUES ({10_000 + n}, 'poured', 0); INSERT INTO parted VALUES ({10_000 + n}, 'poured', 0);"
                    f"UPDATE busy SET n = n + 1 WHERE id % 100 = {n % 100}"
                )
                rounds.append(n)

    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_until(lambda: len(rounds) > 20, "changes pour in")
        compacted = compact_with_spark(pipeline)
        pipeline.firn.expect_running()
        # Where firn was first with the busy table each time, Spark says so.
        failed = re.findall(r"^firn: table (\S+): Spark: .*Cannot commit", compacted.stderr, re.MULTILINE)
        assert compacted.returncode == (1 if failed else 0) and set(failed) <= {"public.busy"}, compacted.stderr
        for table, files in before.items():
            assert f"public.{table}" in compacted.stdout
            assert not data_files(pipeline, table) & files
        in_order = [numbers_in(file) for file in data_files(pipeline, "parted")]
        assert any(len(numbers) > 100 for numbers in in_order)
        assert all(numbers == sorted(numbers, reverse=True) for numbers in in_order if len(numbers) > 100)
        # Changes of the rows that were moved, which firn's index knew elsewhere.
        pipeline.execute(
            "UPDATE calm SET name = 'moved' WHERE id % 3 = 0; DELETE FROM calm WHERE id % 7 = 1;"
            "UPDATE parted SET id = id + 100000 WHERE id % 3 = 0; DELETE FROM parted WHERE id % 7 = 1"
        )
        count = len(rounds)
        wait_until(lambda: len(rounds) > count + 20, "more changes pour in")
    finally:
        done.set()
        thread.join()
    wait_until(lambda: pipeline.firn.get("/healthz"), "firn answers")
    pipeline.firn.stop()
    assert "found moved rows in their new files" in pipeline.firn.log_text()
    pipeline.catch_up()
    pipeline.expect_equal("calm", "parted", "busy", engines=ENGINES)
    pipeline.close()


def test_spark_reaches_a_catalog_in_postgresql(make_pipeline, postgres):
    pipeline = make_pipeline("spark_engine_postgres")
    lake = postgres.create_database("spark_engine_lake")
    pipeline.execute("DROP ROLE IF EXISTS spark_lake")
    pipeline.execute("CREATE ROLE spark_lake LOGIN PASSWORD 'p@ss: word'")
    with postgres.connect(lake) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO spark_lake")
    port = psycopg.conninfo.conninfo_to_dict(postgres.url(lake))["port"]
    pipeline.configure(
        catalog={"name": "shop", "uri": f"postgresql://spark_lake:p%40ss%3A%20word@127.0.0.1:{port}/{lake}"},
        maintenance={"compact": "off"},
        spark=spark_section(),
        log={"level": "debug"},
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
    for first in range(0, 600, 100):
        pipeline.execute(f"INSERT INTO t SELECT i, 'row' FROM generate_series({first + 1}, {first + 100}) i")
        pipeline.catch_up()
    done = compact_with_spark(pipeline, "--table", "public.t")
    assert done.returncode == 0, done.stderr
    assert "p@ss: word" not in done.stdout + done.stderr
    assert re.search(r"public\.t +6 → 1 ", done.stdout), done.stdout
    pipeline.execute("DELETE FROM t WHERE id % 2 = 0")
    pipeline.catch_up()
    with postgres.connect(lake) as connection:
        (location,) = connection.execute("SELECT metadata_location FROM iceberg_tables WHERE table_name = 't'").fetchone()
    rows = sorted((row["id"], row["name"]) for row in read_with_pyiceberg(location))
    assert rows == pipeline.execute("SELECT id, name FROM t ORDER BY id").fetchall()
    pipeline.close()


def test_what_keeps_spark_from_its_work_is_said(make_pipeline):
    pipeline = make_pipeline("spark_engine_errors")
    pipeline.configure(spark=spark_section(jars=[]))
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.catch_up()
    missing = compact_with_spark(pipeline, "--spark-submit", "/nowhere/spark-submit")
    assert missing.returncode == 2 and "/nowhere/spark-submit is no program" in missing.stderr
    no_java = compact_with_spark(pipeline, environment={"JAVA_HOME": "/nowhere"})
    assert no_java.returncode == 1 and "set it to that of a Java 17 or 21" in no_java.stderr, no_java.stderr
    no_iceberg = compact_with_spark(pipeline)
    assert no_iceberg.returncode == 1, no_iceberg.stderr
    assert "public.t" in no_iceberg.stderr and "set spark.packages to its runtime" in no_iceberg.stderr, no_iceberg.stderr
    pipeline.expect_equal("t")
    pipeline.close()
