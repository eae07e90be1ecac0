"""Tables that can't go on: they are parked with a reason, the others go on, and they come back."""

import json
import random
import re

import pytest
from harness.waiting import wait_until
from pyiceberg.schema import Schema
from pyiceberg.types import IntegerType, NestedField
from test_schema_changes import wait_equal

BAD = "INSERT INTO b VALUES (%s, 'NaN')"  # No decimal holds it, and the policy is `error`.


@pytest.fixture
def shop(pipeline):
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(
        """
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, 'v' FROM generate_series(1, 100) n;
        CREATE TABLE b (id int PRIMARY KEY, n numeric(10, 2)); INSERT INTO b SELECT n, n FROM generate_series(1, 100) n;
        """
    )
    return pipeline


@pytest.fixture
def running(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    return shop


def wait_state(pipeline, table, state):
    def has_state():
        status = pipeline.firn.table_status(table)
        return status if status and status["state"] == state else None

    return wait_until(has_state, f"{table} is {state}")


def parked_metric(pipeline, table):
    found = re.search(rf'^firn_table_parked{{table="{table}"}} (\S+)$', pipeline.firn.get("/metrics"), re.MULTILINE)
    return found and float(found[1])


def test_a_value_that_can_not_be_held_parks_its_table_alone(running):
    with running.connection.transaction():
        running.execute("INSERT INTO a VALUES (1000, 'of one transaction')")
        running.execute(BAD, [1000])
        running.execute("INSERT INTO a VALUES (1001, 'of one transaction')")
    status = wait_state(running, "public.b", "parked")
    assert "NaN" in status["reason"]
    wait_equal(running, "a")
    assert parked_metric(running, "public.b") == 1
    assert "parked" in running.firn.log_text()
    told = json.loads(running.firn.command("status", "--json", check=True).stdout)
    (row,) = [table for table in told["tables"] if table["source"] == "public.b"]
    assert row["state"] == "parked" and "NaN" in row["problem"]

    # The log is not kept for it.
    running.execute("INSERT INTO a VALUES (1002, 'x'); UPDATE b SET n = n + 1 WHERE id = 1")
    end = running.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0]
    wait_until(
        lambda: running.execute(
            "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", [end, running.database]
        ).fetchone()[0],
        "the slot moves on",
    )
    wait_equal(running, "a")

    # Once the value is gone the table comes back by itself.
    running.execute("DELETE FROM b WHERE id = 1000; DELETE FROM b WHERE id = 5")
    wait_equal(running, "a", "b")
    wait_state(running, "public.b", "streaming")
    assert parked_metric(running, "public.b") == 0
    running.execute("UPDATE b SET n = 7 WHERE id = 7")
    wait_equal(running, "b")
    running.firn.stop()
    running.catch_up()
    running.expect_equal("a", "b")


def park_for_long(shop):
    """firn runs, and by itself would try b again in a minute."""
    shop.configure(retry={"base_delay_ms": 60_000, "max_delay_ms": 60_000}, writer={"commit_interval_ms": 200})
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute(BAD, [1000])
    wait_state(shop, "public.b", "parked")


def test_resync_brings_a_parked_table_back_at_once(shop):
    park_for_long(shop)
    shop.execute("DELETE FROM b WHERE id = 1000; UPDATE b SET n = n + 1")
    shop.firn.command("resync", "--table", "public.b", check=True)
    wait_equal(shop, "a", "b")
    shop.firn.stop()
    shop.expect_equal("a", "b")


def test_a_changed_definition_brings_a_parked_table_back_at_once(shop):
    park_for_long(shop)
    shop.execute("ALTER TABLE b ALTER n TYPE double precision")
    wait_equal(shop, "a", "b")
    shop.firn.stop()
    shop.expect_equal("a", "b")


def test_what_a_parked_table_misses_is_made_good_after_a_crash(running):
    running.execute(BAD, [1000])
    wait_state(running, "public.b", "parked")
    running.execute("UPDATE b SET n = n + 1; INSERT INTO a VALUES (2000, 'x')")
    wait_equal(running, "a")
    running.firn.kill()
    running.execute("DELETE FROM b WHERE id = 1000")
    running.catch_up()
    running.expect_equal("a", "b")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_around_parking(shop, seed):
    moments = random.Random(seed)
    shop.catch_up()
    for n in range(6):
        shop.firn.start()
        shop.firn.ended_within(moments.uniform(0.2, 0.8))
        shop.execute(f"UPDATE b SET n = id WHERE n = 'NaN'; UPDATE b SET n = n + 1 WHERE id % 7 = {n}")
        shop.execute(f"INSERT INTO a VALUES ({5000 + n}, 'x'); INSERT INTO b VALUES ({5000 + n}, 'NaN')")
        for _ in range(3):
            shop.execute("UPDATE b SET n = n + 1 WHERE id < 50; UPDATE a SET v = v || '!' WHERE id < 50")
            shop.firn.ended_within(moments.uniform(0.0, 0.5))
        shop.firn.expect_running()
        shop.firn.kill()
    shop.execute("UPDATE b SET n = 0 WHERE n = 'NaN'")
    shop.catch_up()
    shop.expect_equal("a", "b")


