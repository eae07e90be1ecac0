"""firn verify: it finds both sides equal while rows change all the time, and finds and names what somebody damaged."""

import contextlib
import json
import random
import threading
import time

import psycopg
import pyarrow as pa
import pytest
from conformance.test_types import SETUP, TYPES
from harness.firn_process import run_firn
from harness.random_source import LARGE
from harness.waiting import wait_until
from test_types import ARRAY_ROWS, ARRAYS

DONE, FAILED, USAGE = 0, 1, 2
FORMS = {
    "position": {"format_version": 2},
    "vector": {"format_version": 3},
    "equality-v2": {"format_version": 2, "deletes": "equality"},
    "equality-v3": {"format_version": 3, "deletes": "equality"},
}


def verify(pipeline, *arguments, exit_code=DONE):
    done = pipeline.firn.command("verify", "--json", *arguments)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return {table["source"]: table for table in json.loads(done.stdout)["tables"]}


def start(pipeline):
    pipeline.firn.start()
    pipeline.firn.wait_streaming()


def expect_all_equal(pipeline, *arguments):
    for name, table in verify(pipeline, *arguments).items():
        assert table["result"] == "equal", table
        assert table["iceberg_rows"] == table["source_rows"], name


def differences(table):
    """Key → what differs."""
    return {tuple(difference["key"].values()): difference for difference in table["differences"]}


def change_unseen(pipeline, *statements):
    """Changes that the publication does not have, so that firn never hears of them. It gets another owner as well: firn
    copies the tables again where a publication was altered and nothing else of it shows."""
    publication = pipeline.database
    with pipeline.postgres.connect(pipeline.database) as connection, connection.transaction():
        owner = connection.execute(
            "SELECT rolname FROM pg_roles r, pg_publication WHERE pubname = %s AND r.oid > pubowner AND rolname ~ '^pg_' "
            "ORDER BY r.oid LIMIT 1",
            [publication],
        ).fetchone()[0]
        connection.execute(f"ALTER PUBLICATION {publication} OWNER TO {owner}")
        connection.execute(f"ALTER PUBLICATION {publication} SET (publish = 'truncate')")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate')")


@contextlib.contextmanager
def writers(pipeline, *statements_of):
    """For each function, a thread that commits what it gives, all along; where one fails, so does the test."""
    stop = threading.Event()
    failures = []

    def write(statements):
        try:
            with pipeline.postgres.connect(pipeline.database) as connection:
                while not stop.is_set():
                    for statement in statements():
                        connection.execute(statement)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=[statements]) for statements in statements_of]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_equal_while_rows_change_all_the_time(pipeline):
    pipeline.execute(f"""
        CREATE TABLE accounts (id int PRIMARY KEY, balance int, note text, large text);
        INSERT INTO accounts SELECT n, n, 'n' || n, CASE WHEN n % 10 = 0 THEN {LARGE.format(n="n")} END FROM generate_series(1, 2000) n;
        INSERT INTO accounts SELECT n, n, 'moves', {LARGE.format(n="n")} FROM generate_series(2500, 2500) n;
        CREATE TABLE "Mixed Case" ("The Id" text, "a.b" int, v text, PRIMARY KEY ("The Id", "a.b"));
        INSERT INTO "Mixed Case" SELECT 'k' || n, n, 'v' FROM generate_series(1, 500) n;
        CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL;
        INSERT INTO keyless SELECT nullif(n % 7, 0), nullif('b' || n % 3, 'b1') FROM generate_series(1, 300) n;
        CREATE TABLE log (at timestamptz DEFAULT now(), what text);
        CREATE TABLE parts (id int, part text, v int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
        INSERT INTO parts SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 400) n;
        CREATE TABLE idle (id int PRIMARY KEY); INSERT INTO idle SELECT generate_series(1, 100);
    """)
    pipeline.configure(tables={"public.accounts": {"partition_by": ["bucket(4, id)"]}})
    start(pipeline)
    dice = random.Random(6)

    def accounts():
        one, other = dice.sample(range(1, 2001), 2)
        yield f"BEGIN; UPDATE accounts SET balance = balance - 1 WHERE id = {one}; UPDATE accounts SET balance = balance + 1 WHERE id = {other}; COMMIT"
        yield f"UPDATE accounts SET balance = balance + 1 WHERE id = 10 OR id % 97 = {one % 97}"
        # The key changes, and what is too large to be sent again stays.
        yield f"UPDATE accounts SET id = -id WHERE abs(id) = 2500; DELETE FROM accounts WHERE id = {other} AND id > 100"
        yield f"INSERT INTO accounts VALUES ({other}, 0, 'again') ON CONFLICT (id) DO UPDATE SET note = 'kept'"

    def others():
        n = dice.randrange(500)
        yield f"""UPDATE "Mixed Case" SET v = v || '{n % 10}' WHERE "a.b" = {n}; UPDATE "Mixed Case" SET "a.b" = "a.b" + 1000 WHERE "a.b" = {n}"""
        yield f"DELETE FROM keyless WHERE ctid = (SELECT max(ctid) FROM keyless); INSERT INTO keyless VALUES ({n % 7}, NULL), (NULL, NULL)"
        yield f"UPDATE keyless SET b = 'c' WHERE a = {n % 7}; INSERT INTO log (what) VALUES ('{n}'), ('{n}')"
        yield f"UPDATE parts SET part = CASE part WHEN 'a' THEN 'b' ELSE 'a' END, v = v + 1 WHERE id = {n}"

    with writers(pipeline, accounts, others):
        for _ in range(6):
            tables = verify(pipeline)
            assert len(tables) == 6
            for table in tables.values():
                assert table["result"] == "equal", table
    expect_all_equal(pipeline, "--table", "public.Mixed Case,public.k*")
    # Nothing is left behind.
    wait_until(
        lambda: pipeline.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()
        == [(pipeline.database,)],
        "only the pipeline's slot is there",
    )
    pipeline.firn.stop()


