"""Partitions whose replica identity is another one than their table's: PostgreSQL goes by theirs, and leaves out of old rows
what it does not hold."""

import pytest
from test_parking import wait_state
from test_schema_changes import wait_equal

FAILED = 1
TABLES = """
    CREATE TABLE p (id int, region text, v text NOT NULL, w text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE pa PARTITION OF p FOR VALUES IN ('a'); CREATE TABLE pb PARTITION OF p FOR VALUES IN ('b');
    CREATE UNIQUE INDEX pa_v ON pa (v); CREATE UNIQUE INDEX pa_more ON pa (w, region, id); ALTER TABLE pa ALTER w SET NOT NULL;
    INSERT INTO p SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, 'v' || n, 'w' || n FROM generate_series(1, 40) n;
    CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
"""
# In both partitions: another key, and a row less.
CHANGES = "UPDATE p SET id = id + 100 WHERE id IN (2, 3); DELETE FROM p WHERE id IN (4, 5); UPDATE p SET v = v || '!' WHERE id IN (6, 7)"
BAD, GOOD = "ALTER TABLE pa REPLICA IDENTITY USING INDEX pa_v", "ALTER TABLE pa REPLICA IDENTITY DEFAULT"
REMEDY = 'public.pa has REPLICA IDENTITY USING INDEX (v); run ALTER TABLE "public"."pa" REPLICA IDENTITY DEFAULT'


def test_a_leaf_that_does_not_tell_the_key_is_refused(pipeline):
    pipeline.configure(source={"tables": ["public.p"]})
    pipeline.execute(TABLES)
    pipeline.catch_up()
    pipeline.execute(f"{BAD}; {CHANGES}")
    for command in ("run", "check"):
        told = pipeline.firn.command(command)
        assert told.returncode == FAILED
        assert REMEDY in told.stdout + told.stderr
    # What came until then is not in the stream: an UPDATE of the key that the index does not have.
    pipeline.execute(GOOD)
    pipeline.catch_up()
    pipeline.execute("DELETE FROM p WHERE id IN (8, 9)")
    assert "copied table" not in pipeline.catch_up().stderr
    pipeline.expect_equal("p")


def test_a_leaf_that_stops_to_tell_the_key_parks_its_table_alone(pipeline):
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(TABLES)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    wait_equal(pipeline, "p", "other")
    pipeline.execute(f"{BAD}; {CHANGES}; INSERT INTO other VALUES (2)")
    assert REMEDY in wait_state(pipeline, "public.p", "parked")["reason"]
    wait_equal(pipeline, "other")
    pipeline.execute(GOOD)
    wait_equal(pipeline, "p")
    wait_state(pipeline, "public.p", "streaming")

    # A partition that is attached brings its identity along.
    pipeline.execute(
        "CREATE TABLE pc (LIKE p INCLUDING ALL); CREATE UNIQUE INDEX pc_v ON pc (v); ALTER TABLE pc REPLICA IDENTITY USING INDEX pc_v;"
        "ALTER TABLE p ATTACH PARTITION pc FOR VALUES IN ('c'); INSERT INTO p VALUES (300, 'c', 'v', 'w')"
    )
    assert "public.pc has REPLICA IDENTITY USING INDEX (v)" in wait_state(pipeline, "public.p", "parked")["reason"]
    pipeline.execute("ALTER TABLE pc REPLICA IDENTITY FULL; UPDATE p SET id = 301 WHERE id = 300")
    wait_equal(pipeline, "p", "other")
    pipeline.firn.stop()
    pipeline.expect_equal("p", "other")


@pytest.mark.parametrize("change", ["DELETE FROM p WHERE id = 4", "UPDATE p SET id = 204, v = 'new' WHERE id = 4"])
def test_a_change_without_its_key_parks_its_table(pipeline, change):
    """The identity has been mended when firn looks, but the change is in the log as it was made."""
    pipeline.execute(TABLES)
    pipeline.catch_up()
    pipeline.execute(f"{BAD}; {change}; {GOOD}; INSERT INTO other VALUES (2)")
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert "did not tell the old value of key column id" in told.stderr
    pipeline.expect_equal("other", engines=("pyiceberg",))
    pipeline.catch_up()
    pipeline.expect_equal("p", "other")


def test_leaves_may_tell_more_than_the_key(pipeline):
    pipeline.execute(TABLES)
    pipeline.execute("ALTER TABLE pa REPLICA IDENTITY USING INDEX pa_more; ALTER TABLE pb REPLICA IDENTITY FULL")
    pipeline.catch_up()
    pipeline.execute(CHANGES)
    pipeline.catch_up()
    pipeline.expect_equal("p")


def test_a_large_value_stays_where_the_table_alone_has_identity_full(pipeline):
    """It is not sent again, nor is it in the old row, which has what the partition's own identity holds."""
    pipeline.execute(TABLES)
    pipeline.execute(
        "ALTER TABLE p REPLICA IDENTITY FULL; ALTER TABLE p ALTER w SET STORAGE EXTERNAL;"
        "INSERT INTO p SELECT n, 'b', 'v' || n, repeat('large ', 2000) || n FROM generate_series(1001, 1004, 2) n"
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE p SET id = 2001 WHERE id = 1001; UPDATE p SET v = 'x' WHERE id = 1003; DELETE FROM p WHERE id = 1")
    pipeline.catch_up()
    pipeline.expect_equal("p")


def test_a_table_without_a_key_needs_whole_rows_of_each_leaf(pipeline):
    pipeline.execute(
        "CREATE TABLE q (id int, v text) PARTITION BY RANGE (id); ALTER TABLE q REPLICA IDENTITY FULL;"
        "CREATE TABLE q0 PARTITION OF q FOR VALUES FROM (0) TO (100); ALTER TABLE q0 ADD PRIMARY KEY (id);"
        "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (100) TO (200); INSERT INTO q SELECT n, 'v' FROM generate_series(0, 199) n"
    )
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert 'public.q0 has REPLICA IDENTITY DEFAULT (id); run ALTER TABLE "public"."q0" REPLICA IDENTITY FULL' in told.stderr
    # The other one has none: PostgreSQL refuses what could not be followed.
    pipeline.execute("ALTER TABLE q0 REPLICA IDENTITY FULL")
    assert "without a replica identity" in pipeline.catch_up().stderr
    pipeline.execute("UPDATE q SET v = 'w' WHERE id = 7; DELETE FROM q WHERE id = 8; INSERT INTO q VALUES (150, 'again')")
    pipeline.catch_up()
    pipeline.expect_equal("q")
