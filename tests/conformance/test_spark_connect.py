"""A Spark Connect server compacts and copies firn's tables: firn has its client alone."""

import re

import pytest
from harness.engines import ENGINES
from harness.spark_connect import SparkConnect
from harness.spark_submit import TIMEOUT_S


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SparkConnect(tmp_path_factory.mktemp("spark_connect")) as server:
        yield server


def run_firn(pipeline, server, *arguments):
    done = pipeline.firn.command(*arguments, timeout_s=TIMEOUT_S, environment=server.client_environment())
    assert done.returncode == 0, done.stderr[-6000:]
    return done


def test_compacts(make_pipeline, server):
    pipeline = make_pipeline("spark_connect_compacts")
    pipeline.configure(maintenance={"compact": "off"}, spark=server.section())
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
    for first in range(0, 600, 100):
        pipeline.execute(f"INSERT INTO t SELECT i, 'row ' || i FROM generate_series({first + 1}, {first + 100}) i")
        pipeline.execute(f"DELETE FROM t WHERE id = {first + 50}")
        pipeline.catch_up()
    done = run_firn(pipeline, server, "maintain", "compact", "--engine", "spark")
    assert re.search(r"public\.t +6 → 1 ", done.stdout), done.stdout
    pipeline.execute("UPDATE t SET name = 'later' WHERE id % 3 = 0")
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=ENGINES)
    pipeline.close()


def test_copies(make_pipeline, server):
    pipeline = make_pipeline("spark_connect_copies")
    pipeline.configure(source={"copy_range_bytes": 65_536}, maintenance={"compact": "off"}, spark=server.section())
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, at timestamptz)")
    pipeline.execute("INSERT INTO t SELECT i, repeat(md5(i::text), 4), now() + i * interval '1 s' FROM generate_series(1, 3000) i")
    done = run_firn(pipeline, server, "run", "--until-caught-up", "--copy-engine", "spark")
    assert any("Spark copies a table" in line and "table=public.t " in line for line in done.stderr.splitlines()), done.stderr
    pipeline.execute("UPDATE t SET name = 'later' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0")
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=ENGINES)
    pipeline.close()
