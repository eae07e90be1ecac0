"""What PostgreSQL 18 has and 15 has not: generated columns in publications, and virtual ones."""

import random

import pytest
from conftest import Pipeline
from harness.lake import ENGINES
from harness.postgres_server import identifier
from harness.random_source import RandomSource
from test_random_changes import compare_both_sides, configure, disturb, named


@pytest.fixture
def pipeline(binary, postgres18, java, request, tmp_path):
    name = postgres18.create_database(identifier("t_" + request.node.name))
    pipeline = Pipeline(postgres18, name, tmp_path, java)
    yield pipeline
    pipeline.close()


TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, a int, stored int GENERATED ALWAYS AS (a * 2) STORED,
                    virtual int GENERATED ALWAYS AS (a * 3) VIRTUAL, b text);
    INSERT INTO t (id, a, b) SELECT n, n, 'b' FROM generate_series(1, 50) n;
"""


def publish_stored(pipeline):
    name = identifier(pipeline.database)
    pipeline.execute(f"CREATE PUBLICATION {name} FOR TABLE t WITH (publish_generated_columns = stored)")


def expect_columns(pipeline, columns):
    """Every engine reads these columns of t as PostgreSQL has them."""
    expected = sorted(pipeline.execute(f"SELECT {', '.join(columns)} FROM t").fetchall())
    assert pipeline.lake.table("public", "t").schema().column_names == columns
    for engine in ENGINES:
        assert sorted(tuple(row[name] for name in columns) for row in pipeline.rows("t", engine)) == expected, engine


def test_stored_generated_columns_come_where_they_are_published(pipeline):
    pipeline.execute(TABLE)
    publish_stored(pipeline)
    pipeline.catch_up()
    columns = ["id", "a", "stored", "b"]
    expect_columns(pipeline, columns)
    pipeline.execute("UPDATE t SET a = -a WHERE id < 10; DELETE FROM t WHERE id = 11; INSERT INTO t (id, a) VALUES (100, 7), (101, NULL)")
    pipeline.catch_up()
    expect_columns(pipeline, columns)
    # They may be made, altered and let go like others.
    pipeline.execute("ALTER TABLE t ADD more int GENERATED ALWAYS AS (id + 1) STORED; INSERT INTO t (id, a) VALUES (102, 8)")
    pipeline.catch_up()
    expect_columns(pipeline, [*columns, "more"])
    pipeline.execute("ALTER TABLE t ALTER stored SET EXPRESSION AS (a * 5); UPDATE t SET a = 9 WHERE id = 102")
    pipeline.catch_up()
    expect_columns(pipeline, [*columns, "more"])
    pipeline.execute("ALTER TABLE t ALTER stored DROP EXPRESSION; UPDATE t SET stored = 0 WHERE id < 5; ALTER TABLE t DROP more")
    pipeline.catch_up()
    expect_columns(pipeline, columns)


def test_a_stored_generated_column_may_be_the_key(pipeline):
    pipeline.execute("CREATE TABLE t (a int, k int GENERATED ALWAYS AS (a + 1000) STORED PRIMARY KEY, b text)")
    pipeline.execute("INSERT INTO t (a, b) SELECT n, 'b' FROM generate_series(1, 20) n")
    publish_stored(pipeline)
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET b = 'c' WHERE a < 5; UPDATE t SET a = a + 100 WHERE a > 15; DELETE FROM t WHERE a = 6")
    pipeline.catch_up()
    expect_columns(pipeline, ["a", "k", "b"])


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_generated_columns_are_left_out_where_they_are_not_published(pipeline, running):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute("UPDATE t SET a = -a WHERE id < 10; ALTER TABLE t ADD v int GENERATED ALWAYS AS (a + 1); ALTER TABLE t ADD c int")
    pipeline.execute("INSERT INTO t (id, a, c) VALUES (100, 7, 1); DELETE FROM t WHERE id = 12")
    if running:
        pipeline.firn.stop()
    pipeline.catch_up()
    expect_columns(pipeline, ["id", "a", "b", "c"])
    # A virtual column has no values that could be kept; a stored one has.
    pipeline.execute("ALTER TABLE t DROP v; ALTER TABLE t ALTER stored DROP EXPRESSION; UPDATE t SET stored = 1 WHERE id = 1")
    pipeline.catch_up()
    expect_columns(pipeline, ["id", "a", "stored", "b", "c"])


def test_random_changes(pipeline):
    dice = random.Random("PostgreSQL 18")
    source = RandomSource(dice, pipeline.connection, table_count=3)
    configure(pipeline, source, dice, identity=False)
    with named(pipeline, source, "always the same changes"):
        for _ in range(30):
            source.transaction(redefined=dice.choice([0, 0.4]))
            disturb(pipeline, dice)
        compare_both_sides(pipeline, source, ENGINES)
