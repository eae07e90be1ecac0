"""Changes after the copy, each kind of statement with its awkward cases."""

import pytest
from harness import compare
from harness.lake import read_with_pyiceberg


@pytest.fixture
def shop(pipeline):
    """A copied table `t` of 100 rows, keyed by id."""
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2));
        INSERT INTO t SELECT n, 'name ' || n, n * 1.5 FROM generate_series(1, 100) n;
        """
    )
    pipeline.catch_up()
    return pipeline


# Each is one transaction on `t` unless it has its own BEGIN and COMMIT.
STATEMENTS = {
    "inserts": "INSERT INTO t SELECT n, 'new', NULL FROM generate_series(101, 150) n",
    "updates": "UPDATE t SET name = 'changed', amount = amount + 1 WHERE id <= 10",
    "many updates of one row": "; ".join(f"UPDATE t SET amount = {n} WHERE id = 5" for n in range(20)),
    "an update that changes nothing": "UPDATE t SET name = name",
    "an update to NULL": "UPDATE t SET name = NULL, amount = NULL WHERE id % 2 = 0",
    "deletes": "DELETE FROM t WHERE id % 3 = 0",
    "a delete of all rows": "DELETE FROM t",
    "an insert and delete of one row": "INSERT INTO t VALUES (500, 'short', 1); DELETE FROM t WHERE id = 500",
    "an insert, update and delete of one row": (
        "INSERT INTO t VALUES (500, 'short', 1); UPDATE t SET name = 'x' WHERE id = 500; DELETE FROM t WHERE id = 500"
    ),
    "a delete and insert of one key": "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'again', 7)",
    "delete, insert, update, delete, insert": (
        "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'again', 7); UPDATE t SET name = 'once more' WHERE id = 7;"
        "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'at last', 8)"
    ),
    "a change of key": "UPDATE t SET id = 1000 WHERE id = 1",
    "a change of key onto one freed before": "DELETE FROM t WHERE id = 2; UPDATE t SET id = 2 WHERE id = 1",
    "a chain of key changes": "UPDATE t SET id = 1000 WHERE id = 1; UPDATE t SET id = 1001 WHERE id = 1000; INSERT INTO t VALUES (1, 'new 1', 0)",
    "a swap of keys": (
        "UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = -1"
    ),
    "a shift of all keys": "UPDATE t SET id = -id; UPDATE t SET id = 1 - id",
    "a rolled back savepoint": (
        "BEGIN; UPDATE t SET name = 'kept' WHERE id = 1; SAVEPOINT s; DELETE FROM t; INSERT INTO t VALUES (1, 'never', 0);"
        "ROLLBACK TO s; UPDATE t SET name = 'kept too' WHERE id = 2; SAVEPOINT u; DELETE FROM t WHERE id = 3; RELEASE u; COMMIT"
    ),
    "a rolled back transaction": "BEGIN; DELETE FROM t; ROLLBACK",
    "an upsert": "INSERT INTO t VALUES (1, 'upserted', 1), (101, 'inserted', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    "a truncate": "TRUNCATE t",
    "a truncate, then inserts": "TRUNCATE t; INSERT INTO t VALUES (1, 'after', 1), (2, 'after', 2)",
    "changes, a truncate, then inserts": (
        "UPDATE t SET name = 'lost'; INSERT INTO t VALUES (200, 'lost', 0); TRUNCATE t; INSERT INTO t VALUES (200, 'kept', 1)"
    ),
    "two truncates": "TRUNCATE t; INSERT INTO t VALUES (1, 'lost', 1); TRUNCATE t; INSERT INTO t VALUES (2, 'kept', 1)",
    "a rolled back truncate": "BEGIN; SAVEPOINT s; TRUNCATE t; ROLLBACK TO s; DELETE FROM t WHERE id = 1; COMMIT",
}


@pytest.mark.parametrize("statements", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_arrives(shop, statements):
    shop.execute(statements)
    shop.catch_up()
    shop.expect_equal("t")


def test_all_kinds_one_after_the_other(shop):
    for statements in STATEMENTS.values():
        shop.execute(statements)
        shop.execute("INSERT INTO t SELECT n, 'filled', n FROM generate_series(1, 120) n ON CONFLICT DO NOTHING")
        shop.execute("DELETE FROM t WHERE id NOT BETWEEN 1 AND 100")
    shop.catch_up()
    shop.expect_equal("t")


def test_all_kinds_while_firn_runs(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    for statements in STATEMENTS.values():
        shop.execute(statements)
        shop.execute("INSERT INTO t SELECT n, 'filled', n FROM generate_series(1, 120) n ON CONFLICT DO NOTHING")
        shop.execute("DELETE FROM t WHERE id NOT BETWEEN 1 AND 100")
    shop.firn.stop()
    shop.catch_up()
    shop.expect_equal("t")


def test_history_before_a_truncate_stays_readable(shop):
    before, columns = compare.source_rows(shop.connection, ("public", "t"), shop.lake.table("public", "t").schema())
    snapshot = shop.lake.table("public", "t").current_snapshot().snapshot_id
    shop.execute("TRUNCATE t; INSERT INTO t VALUES (1, 'new', 1)")
    shop.catch_up()
    shop.expect_equal("t")
    table = shop.lake.table("public", "t")
    kinds = [table.schema().find_field(column).field_type for column in columns]
    old_rows = read_with_pyiceberg(table.metadata_location, snapshot)
    assert before == {
        tuple(compare.normalise(row[column], kind) for column, kind in zip(columns, kinds, strict=True)): 1 for row in old_rows
    }


def test_several_tables_truncated_at_once(pipeline):
    pipeline.execute(
        """
        CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent);
        CREATE TABLE other (id int PRIMARY KEY);
        INSERT INTO parent SELECT generate_series(1, 50);
        INSERT INTO child SELECT n, n FROM generate_series(1, 50) n;
        INSERT INTO other SELECT generate_series(1, 50);
        """
    )
    pipeline.catch_up()
    pipeline.execute("INSERT INTO parent VALUES (99); TRUNCATE parent, other CASCADE; INSERT INTO parent VALUES (1), (2)")
    pipeline.catch_up()
    pipeline.expect_equal("parent", "child", "other")


def test_several_tables_in_one_transaction(pipeline):
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); CREATE TABLE c (v int)")
    pipeline.catch_up()
    for n in range(20):
        pipeline.execute(
            f"INSERT INTO a VALUES ({n}, 0); INSERT INTO b SELECT id, v FROM a WHERE id = {n}; INSERT INTO c VALUES ({n});"
            f"UPDATE a SET v = v + 1; UPDATE b SET v = (SELECT sum(v) FROM a) WHERE id = {n}"
        )
    pipeline.catch_up()
    pipeline.expect_equal("a", "b", "c")


def test_without_a_key_exactly_one_of_equal_rows_goes(pipeline):
    pipeline.execute(
        """
        CREATE TABLE dup (a int, b text);
        ALTER TABLE dup REPLICA IDENTITY FULL;
        INSERT INTO dup SELECT n % 3, 'same' FROM generate_series(1, 30) n;
        INSERT INTO dup VALUES (NULL, NULL), (NULL, NULL), (NULL, 'x');
        """
    )
    pipeline.catch_up()
    for statements in (
        "DELETE FROM dup WHERE ctid = (SELECT min(ctid) FROM dup WHERE a = 1)",
        "UPDATE dup SET b = 'other' WHERE ctid IN (SELECT ctid FROM dup WHERE a = 2 LIMIT 3)",
        "DELETE FROM dup WHERE ctid = (SELECT min(ctid) FROM dup WHERE a IS NULL AND b IS NULL)",
        "INSERT INTO dup VALUES (0, 'same'), (0, 'same'); DELETE FROM dup WHERE ctid IN (SELECT ctid FROM dup WHERE a = 0 LIMIT 4)",
        "UPDATE dup SET a = 1",
        "DELETE FROM dup WHERE ctid IN (SELECT ctid FROM dup LIMIT 5); INSERT INTO dup SELECT 1, 'same' FROM generate_series(1, 3)",
    ):
        pipeline.execute(statements)
        pipeline.catch_up()
        pipeline.expect_equal("dup")


def test_without_a_key_copied_rows_are_found_by_values_of_any_type(pipeline):
    """The copy and the stream must write a value alike, or a row that was copied is not found again."""
    pipeline.execute(
        """
        CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TABLE t (n int, i inet, c cidr, m mood, b bit(3), v interval, f float8, d numeric, u uuid, j jsonb, a int[],
                        p char(6), o money, r int4range, q "char", z timetz, k bytea, e real, y name, w timestamptz, g bool);
        ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT n, '10.0.0.1', '10.0.0.0/8', 'happy', B'101', '1 day 02:00', 0.1, 1.10, md5(n::text)::uuid, '{"b": 1, "a": 2}',
            '{1,NULL}', 'pad', 9.5, '[1,5)', 'x', '12:00+02', '\\x0102', 0.1, 'name', '2024-01-01 00:00:00.5+00', true
            FROM generate_series(1, 20) n;
        """
    )
    pipeline.catch_up()
    pipeline.expect_equal("t")
    pipeline.execute("UPDATE t SET n = -n WHERE n <= 5; DELETE FROM t WHERE n > 15")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_replica_identity_full_with_a_key(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, v text, w float8);
        ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT n, 'v', n / 3.0 FROM generate_series(1, 50) n;
        """
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = NULL WHERE id < 10; UPDATE t SET id = id + 100 WHERE id > 40; DELETE FROM t WHERE id = 20")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_replica_identity_by_an_index(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, region text NOT NULL, code int NOT NULL, v text);
        CREATE UNIQUE INDEX t_identity ON t (region, code);
        ALTER TABLE t REPLICA IDENTITY USING INDEX t_identity;
        INSERT INTO t SELECT n, 'r' || n % 5, n, 'v' FROM generate_series(1, 50) n;
        """
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 'w' WHERE id <= 10; UPDATE t SET code = -code WHERE id > 45; UPDATE t SET id = id + 1000 WHERE id = 30")
    pipeline.execute("DELETE FROM t WHERE region = 'r2'")
    pipeline.catch_up()
    pipeline.expect_equal("t")


LARGE = "(SELECT string_agg(md5((i * {n})::text), '') FROM generate_series(1, 3200) i)"  # 100 kB that hardly compress


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_large_values_that_an_update_leaves_alone_stay(pipeline, identity):
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, v int, large text, other bytea); ALTER TABLE t REPLICA IDENTITY {identity}")
    pipeline.execute(f"INSERT INTO t SELECT n, 0, {LARGE.format(n='n')}, {LARGE.format(n='-n')}::bytea FROM generate_series(1, 8) n")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 1 WHERE id = 1")
    pipeline.execute("UPDATE t SET v = 2 WHERE id <= 2")
    pipeline.execute("UPDATE t SET id = 30 WHERE id = 3")
    pipeline.execute("UPDATE t SET large = 'short' WHERE id = 4")
    pipeline.execute("UPDATE t SET v = 5 WHERE id = 5; UPDATE t SET v = 6, other = NULL WHERE id = 5; UPDATE t SET id = 50 WHERE id = 5")
    pipeline.catch_up()
    pipeline.expect_equal("t")
    # The row that holds the value is itself not committed yet.
    pipeline.execute(f"INSERT INTO t VALUES (100, 0, {LARGE.format(n=100)}, NULL); UPDATE t SET v = 1 WHERE id = 100")
    pipeline.execute("UPDATE t SET v = 2 WHERE id = 100; UPDATE t SET id = 101 WHERE id = 100; UPDATE t SET v = 3 WHERE id IN (101, 6)")
    pipeline.execute(f"DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 0, {LARGE.format(n=7000)}, NULL); UPDATE t SET v = 1 WHERE id = 7")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_large_transaction_with_aborted_parts(pipeline):
    """More than logical_decoding_work_mem: PostgreSQL streams it before it is known to commit."""
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)")
    pipeline.execute("INSERT INTO t SELECT n, 'old' FROM generate_series(1, 1000) n")
    pipeline.catch_up()
    pipeline.execute("BEGIN; INSERT INTO t SELECT n, repeat('aborted', 20) FROM generate_series(1001, 9000) n; ROLLBACK")
    with pipeline.postgres.connect(pipeline.database) as other:
        pipeline.execute(
            """
            BEGIN;
            INSERT INTO t SELECT n, repeat('first', 20) FROM generate_series(1001, 21000) n;
            SAVEPOINT a;
            DELETE FROM t; INSERT INTO u SELECT generate_series(1, 20000);
            ROLLBACK TO a;
            INSERT INTO u SELECT generate_series(1, 3000);
            SAVEPOINT b;
            UPDATE t SET v = 'second' WHERE id % 2 = 0;
            SAVEPOINT c;
            UPDATE t SET v = 'never' WHERE id % 3 = 0;
            ROLLBACK TO c;
            RELEASE b;
            """
        )
        # Another transaction, in the middle of this one, that commits before it.
        other.execute("INSERT INTO t SELECT -n, 'between' FROM generate_series(1, 5000) n")
        pipeline.execute("DELETE FROM t WHERE id % 5 = 0 AND id > 0; COMMIT")
    pipeline.catch_up()
    pipeline.expect_equal("t", "u")


def test_two_large_transactions_at_once(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    with pipeline.postgres.connect(pipeline.database) as one, pipeline.postgres.connect(pipeline.database) as two:
        one.execute("BEGIN")
        two.execute("BEGIN")
        for n in range(20):
            one.execute("INSERT INTO t SELECT n, repeat('one', 30) FROM generate_series(%s::int, %s) n", [n * 1000, n * 1000 + 999])
            two.execute("INSERT INTO t SELECT -1 - n, repeat('two', 30) FROM generate_series(%s::int, %s) n", [n * 1000, n * 1000 + 999])
        two.execute("UPDATE t SET v = 'two' WHERE id %% 3 = 0 AND id < 0", [])
        two.execute("COMMIT")
        one.execute("DELETE FROM t WHERE id < 0 AND id %% 2 = 0", [])
        one.execute("COMMIT")
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_table_made_while_firn_is_away_is_copied(pipeline):
    pipeline.execute("CREATE TABLE first (id int PRIMARY KEY); INSERT INTO first VALUES (1)")
    pipeline.catch_up()
    pipeline.execute("CREATE TABLE second (id int PRIMARY KEY, v text); INSERT INTO second VALUES (1, 'a'), (2, 'b')")
    pipeline.execute("INSERT INTO first VALUES (2)")
    pipeline.catch_up()
    pipeline.expect_equal("first", "second")
    pipeline.execute("UPDATE second SET v = 'c' WHERE id = 1; DELETE FROM first WHERE id = 1")
    pipeline.catch_up()
    pipeline.expect_equal("first", "second")


def test_a_lost_state_folder_changes_nothing(shop):
    shop.execute("UPDATE t SET name = 'before' WHERE id <= 20; DELETE FROM t WHERE id > 90")
    shop.catch_up()
    state = shop.directory / "state"
    assert state.is_dir()
    state.rename(shop.directory / "lost")
    shop.execute("UPDATE t SET name = 'after' WHERE id BETWEEN 15 AND 30; DELETE FROM t WHERE id = 40")
    shop.catch_up()
    shop.expect_equal("t")