@pytest.mark.parametrize("form", FORMS)
def test_damage_is_found_and_named_while_rows_change(pipeline, form):
    pipeline.configure(destination=FORMS[form])
    pipeline.execute("""
        CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10, 2));
        INSERT INTO t SELECT n, 'v' || n, n FROM generate_series(1, 1000) n;
        CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
    """)
    has_keyless = "equality" not in form  # Without a key, rows can't be deleted by it.
    if has_keyless:
        pipeline.execute("CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL")
        pipeline.execute("INSERT INTO keyless SELECT n % 5, NULL FROM generate_series(1, 50) n")
    start(pipeline)
    pipeline.execute("DELETE FROM t WHERE id % 10 = 0; UPDATE t SET v = 'w' WHERE id % 10 = 1")
    dice = random.Random(form)

    def changes():
        yield f"UPDATE t SET n = n + 1 WHERE id BETWEEN 500 AND {dice.randint(500, 600)}"
        yield "DELETE FROM t WHERE id = 602; INSERT INTO t VALUES (602, 'new', 1)"

    with writers(pipeline, changes):
        verify(pipeline)
        change_unseen(
            pipeline,
            "DELETE FROM t WHERE id = 42",
            "UPDATE t SET v = 'forged', n = n + 1 WHERE id = 43",
            "UPDATE t SET v = 'w' WHERE id = 47",
            "INSERT INTO t VALUES (2000, 'smuggled in', 1)",
        )
        if has_keyless:
            change_unseen(pipeline, "INSERT INTO keyless VALUES (3, NULL)", "DELETE FROM keyless WHERE a = 4")
        for _ in range(2):
            tables = verify(pipeline, exit_code=FAILED)
            assert tables["public.other"]["result"] == "equal"
            table = tables["public.t"]
            found = differences(table)
            assert set(found) == {("42",), ("43",), ("47",), ("2000",)}
            assert table["differing_keys"] == 4
            assert (found[("42",)]["source_rows"], found[("42",)]["iceberg_rows"]) == (0, 1)
            assert (found[("2000",)]["source_rows"], found[("2000",)]["iceberg_rows"]) == (1, 0)
            assert found[("43",)]["columns"] == ["v", "n"]
            assert found[("47",)]["columns"] == ["v"]
            if has_keyless:
                found = differences(tables["public.keyless"])
                assert set(found) == {("3", "NULL"), ("4", "NULL")}
                assert (found[("3", "NULL")]["source_rows"], found[("3", "NULL")]["iceberg_rows"]) == (11, 10)
    told = pipeline.firn.command("verify", "--table", "public.t")
    assert told.returncode == FAILED
    for line in ("id=42: only in the Iceberg table", "id=2000: missing in the Iceberg table", "id=43: differs in v, n", "4 keys differ"):
        assert line in told.stdout
    assert "1 of 1 table is not equal" in told.stderr
    pipeline.execute("UPDATE t SET v = 'healed' WHERE id IN (43, 47); DELETE FROM t WHERE id = 2000; INSERT INTO t VALUES (42, 'v42', 42)")
    found = differences(verify(pipeline, "--table", "public.t", exit_code=FAILED)["public.t"])
    assert set(found) <= {("42",)}, "what was made anew on both sides is equal"
    pipeline.firn.stop()