def test_a_first_copy_that_can_not_hold_a_value_copies_the_other_tables(shop):
    shop.execute(BAD, [1000])
    done = shop.firn.command("run", "--until-caught-up")
    assert done.returncode == 1
    assert "public.b" in done.stderr.strip().splitlines()[-1] and "NaN" in done.stderr.strip().splitlines()[-1]
    shop.expect_equal("a")
    shop.execute("DELETE FROM b WHERE id = 1000")
    shop.catch_up()
    shop.expect_equal("a", "b")


def test_a_table_that_somebody_else_has_made_is_left_alone(shop):
    shop.execute("DROP TABLE b; INSERT INTO a VALUES (3000, 'x')")
    shop.catch_up()
    shop.lake.catalog().create_table("public.b", Schema(NestedField(1, "mine", IntegerType())))
    shop.firn.start()
    shop.execute("CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)")
    status = wait_state(shop, "public.b", "parked")
    assert "not made by firn" in status["reason"]
    shop.execute("INSERT INTO a VALUES (3001, 'x')")
    wait_equal(shop, "a")
    shop.lake.catalog().drop_table("public.b")
    wait_equal(shop, "a", "b")
    shop.firn.stop()
    shop.expect_equal("a", "b")


def test_an_iceberg_table_that_was_dropped_is_made_anew(running):
    running.lake.catalog().drop_table("public.b")
    running.execute("UPDATE b SET n = 3 WHERE id = 3; UPDATE a SET v = 'w' WHERE id = 3")
    wait_equal(running, "a", "b")
    running.execute("DELETE FROM b WHERE id = 3")
    wait_equal(running, "b")
    running.firn.stop()
    running.expect_equal("a", "b")


