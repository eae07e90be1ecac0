"""Tables that a session has locked, as VACUUM FULL, CLUSTER and a long ALTER TABLE do: the others go on."""

import pytest
from harness.waiting import wait_until
from test_schema_changes import wait_equal

TABLES = """
    CREATE TABLE big (id int PRIMARY KEY); INSERT INTO big VALUES (1);
    CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE leaf PARTITION OF parted FOR VALUES FROM (0) TO (9);
    ALTER TABLE parted REPLICA IDENTITY FULL; ALTER TABLE leaf REPLICA IDENTITY FULL; INSERT INTO parted VALUES (1);
    CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY);
"""
WAIT_S = 20


@pytest.mark.parametrize("locked", ["big", "leaf"])
def test_others_go_on(pipeline, postgres, locked):
    pipeline.configure(writer={"commit_interval_ms": 200})
    pipeline.execute(TABLES)
    pipeline.firn.start()
    wait_equal(pipeline, "big", "parted", "a", "b")
    with postgres.connect(pipeline.database) as session:
        session.execute(f"BEGIN; LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE")
        # A table that was altered has firn look at all of them.
        pipeline.execute("ALTER TABLE a ADD n int; INSERT INTO a VALUES (2, 3); INSERT INTO b VALUES (2)")
        wait_equal(pipeline, "a", "b", timeout_s=20)
        pipeline.firn.stop()
        pipeline.execute("INSERT INTO b VALUES (3)")
        pipeline.firn.start()
        wait_equal(pipeline, "a", "b", timeout_s=20)
        session.execute("ROLLBACK")
    pipeline.execute("INSERT INTO big VALUES (2); INSERT INTO parted VALUES (2)")
    wait_equal(pipeline, "big", "parted")
    pipeline.firn.stop()


def test_a_stop_does_not_wait_for_a_table_that_is_to_be_copied(pipeline, postgres):
    pipeline.configure(writer={"commit_interval_ms": 200})
    pipeline.execute(TABLES)
    pipeline.catch_up()
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    with postgres.connect(pipeline.database) as session:
        session.execute("BEGIN; CREATE TABLE fresh (id int PRIMARY KEY)")
        session.execute("COMMIT; BEGIN; LOCK TABLE fresh IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: "lock timeout" in pipeline.firn.log_text(), "firn has seen the table", WAIT_S)
        pipeline.firn.stop()
        session.execute("ROLLBACK")
    pipeline.catch_up()
    pipeline.expect_equal("fresh", "big")


def test_a_stop_ends_a_snapshot_that_waits(pipeline, postgres):
    pipeline.execute(TABLES)
    with postgres.connect(pipeline.database) as session:
        session.execute("BEGIN; INSERT INTO big VALUES (5)")
        pipeline.firn.start()
        wait_until(lambda: "making a snapshot" in pipeline.firn.log_text(), "firn waits", WAIT_S)
        pipeline.firn.stop(timeout_s=WAIT_S)
        session.execute("ROLLBACK")
    pipeline.catch_up()
    pipeline.expect_equal("big", "a", "parted")
