"""Source tables that get one name in Iceberg, under a fixed namespace: one has the table, the others wait with a reason."""

import pytest
from harness.waiting import wait_until
from test_parking import wait_state

DONE, FAILED = 0, 1
LAKE = {"namespace": "lake"}


@pytest.fixture
def two_schemas(pipeline):
    pipeline.configure(destination=LAKE, retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(
        """
        CREATE SCHEMA a; CREATE SCHEMA b;
        CREATE TABLE a.t (id int PRIMARY KEY); INSERT INTO a.t SELECT generate_series(1, 100);
        CREATE TABLE a.o (id int PRIMARY KEY); INSERT INTO a.o VALUES (1);
        """
    )
    return pipeline


def ids(pipeline, table):
    return sorted(row["id"] for row in pipeline.rows(table))


def expect_told(text, newcomer="b.t", owner="a.t"):
    assert f"table {newcomer} can't be replicated beside table {owner}: both would be Iceberg table lake.t;" in text, text
    assert 'table_prefix: "{schema}_"' in text


def test_known_at_the_first_start(two_schemas):
    two_schemas.execute("CREATE TABLE b.t (id int PRIMARY KEY); INSERT INTO b.t VALUES (7)")
    checked = two_schemas.firn.command("check")
    assert checked.returncode == FAILED
    expect_told(checked.stdout)
    for _ in range(2):
        done = two_schemas.firn.command("run", "--until-caught-up", timeout_s=60)
        assert done.returncode == FAILED
        expect_told(done.stderr)
        assert "dropped and made again" not in done.stderr
        assert ids(two_schemas, "lake.t") == list(range(1, 101)) and ids(two_schemas, "lake.o") == [1]
    # Told apart, both are there.
    two_schemas.configure(destination=LAKE | {"table_prefix": "{schema}_"})
    assert two_schemas.firn.command("check").returncode == DONE
    two_schemas.catch_up()
    two_schemas.expect_equal("lake.a_t", engines=("pyiceberg",), source="a.t")
    two_schemas.expect_equal("lake.b_t", engines=("pyiceberg",), source="b.t")


def test_made_while_firn_runs(two_schemas):
    two_schemas.firn.start()
    two_schemas.firn.wait_streaming()
    two_schemas.execute("CREATE TABLE b.t (id int PRIMARY KEY); INSERT INTO b.t VALUES (1000)")
    expect_told(wait_state(two_schemas, "b.t", "parked")["reason"])
    two_schemas.execute("INSERT INTO a.t VALUES (5000); INSERT INTO b.t VALUES (1001); INSERT INTO a.o VALUES (2)")
    wait_until(lambda: 5000 in ids(two_schemas, "lake.t") and ids(two_schemas, "lake.o") == [1, 2], "the others go on")
    assert ids(two_schemas, "lake.t") == [*range(1, 101), 5000]
    # With the name to itself it has the table.
    two_schemas.execute("DROP TABLE a.t")
    wait_until(lambda: ids(two_schemas, "lake.t") == [1000, 1001], "b.t is copied")
    two_schemas.execute("INSERT INTO b.t VALUES (1002)")
    wait_until(lambda: ids(two_schemas, "lake.t") == [1000, 1001, 1002], "b.t streams")
    two_schemas.firn.stop()


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_by_a_new_name(two_schemas, running):
    """What the renamed table misses meanwhile is made good once it has a name of its own again."""
    two_schemas.execute("CREATE TABLE a.u (id int PRIMARY KEY); INSERT INTO a.u VALUES (1)")
    two_schemas.catch_up()
    if running:
        two_schemas.firn.start()
        two_schemas.firn.wait_streaming()
    two_schemas.execute(
        "BEGIN; ALTER TABLE a.u SET SCHEMA b; ALTER TABLE b.u RENAME TO t; COMMIT;"
        "INSERT INTO a.t VALUES (777); INSERT INTO b.t VALUES (888)"
    )
    if running:
        expect_told(wait_state(two_schemas, "b.t", "parked")["reason"])
        wait_until(lambda: 777 in ids(two_schemas, "lake.t"), "a.t goes on")
    else:
        for _ in range(2):
            done = two_schemas.firn.command("run", "--until-caught-up", timeout_s=60)
            assert done.returncode == FAILED
            expect_told(done.stderr)
    assert ids(two_schemas, "lake.t") == [*range(1, 101), 777] and ids(two_schemas, "lake.u")[0] == 1
    two_schemas.execute("INSERT INTO b.t VALUES (889); ALTER TABLE b.t RENAME TO v; INSERT INTO b.v VALUES (890)")
    if running:
        wait_until(lambda: ("lake", "v") in two_schemas.lake.tables(), "the Iceberg table is renamed")
        wait_until(lambda: ids(two_schemas, "lake.v") == [1, 888, 889, 890], "b.v is copied")
        two_schemas.firn.stop()
    two_schemas.catch_up()
    assert ids(two_schemas, "lake.v") == [1, 888, 889, 890]
    assert ids(two_schemas, "lake.t") == [*range(1, 101), 777]


def test_a_table_that_has_the_name_keeps_it_from_an_earlier_one(two_schemas):
    """Not the order of the names counts, but whose table it is."""
    two_schemas.execute("ALTER TABLE a.t SET SCHEMA b")
    two_schemas.catch_up()
    two_schemas.execute("CREATE TABLE a.t (id int PRIMARY KEY); INSERT INTO b.t VALUES (2000)")
    done = two_schemas.firn.command("run", "--until-caught-up", timeout_s=60)
    assert done.returncode == FAILED
    expect_told(done.stderr, newcomer="a.t", owner="b.t")
    assert ids(two_schemas, "lake.t") == [*range(1, 101), 2000]