def test_damage_by_another_writer_is_found(pipeline):
    """Rows that another engine removed, changed, or added twice, in a table that is idle."""
    pipeline.execute("""
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 100) n;
        CREATE TABLE keyless (a int, b text);
        INSERT INTO keyless SELECT n, 'b' FROM generate_series(1, 10) n;
    """)
    start(pipeline)
    expect_all_equal(pipeline)
    table = pipeline.lake.table("public", "t")
    table.delete("id = 7")
    table.overwrite(pa.table({"id": [8], "v": ["forged"]}, table.schema().as_arrow()), "id = 8")
    table.append(pa.table({"id": [9, 101], "v": ["v9", "more"]}, table.schema().as_arrow()))
    keyless = pipeline.lake.table("public", "keyless")
    keyless.append(pa.table({"a": [3], "b": ["b"]}, keyless.schema().as_arrow()))
    tables = verify(pipeline, exit_code=FAILED)
    found = differences(tables["public.t"])
    assert {key: (found[key]["source_rows"], found[key]["iceberg_rows"]) for key in found} == {
        ("7",): (1, 0),
        ("8",): (1, 1),
        ("9",): (1, 2),
        ("101",): (0, 1),
    }
    assert found[("8",)]["columns"] == ["v"]
    found = differences(tables["public.keyless"])
    assert {key: (found[key]["source_rows"], found[key]["iceberg_rows"]) for key in found} == {("3", "b"): (1, 2)}
    pipeline.firn.stop()


def test_values_that_changed_places_are_found(pipeline):
    """Sums of single values would not tell."""
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT n, n, -n FROM generate_series(1, 50) n")
    start(pipeline)
    verify(pipeline)
    change_unseen(pipeline, "UPDATE t SET a = 14 - a WHERE id IN (6, 8)", "UPDATE t SET a = b, b = a WHERE id = 20")
    found = differences(verify(pipeline, exit_code=FAILED)["public.t"])
    assert {key: found[key]["columns"] for key in found} == {("6",): ["a"], ("8",): ["a"], ("20",): ["a", "b"]}
    pipeline.firn.stop()


def test_more_differences_than_are_shown(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 30000) n")
    start(pipeline)
    verify(pipeline)
    change_unseen(pipeline, "UPDATE t SET v = v + 1 WHERE id > 100")
    table = verify(pipeline, exit_code=FAILED)["public.t"]
    assert table["differing_keys"] == 29900
    assert not table["has_more"]
    assert 0 < len(table["differences"]) <= 100
    pipeline.firn.stop()


@pytest.mark.parametrize("way", ["copied", "streamed"])
@pytest.mark.parametrize("format_version", [2, 3])
def test_every_type(pipeline, way, format_version):
    pipeline.configure(
        destination={"format_version": format_version, "unrepresentable": "string"},
    )
    columns = ", ".join(f'"c{i}" {kind}' for i, kind in enumerate(TYPES))
    tables = SETUP + f"CREATE TABLE t (id int PRIMARY KEY, {columns});" + ARRAYS.replace("CREATE EXTENSION", "CREATE EXTENSION IF NOT EXISTS").replace(
        "CREATE TYPE mood AS ENUM ('sad', 'so so');", "ALTER TYPE mood ADD VALUE 'so so';"
    )
    rows = ["INSERT INTO t (id) VALUES (0)"]
    for n in range(1, 1 + max(map(len, TYPES.values()))):
        values = ", ".join(f"{choices[n % len(choices)]}" for choices in TYPES.values())
        rows.append(f"INSERT INTO t VALUES ({n}, {values})")
    rows.append(ARRAY_ROWS)
    for statement in tables.split(";"):
        if statement.strip():
            pipeline.execute(statement)
    if way == "streamed":
        start(pipeline)
    for statement in rows:
        pipeline.execute(statement)
    if way == "copied":
        start(pipeline)
    expect_all_equal(pipeline)
    change_unseen(pipeline, *(f'UPDATE t SET "c{i}" = NULL WHERE id = 1' for i in range(len(TYPES))))
    (difference,) = verify(pipeline, exit_code=FAILED)["public.t"]["differences"]
    assert difference["columns"] == [f"c{i}" for i in range(len(TYPES))]
    pipeline.firn.stop()


