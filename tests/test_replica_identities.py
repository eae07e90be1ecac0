"""A table whose replica identity or key was another one for a time, and is the one that firn knows again: nothing shows that but
the messages of the stream."""

import pytest
from test_schema_changes import wait_equal

TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, name text, u int NOT NULL UNIQUE);
    INSERT INTO t SELECT n, 'name ' || n, n FROM generate_series(1, 20) n;
    CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
"""
CHANGES = "DELETE FROM t WHERE id = 2; UPDATE t SET id = 300 WHERE id = 3; UPDATE t SET name = 'x' WHERE id = 4"
BY_INDEX = "ALTER TABLE t REPLICA IDENTITY USING INDEX t_u_key"
BACK = "ALTER TABLE t REPLICA IDENTITY DEFAULT"
OTHER_KEY = "BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (u); COMMIT"
KEY_AGAIN = "BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id); COMMIT"
THERE_AND_BACK = {
    "an index": f"{BY_INDEX}; {CHANGES}; {BACK}",
    "another key": f"{OTHER_KEY}; {CHANGES}; {KEY_AGAIN}",
    "one transaction": f"BEGIN; UPDATE t SET name = 'before' WHERE id = 2; {BY_INDEX}; {CHANGES}; {BACK}; DELETE FROM t WHERE id = 5; COMMIT",
    # Rows share what is the key before and after.
    "a wider key": "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id, u); INSERT INTO t VALUES (6, 'twice', 60);"
    "DELETE FROM t WHERE u = 6; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id)",
    "no key, and whole rows": "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES "
    f"(6, 'twice', 60); DELETE FROM t WHERE u = 6; ALTER TABLE t ADD PRIMARY KEY (id); {BACK}",
}
# What tells all that firn goes by costs no copy.
HARMLESS = {
    "the key made again": f"{KEY_AGAIN}; {CHANGES}",
    "bulk load without a key": "ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t SELECT n, 'new', n FROM generate_series(101, 120) n;"
    f"ALTER TABLE t ADD PRIMARY KEY (id); {CHANGES}",
    "nothing": f"ALTER TABLE t REPLICA IDENTITY NOTHING; INSERT INTO t VALUES (50, 'q', 50); {BACK}; {CHANGES}",
    "whole rows from now on": f"ALTER TABLE t REPLICA IDENTITY FULL; {CHANGES}",
}
running_or_not = pytest.mark.parametrize("running", [False, True], ids=["down", "running"])


def change(pipeline, statements, running):
    """Statement by statement. Gives what firn said from then on."""
    if not running:
        for statement in statements.split(";"):
            pipeline.execute(statement)
        return pipeline.catch_up().stderr
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    # Where a look comes in between, each definition is followed or found to be older.
    for statement in statements.split(";"):
        pipeline.execute(statement)
    pipeline.execute("INSERT INTO other VALUES (2)")
    wait_equal(pipeline, "t", "other")
    pipeline.firn.stop()
    return pipeline.firn.log_text()


@running_or_not
@pytest.mark.parametrize("statements", THERE_AND_BACK.values(), ids=THERE_AND_BACK.keys())
def test_another_identity_for_a_time(pipeline, statements, running):
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 2000 if running else 200})
    pipeline.execute(TABLE)
    pipeline.catch_up()
    change(pipeline, statements, running)
    pipeline.expect_equal("t", "other")
    # And it goes on.
    pipeline.execute("UPDATE t SET id = id + 1000 WHERE id > 10; DELETE FROM t WHERE id = 7")
    assert "copied table" not in pipeline.catch_up().stderr
    pipeline.expect_equal("t")


@pytest.mark.parametrize("deletes", ["vector", "equality"])
def test_another_identity_for_a_time_in_other_delete_forms(pipeline, deletes):
    pipeline.configure(destination={"format_version": 3 if deletes == "vector" else 2, "deletes": deletes})
    pipeline.execute(TABLE)
    pipeline.catch_up()
    change(pipeline, THERE_AND_BACK["an index"], running=False)
    engines = ("duckdb",) if deletes == "equality" else ("pyiceberg",)
    pipeline.expect_equal("t", "other", engines=engines)


@running_or_not
@pytest.mark.parametrize("statements", HARMLESS.values(), ids=HARMLESS.keys())
def test_an_identity_that_tells_all_costs_no_copy(pipeline, statements, running):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    said = change(pipeline, statements, running)
    pipeline.expect_equal("t", "other")
    assert "copied table" not in said


@running_or_not
def test_a_partitioned_table(pipeline, running):
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 2000 if running else 200})
    pipeline.execute(
        """
        CREATE TABLE t (id int, name text, u int NOT NULL, PRIMARY KEY (id), UNIQUE (id, u)) PARTITION BY HASH (id);
        CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO t SELECT n, 'name ' || n, n FROM generate_series(1, 20) n;
        CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
        """
    )
    pipeline.catch_up()
    change(pipeline, f"ALTER TABLE t REPLICA IDENTITY USING INDEX t_id_u_key; {CHANGES}; {BACK}", running)
    pipeline.expect_equal("t", "other")


def test_a_renamed_table_is_no_failure(pipeline):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("ALTER TABLE t RENAME TO renamed; UPDATE renamed SET name = 'x' WHERE id = 1")
    wait_equal(pipeline, "renamed")
    pipeline.firn.stop()
    assert "WARN" not in pipeline.firn.log_text()