def test_a_table_that_may_not_be_read_is_parked_until_it_may(shop, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS half_blind")
    admin.execute("CREATE ROLE half_blind LOGIN REPLICATION")
    try:
        shop.execute(f"GRANT SELECT ON a TO half_blind; CREATE PUBLICATION {shop.database} FOR ALL TABLES")
        shop.configure(
            source={"url": postgres.url(shop.database, "half_blind")},
            retry={"base_delay_ms": 20},
            writer={"commit_interval_ms": 200},
        )
        shop.firn.start()
        status = wait_state(shop, "public.b", "parked")
        assert 'GRANT SELECT ON "public"."b" TO "half_blind"' in status["reason"]
        wait_equal(shop, "a")
        shop.execute("GRANT SELECT ON b TO half_blind")
        wait_equal(shop, "a", "b")
        shop.firn.stop()
    finally:
        shop.execute("DROP OWNED BY half_blind")
        admin.execute("DROP ROLE half_blind")


# --- A source that no longer fits what the configuration says of one table ---

NO_LONGER_FITS = {
    "partition_by": ({"partition_by": ["month(d)"]}, "ALTER TABLE t ALTER d TYPE text"),
    "computed": ({"computed": {"up": "upper(name)"}}, "ALTER TABLE t ALTER name TYPE int USING 1"),
    "columns": ({"columns": {"n": "decimal(20,4)"}}, "ALTER TABLE t ALTER n TYPE text"),
}


@pytest.mark.parametrize("settings, change", NO_LONGER_FITS.values(), ids=NO_LONGER_FITS.keys())
def test_a_source_that_no_longer_fits_the_configuration_stops_its_table_alone(pipeline, settings, change):
    pipeline.configure(tables={"public.t": settings})
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, d date, name text, n numeric); INSERT INTO t VALUES (1, '2024-01-01', 'a', 1);
        CREATE TABLE o (id int PRIMARY KEY); INSERT INTO o VALUES (1);
        """
    )
    pipeline.catch_up()
    pipeline.execute(change + "; INSERT INTO o VALUES (2)")
    for _ in range(2):  # It stays so at the next start.
        done = pipeline.firn.command("run", "--until-caught-up")
        assert done.returncode == 1, done.stderr
        assert "it was altered in PostgreSQL, and what the configuration says of it doesn't fit" in done.stderr
        pipeline.expect_equal("o", engines=("pyiceberg",))
        pipeline.execute("INSERT INTO o VALUES (3) ON CONFLICT DO NOTHING")
    pipeline.configure()
    pipeline.execute("INSERT INTO t (id) VALUES (2)")
    pipeline.catch_up()
    pipeline.expect_equal("o")
    assert sorted(row["id"] for row in pipeline.rows("t")) == [1, 2]


def test_a_configuration_that_never_fitted_is_for_the_operator(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text); CREATE TABLE o (id int PRIMARY KEY)")
    wrong = {"public.t": {"partition_by": ["month(name)"]}}
    pipeline.configure(tables=wrong)
    assert pipeline.firn.command("run", "--until-caught-up").returncode == 2
    pipeline.configure()
    pipeline.catch_up()
    pipeline.configure(tables=wrong)
    assert pipeline.firn.command("run", "--until-caught-up").returncode == 2
    pipeline.configure()
    assert "copied again" not in pipeline.catch_up().stderr


# --- A publication that publishes less ---


@pytest.mark.parametrize("part", ["t WHERE (id > 10)", "t (id)"], ids=["rows", "columns"])
def test_a_row_filter_or_column_list_stops_its_table_alone(pipeline, part):
    publication = pipeline.database
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(
        f"""
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'a' FROM generate_series(1, 20) n;
        CREATE TABLE o (id int PRIMARY KEY); CREATE PUBLICATION {publication} FOR TABLE o, {part};
        """
    )
    statements = f'ALTER PUBLICATION "{publication}" DROP TABLE "public"."t"; ALTER PUBLICATION "{publication}" ADD TABLE "public"."t"'
    told = f"publication '{publication}' publishes only some rows or columns of table public.t"
    for command in ("check", "run"):  # Before anything is made.
        done = pipeline.firn.command(command)
        assert done.returncode == 1 and told in done.stdout + done.stderr
        assert statements.replace('"', "") in (done.stdout + done.stderr).replace('"', "")
    pipeline.execute(statements)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute(f"ALTER PUBLICATION {publication} SET TABLE o, {part}")
    pipeline.execute("UPDATE t SET v = 'b'; INSERT INTO o VALUES (1)")
    assert told in wait_state(pipeline, "public.t", "parked")["reason"]
    wait_equal(pipeline, "o")
    pipeline.firn.stop()
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode == 1 and told in done.stderr
    pipeline.firn.start()
    wait_state(pipeline, "public.t", "parked")
    pipeline.execute(statements)
    pipeline.execute("UPDATE t SET v = 'c' WHERE id = 15")
    wait_equal(pipeline, "t", "o")
    pipeline.firn.stop()
    pipeline.expect_equal("t", "o")


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_operations_that_were_not_published_for_a_time(pipeline, running):
    publication = pipeline.database
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(
        f"""
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'a' FROM generate_series(1, 20) n;
        CREATE PUBLICATION {publication} FOR TABLE t;
        """
    )
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute(f"ALTER PUBLICATION {publication} SET (publish = 'insert')")
    pipeline.execute("UPDATE t SET v = 'b' WHERE id < 5; DELETE FROM t WHERE id = 7")
    pipeline.execute(f"ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate')")
    if running:
        wait_equal(pipeline, "t")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")
    # Another owner takes nothing out, and less that is published from now on is no reason to copy.
    pipeline.execute(f"ALTER PUBLICATION {publication} OWNER TO pg_database_owner")
    assert "copied again" not in pipeline.catch_up().stderr
    pipeline.execute(f"ALTER PUBLICATION {publication} SET (publish = 'insert')")
    assert "copied again" not in pipeline.catch_up().stderr


def test_rows_that_get_a_key_are_copied_at_once(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int, v text); ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (3, 'c');
        """
    )
    pipeline.catch_up()
    pipeline.execute(
        """
        DELETE FROM t WHERE ctid = (SELECT max(ctid) FROM t WHERE id = 3);
        ALTER TABLE t ADD PRIMARY KEY (id), REPLICA IDENTITY DEFAULT; UPDATE t SET v = 'z' WHERE id = 1;
        """
    )
    assert "parked" not in pipeline.catch_up().stderr
    pipeline.expect_equal("t")
    pipeline.execute("UPDATE t SET v = 'y' WHERE id = 3; DELETE FROM t WHERE id = 2")
    assert "copied again" not in pipeline.catch_up().stderr
    pipeline.expect_equal("t")