@pytest.mark.parametrize(
    "cdc", [{"enable_deletes": False}, {"mode": "history"}, {"track_changes": True}], ids=["soft-delete", "history", "tracked"]
)
def test_modes_that_keep_more_compare_the_rows_of_now(pipeline, cdc):
    pipeline.configure(cdc=cdc)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 100) n")
    start(pipeline)
    pipeline.execute("UPDATE t SET v = 'w' WHERE id <= 20; DELETE FROM t WHERE id > 90; INSERT INTO t VALUES (95, 'again')")
    expect_all_equal(pipeline)
    change_unseen(pipeline, "INSERT INTO t VALUES (99, 'v')", "DELETE FROM t WHERE id = 1")
    found = differences(verify(pipeline, exit_code=FAILED)["public.t"])
    assert {key: (found[key]["source_rows"], found[key]["iceberg_rows"]) for key in found} == {("99",): (1, 0), ("1",): (0, 1)}
    pipeline.firn.stop()


def test_a_table_of_changes_is_said_not_to_be_compared(pipeline):
    pipeline.configure(cdc={"mode": "append"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    start(pipeline)
    (table,) = verify(pipeline).values()
    assert table["result"] == "not compared"
    assert "append" in table["reason"]
    pipeline.firn.stop()


def test_altered_and_truncated_tables_are_compared_again(pipeline):
    pipeline.execute("""
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 3000) n;
        CREATE TABLE emptied (id int PRIMARY KEY); INSERT INTO emptied SELECT generate_series(1, 3000);
    """)
    start(pipeline)

    def changes():
        yield "UPDATE t SET v = v || 'x' WHERE id < 50"

    def alterations():
        time.sleep(3)
        yield f"ALTER TABLE t ADD c{time.monotonic_ns()} int DEFAULT 7"
        yield "TRUNCATE emptied; INSERT INTO emptied SELECT generate_series(1, 2000)"

    with writers(pipeline, changes, alterations):
        told = pipeline.firn.command("verify", "--json", "--wait", "20", timeout_s=500)
        tables = json.loads(told.stdout)["tables"]
    # One that was altered each time may be given up, but none is said to differ.
    assert {table["result"] for table in tables} <= {"equal", "not compared"}
    assert all(table["result"] == "equal" or "altered" in table["reason"] or "truncated" in table["reason"] for table in tables)
    expect_all_equal(pipeline)
    pipeline.firn.stop()


def test_without_a_running_firn_what_has_not_changed_is_compared(pipeline):
    pipeline.execute("""
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 200) n;
        CREATE TABLE emptied (id int PRIMARY KEY); INSERT INTO emptied VALUES (1);
        CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
        CREATE TABLE unpublished (id int PRIMARY KEY);
    """)
    pipeline.configure(source={"tables": ["public.t", "public.emptied", "public.other"]})
    told = pipeline.firn.command("verify")
    assert told.returncode == FAILED
    assert "`firn run` makes it" in told.stderr
    pipeline.catch_up()
    expect_all_equal(pipeline)
    # Its changes were streamed, and the slot stands where it stood before tables of others changed.
    pipeline.execute("UPDATE t SET v = 'w' WHERE id < 20")
    pipeline.catch_up()
    pipeline.execute("INSERT INTO unpublished SELECT generate_series(1, 1000)")
    pipeline.execute("BEGIN; UPDATE t SET v = 'never' WHERE id < 20; ROLLBACK")
    expect_all_equal(pipeline)
    change_unseen(pipeline, "UPDATE t SET v = 'forged' WHERE id = 7")
    assert set(differences(verify(pipeline, "--table", "public.t", exit_code=FAILED)["public.t"])) == {("7",)}

    pipeline.execute("INSERT INTO t VALUES (1000, 'waits for firn')")
    pipeline.execute("TRUNCATE emptied")
    began = time.monotonic()
    tables = verify(pipeline, exit_code=FAILED)
    assert time.monotonic() - began < 100, "nobody is waited for"
    assert {name: table["result"] for name, table in tables.items()} == {
        "public.t": "not compared",
        "public.emptied": "not compared",
        "public.other": "equal",
    }
    for name in ("public.t", "public.emptied"):
        assert "PostgreSQL has changes of it that firn has not committed" in tables[name]["reason"]
        assert "start `firn run`" in tables[name]["reason"]
    pipeline.catch_up()
    tables = verify(pipeline, exit_code=FAILED)
    assert {name for name, table in tables.items() if table["result"] == "equal"} == {"public.emptied", "public.other"}
    # No slot is left behind, and firn's own stays where it was.
    wait_until(
        lambda: pipeline.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()
        == [(pipeline.database,)],
        "only the pipeline's slot is there",
    )


def test_wrong_usage(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.catch_up()
    assert run_firn("verify").returncode == USAGE
    assert pipeline.firn.command("verify", "--wait", "soon").returncode == USAGE
    told = pipeline.firn.command("verify", "--table", "public.nothing")
    assert told.returncode == USAGE
    assert "--table public.nothing" in told.stderr
