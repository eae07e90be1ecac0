"""DDL of the source: the Iceberg table follows, while firn runs and while it is down, with rows around the change."""

import threading
import time

import pytest
from harness.lake import read_with_pyiceberg
from harness.waiting import wait_until
from pyiceberg.exceptions import NoSuchTableError


@pytest.fixture
def shop(pipeline):
    """A copied table `t` of 100 rows, keyed by id."""
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2), old int);
        INSERT INTO t SELECT n, 'name ' || n, n * 1.5, n FROM generate_series(1, 100) n;
        """
    )
    pipeline.catch_up()
    return pipeline


ROWS_BEFORE = (
    "INSERT INTO t (id, name) SELECT n, 'before' FROM generate_series(101, 110) n; UPDATE t SET name = 'b' WHERE id < 6;"
    "DELETE FROM t WHERE id = 6; UPDATE t SET id = 1007 WHERE id = 7"
)
ROWS_AFTER = (
    "INSERT INTO t (id) SELECT n FROM generate_series(111, 120) n; UPDATE t SET id = id + 2000 WHERE id BETWEEN 10 AND 15;"
    "DELETE FROM t WHERE id IN (1, 101)"
)

# Each is one transaction, or several that are parted by "---".
CHANGES = {
    "add a column": "ALTER TABLE t ADD note text",
    "add a column and fill it": "ALTER TABLE t ADD note text; UPDATE t SET note = 'n' || id WHERE id % 2 = 0",
    "add columns one by one": "ALTER TABLE t ADD a int; INSERT INTO t (id, a) VALUES (500, 1); ALTER TABLE t ADD b int; "
    "INSERT INTO t (id, a, b) VALUES (501, 2, 3)",
    "add a column with a default": "ALTER TABLE t ADD state text DEFAULT 'it''s \"new\", {yes}'",
    "add a column with a default, rows after it": "ALTER TABLE t ADD n int NOT NULL DEFAULT 7; INSERT INTO t (id) VALUES "
    "(500); UPDATE t SET n = 8 WHERE id = 2",
    "add a column with a volatile default": "ALTER TABLE t ADD r double precision DEFAULT random()",
    "add a serial column": "ALTER TABLE t ADD s serial",
    "add a generated column": "ALTER TABLE t ADD twice int GENERATED ALWAYS AS (id * 2) STORED",
    "keep a generated column's values": "ALTER TABLE t ADD twice int GENERATED ALWAYS AS (id * 2) STORED --- "
    "ALTER TABLE t ALTER twice DROP EXPRESSION",
    "drop a column": "ALTER TABLE t DROP old",
    "drop a column between changes": "UPDATE t SET old = 5 WHERE id = 3; ALTER TABLE t DROP old; UPDATE t SET name = 'x' WHERE "
    "id = 4",
    "rename a column": "ALTER TABLE t RENAME name TO title; ALTER TABLE t RENAME title TO name --- ALTER TABLE t RENAME old "
    "TO \"Older, \"\"quoted\"\" näme\"",
    "swap two names": "ALTER TABLE t RENAME amount TO tmp; ALTER TABLE t ALTER old TYPE numeric(10, 2); ALTER TABLE t RENAME "
    "old TO amount; ALTER TABLE t RENAME tmp TO old",
    "swap two names of one type": "ALTER TABLE t ADD other text --- UPDATE t SET other = 'o' || id --- ALTER TABLE t RENAME "
    "name TO tmp; ALTER TABLE t RENAME other TO name; ALTER TABLE t RENAME tmp TO other",
    "drop and add under one name": "ALTER TABLE t DROP old; ALTER TABLE t ADD old int --- INSERT INTO t (id, old) VALUES (500, 5)",
    "drop and add, and rows in the transaction": "INSERT INTO t (id, old) VALUES (500, 1); ALTER TABLE t DROP old; ALTER TABLE t "
    "ADD old int; INSERT INTO t (id, old) VALUES (501, 2); UPDATE t SET old = 9 WHERE id = 500",
    "drop one and add another": "ALTER TABLE t DROP old; ALTER TABLE t ADD new int; INSERT INTO t (id, new) VALUES (500, 1)",
    "replace a column by a renamed one": "ALTER TABLE t ADD old2 int; UPDATE t SET old2 = old * 2; ALTER TABLE t DROP old; "
    "ALTER TABLE t RENAME old2 TO old",
    "int to bigint": "ALTER TABLE t ALTER old TYPE bigint; UPDATE t SET old = 5000000000 WHERE id = 5",
    "the key to bigint": "ALTER TABLE t ALTER id TYPE bigint; INSERT INTO t (id) VALUES (5000000000)",
    "a wider numeric": "ALTER TABLE t ALTER amount TYPE numeric(14, 2); UPDATE t SET amount = 123456789012.34 WHERE id = 5",
    "another scale": "ALTER TABLE t ALTER amount TYPE numeric(14, 4)",
    "varchar to text": "ALTER TABLE t ADD v varchar(3); UPDATE t SET v = 'abc' --- ALTER TABLE t ALTER v TYPE varchar(9); UPDATE "
    "t SET v = 'abcdefghi' WHERE id = 8 --- ALTER TABLE t ALTER v TYPE text; UPDATE t SET v = repeat(v, 3) WHERE id = 9",
    "real to double precision": "ALTER TABLE t ADD f real; UPDATE t SET f = id / 3.0 --- ALTER TABLE t ALTER f TYPE double precision",
    "int to text": "ALTER TABLE t ALTER old TYPE text USING 'v' || old; UPDATE t SET old = 'w' WHERE id = 5",
    "text to int": "UPDATE t SET name = id --- ALTER TABLE t ALTER name TYPE int USING length(name)",
    "the same type by an expression": "ALTER TABLE t ALTER old TYPE int USING old * 2",
    "timestamp to timestamptz": "ALTER TABLE t ADD at timestamp; UPDATE t SET at = '2024-02-29 12:34:56.789' --- "
    "ALTER TABLE t ALTER at TYPE timestamptz",
    "NOT NULL and back": "ALTER TABLE t ALTER name SET NOT NULL --- ALTER TABLE t ALTER name DROP NOT NULL; UPDATE t SET name = "
    "NULL WHERE id = 9",
    "another key": "ALTER TABLE t ADD code int; UPDATE t SET code = -id --- ALTER TABLE t DROP CONSTRAINT t_pkey; "
    "ALTER TABLE t ADD PRIMARY KEY (code); CREATE SEQUENCE codes; ALTER TABLE t ALTER code SET DEFAULT nextval('codes') --- "
    "UPDATE t SET name = 'by code' WHERE code = -20; DELETE FROM t WHERE code = -21; UPDATE t SET code = 77 WHERE code = -22",
    "a key of two columns": "UPDATE t SET old = 0 WHERE old IS NULL; ALTER TABLE t DROP CONSTRAINT t_pkey; "
    "ALTER TABLE t ALTER old SET DEFAULT 1; ALTER TABLE t ADD PRIMARY KEY (old, id); UPDATE t SET name = 'c' WHERE id = 20",
    "no key, but the full row": "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL; "
    "UPDATE t SET name = 'full' WHERE id = 30; DELETE FROM t WHERE id = 31",
    "a full replica identity beside the key": "ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET id = 3000 WHERE id = 30; "
    "DELETE FROM t WHERE id = 31",
    "a truncate and a new column": "TRUNCATE t; ALTER TABLE t ADD n int; INSERT INTO t (id, n) VALUES (101, 1), (1, 2)",
    "VACUUM FULL and a new column": "ALTER TABLE t ADD n int DEFAULT 3",
}


def run_changes(pipeline, text):
    for transaction in text.split("---"):
        pipeline.execute("BEGIN; " + transaction + "; COMMIT")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_while_firn_is_down(shop, change):
    shop.execute(ROWS_BEFORE)
    run_changes(shop, change)
    shop.execute(ROWS_AFTER)
    shop.catch_up()
    shop.expect_equal("t")
    shop.execute("INSERT INTO t (id) VALUES (900); DELETE FROM t WHERE id = 50; UPDATE t SET id = 2051 WHERE id = 51")
    shop.catch_up()
    shop.expect_equal("t")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_while_firn_runs(shop, change):
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute(ROWS_BEFORE)
    run_changes(shop, change)
    shop.execute(ROWS_AFTER)
    wait_equal(shop, "t")
    shop.execute("INSERT INTO t (id) VALUES (900); DELETE FROM t WHERE id = 50; UPDATE t SET id = 2051 WHERE id = 51")
    wait_equal(shop, "t")
    shop.firn.stop()
    shop.expect_equal("t")


def wait_equal(pipeline, *tables, timeout_s=60, extra_columns=()):
    """Until PyIceberg reads what PostgreSQL has, without firn being asked to catch up."""

    def is_equal():
        pipeline.firn.expect_running()
        try:
            pipeline.expect_equal(*tables, engines=("pyiceberg",), extra_columns=extra_columns)
            return True
        except (AssertionError, KeyError, FileNotFoundError, NoSuchTableError):
            return False

    try:
        wait_until(is_equal, "both sides are equal", timeout_s)
    except BaseException:
        print(pipeline.firn.log_text()[-8000:])
        pipeline.expect_equal(*tables, engines=("pyiceberg",))
        raise


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_new_field_keeps_the_old_one(pipeline, running):
    pipeline.configure(destination={"type_changes": "new_field"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n text, s text); INSERT INTO t VALUES (1, '11', 'a'), (2, '22', 'b')")
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute("ALTER TABLE t ALTER n TYPE int USING n::int")
    pipeline.execute("UPDATE t SET s = 'c' WHERE id = 2; INSERT INTO t VALUES (3, 33, 'd')")
    if running:
        wait_until(lambda: "n_old1" in pipeline.lake.table("public", "t").schema().column_names, "the field is there")
        pipeline.firn.stop()
    pipeline.catch_up()
    rows = {row["id"]: (row["n"], row["n_old1"]) for row in pipeline.rows("t")}
    assert rows == {1: (None, "11"), 2: (22, None), 3: (33, None)}
    # A type of any size needs the copy.
    pipeline.execute("ALTER TABLE t ALTER n TYPE text USING 'x' || n")
    pipeline.catch_up()
    pipeline.expect_equal("t", extra_columns=("n_old1", "n_old2"))


@pytest.mark.parametrize(
    "change", ["ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "ALTER TYPE pair ADD ATTRIBUTE c int"], ids=["enum", "composite"]
)
def test_altered_types(pipeline, change):
    pipeline.execute(
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], p pair);
        INSERT INTO t VALUES (1, 'ok', '{sad,ok}', (1, 'x')), (2, 'sad', NULL, NULL);
        """
    )
    pipeline.catch_up()
    pipeline.execute("ALTER TYPE mood ADD VALUE 'glad'")
    pipeline.execute("UPDATE t SET m = 'glad' WHERE id = 2")
    pipeline.execute(change)
    pipeline.catch_up()
    pipeline.expect_equal("t")


@pytest.mark.parametrize("column", ["span", "span[]", "spans"], ids=["range", "array", "multirange"])
def test_a_label_that_ranges_are_of(pipeline, column):
    pipeline.execute(
        f"""
        CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE span AS RANGE (subtype = mood, multirange_type_name = spans);
        CREATE TABLE t (id int PRIMARY KEY, r {column}); INSERT INTO t VALUES (2, NULL);
        """
    )
    value = {"span": "'[sad,ok]'", "span[]": "ARRAY['[sad,ok]'::span]", "spans": "'{[sad,ok]}'"}[column]
    pipeline.execute(f"INSERT INTO t VALUES (1, {value})")
    pipeline.catch_up()
    pipeline.execute("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_change_without_rows_arrives_by_itself(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute("ALTER TABLE t ADD note text, DROP old; ALTER TABLE t RENAME amount TO total")
    wait_equal(shop, "t")
    assert shop.lake.table("public", "t").schema().column_names == ["id", "name", "total", "note"]


def test_a_transaction_that_is_sent_before_its_change_is_visible(shop, admin):
    """PostgreSQL sends a transaction once it is on its disk, and shows it when the synchronous standby has it as well."""
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute("UPDATE t SET name = 'first' WHERE id = 1")
    wait_equal(shop, "t")

    def set_standby(name):
        admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        admin.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: admin.execute("SHOW synchronous_standby_names").fetchone()[0] == name, "the server has its settings"
        )

    before = shop.lake.table("public", "t").metadata.current_snapshot_id
    change = (
        "SET synchronous_commit = on; BEGIN; ALTER TABLE t DROP old; ALTER TABLE t ADD old int;"
        "INSERT INTO t (id, old) VALUES (501, 2); COMMIT"
    )
    is_waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s"
    with shop.postgres.connect(shop.database) as other:
        waiting = threading.Thread(target=other.execute, args=(change,))
        try:
            set_standby("nobody")
            waiting.start()
            wait_until(lambda: admin.execute(is_waiting, (shop.database,)).fetchone()[0] == 1, "the transaction waits")
            time.sleep(3)  # Some commit intervals: firn has the row, and can't know what it means.
            shop.firn.expect_running()
            assert shop.lake.table("public", "t").metadata.current_snapshot_id == before
        finally:
            set_standby("")
            waiting.join()
    wait_equal(shop, "t")
    shop.firn.stop()


def test_many_changes_while_rows_pour_in(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    for step in range(12):
        shop.execute(f"INSERT INTO t (id, name) SELECT n, 'r{step}' FROM generate_series({1000 + step * 10}, {1009 + step * 10}) n")
        shop.execute(f"BEGIN; UPDATE t SET name = 'u{step}' WHERE id < 50; ALTER TABLE t ADD c{step} int; UPDATE t SET c{step} = id "
                     f"WHERE id % 7 = {step % 7}; COMMIT")
        if step % 3 == 2:
            shop.execute(f"ALTER TABLE t DROP c{step - 1}; ALTER TABLE t RENAME c{step} TO d{step}")
    wait_equal(shop, "t")
    shop.firn.stop()
    shop.expect_equal("t")


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_inside_a_large_transaction(shop, running):
    """The server streams it before its commit (logical_decoding_work_mem is 64 kB)."""
    if running:
        shop.firn.start()
        shop.firn.wait_streaming()
    shop.execute(
        """
        BEGIN;
        INSERT INTO t SELECT n, repeat('x', 100), 1, 1 FROM generate_series(1000, 3000) n;
        SAVEPOINT s; ALTER TABLE t ADD lost int; INSERT INTO t (id, lost) SELECT n, 1 FROM generate_series(9000, 9500) n;
        ROLLBACK TO s;
        ALTER TABLE t ADD note text;
        UPDATE t SET note = 'n' || id WHERE id % 2 = 0;
        ALTER TABLE t DROP old;
        INSERT INTO t (id, note) SELECT n, 'late' FROM generate_series(4000, 6000) n;
        ALTER TABLE t RENAME note TO remark;
        DELETE FROM t WHERE id % 5 = 0;
        COMMIT
        """
    )
    if running:
        wait_equal(shop, "t")
        shop.firn.stop()
    shop.catch_up()
    shop.expect_equal("t")


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_large_values_that_are_not_sent_again(pipeline, running):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, big text, n int);
        ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        INSERT INTO t SELECT i, repeat(i::text, 5000), i FROM generate_series(1, 20) i
        """
    )
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute("UPDATE t SET n = -n WHERE id < 5")
    pipeline.execute("ALTER TABLE t ADD more text; ALTER TABLE t ALTER more SET STORAGE EXTERNAL")
    pipeline.execute("UPDATE t SET n = n + 1; UPDATE t SET more = repeat('m', 9000) WHERE id % 2 = 0")
    pipeline.execute("ALTER TABLE t RENAME big TO large")
    pipeline.execute("UPDATE t SET n = n + 1 WHERE id < 10")
    if running:
        wait_equal(pipeline, "t")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_renamed_tables(pipeline, running):
    pipeline.execute(
        """
        CREATE SCHEMA archive;
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'a');
        CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'b'), (2, 'b');
        CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c VALUES (3, 'c');
        """
    )
    pipeline.catch_up()
    uuids = {name: pipeline.lake.table("public", name).metadata.table_uuid for name in "abc"}
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute(
        """
        INSERT INTO a VALUES (10, 'before'); INSERT INTO c VALUES (10, 'before');
        BEGIN; ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b; COMMIT;
        ALTER TABLE c SET SCHEMA archive; ALTER TABLE archive.c RENAME TO "C, old";
        INSERT INTO a VALUES (11, 'after'); UPDATE b SET v = 'after'; INSERT INTO archive."C, old" VALUES (11, 'after');
        CREATE TABLE c (id int PRIMARY KEY, v text);
        """
    )
    if running:
        wait_equal(pipeline, "a", "b", "archive.C, old")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("a", "b", "archive.C, old", "c")
    assert pipeline.lake.table("public", "a").metadata.table_uuid == uuids["b"]
    assert pipeline.lake.table("public", "b").metadata.table_uuid == uuids["a"]
    assert pipeline.lake.table("archive", "C, old").metadata.table_uuid == uuids["c"]
    assert pipeline.lake.table("public", "c").metadata.table_uuid not in uuids.values()
    assert pipeline.lake.table("public", "c").metadata.location != pipeline.lake.table("archive", "C, old").metadata.location


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_a_table_that_gets_its_name_back(pipeline, running):
    """Its columns do not tell that it had another one for some time."""
    pipeline.execute("CREATE SCHEMA aside; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'a')")
    pipeline.catch_up()
    uuid = pipeline.lake.table("public", "a").metadata.table_uuid
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute(
        """
        INSERT INTO a VALUES (2, 'before');
        ALTER TABLE a RENAME TO x;
        INSERT INTO x VALUES (3, 'between');
        ALTER TABLE x SET SCHEMA aside;
        UPDATE aside.x SET v = 'between, too' WHERE id = 1;
        ALTER TABLE aside.x SET SCHEMA public; ALTER TABLE x RENAME TO a;
        INSERT INTO a VALUES (4, 'after');
        """
    )
    if running:
        wait_equal(pipeline, "a")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("a")
    assert pipeline.lake.table("public", "a").metadata.table_uuid == uuid


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_dropped_and_made_again(shop, running):
    shop.execute("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
    shop.catch_up()
    uuid, before = shop.lake.table("public", "t").metadata.table_uuid, shop.rows("t")
    if running:
        shop.firn.start()
        shop.firn.wait_streaming()
    shop.execute(
        """
        INSERT INTO t (id) VALUES (777);
        BEGIN; DROP TABLE t; CREATE TABLE t (name int, id int PRIMARY KEY, fresh text); INSERT INTO t VALUES (1, 2, 'x'); COMMIT;
        INSERT INTO t VALUES (3, 4, 'y'); INSERT INTO other VALUES (2)
        """
    )
    if running:
        wait_equal(shop, "t", "other")
        shop.firn.stop()
    shop.catch_up()
    shop.expect_equal("t", "other")
    table = shop.lake.table("public", "t")
    assert table.metadata.table_uuid == uuid
    first = read_with_pyiceberg(table.metadata_location, table.metadata.snapshots[0].snapshot_id)
    assert len(first) == len(before)


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_a_dropped_table_stays_and_the_others_go_on(shop, running):
    shop.execute("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
    shop.catch_up()
    before = shop.rows("t")
    if running:
        shop.firn.start()
        shop.firn.wait_streaming()
    shop.execute("DROP TABLE t; INSERT INTO other VALUES (2)")
    if running:
        wait_equal(shop, "other")
        shop.execute("INSERT INTO other VALUES (3)")
        wait_equal(shop, "other")
        shop.firn.stop()
    shop.catch_up()
    shop.expect_equal("other")
    assert len(shop.rows("t")) == len(before)


def test_every_table_may_be_dropped_while_firn_runs(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute("DROP TABLE t")
    wait_until(lambda: "looking at the source again" in shop.firn.log_text(), "firn sees it")
    time.sleep(1)
    # Made again in another transaction, long after.
    shop.execute("CREATE TABLE t (id int PRIMARY KEY, fresh text); INSERT INTO t VALUES (1, 'x')")
    wait_equal(shop, "t")
    shop.execute("INSERT INTO t VALUES (2, 'y'); UPDATE t SET fresh = 'z' WHERE id = 1")
    wait_equal(shop, "t")
    shop.firn.stop()


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_columns_that_the_configuration_names(pipeline, running):
    pipeline.configure(
        tables={
            "public.t": {
                "partition_by": ["region", "month(born)", "initial"],
                "computed": {"initial": "substr(code, 1, 1)"},
                "columns": {"n": "decimal(38,9)"},
                "unrepresentable_columns": {"n": "clamp", "born": "clamp"},
            }
        }
    )
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, region text, code text, born date, n numeric);
        INSERT INTO t SELECT n, 'r' || n % 3, 'code ' || n, '2024-01-01', n / 4 FROM generate_series(1, 100) n;
        CREATE TABLE other (id int PRIMARY KEY)
        """
    )
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()

    def follow(sql, extra_columns):
        pipeline.execute(sql)
        if running:
            wait_equal(pipeline, "other")
            wait_equal(pipeline, "t", extra_columns=extra_columns)
        else:
            pipeline.catch_up()
        pipeline.expect_equal("t", "other", extra_columns=extra_columns)

    follow(
        "ALTER TABLE t RENAME region TO area; ALTER TABLE t RENAME code TO word; ALTER TABLE t RENAME n TO ratio;"
        "INSERT INTO t VALUES (200, 'r9', 'Word', '2024-02-01', 1.5); INSERT INTO other VALUES (1)",
        ("initial",),
    )
    # Fields that a partition spec names stay when their column is dropped.
    kept = ("initial", "area", "born")
    follow(
        "ALTER TABLE t DROP area; ALTER TABLE t DROP born; INSERT INTO t (id, word) VALUES (201, 'x'); INSERT INTO other VALUES (2)",
        kept,
    )
    fields = pipeline.lake.table("public", "t").spec().fields
    assert [field.name for field in fields if str(field.transform) != "void"] == ["initial"]
    follow("ALTER TABLE t DROP word; INSERT INTO t (id) VALUES (202); INSERT INTO other VALUES (3)", kept)
    if running:
        assert 'which is "area" now' in pipeline.firn.log_text()
        pipeline.firn.stop()
        pipeline.catch_up()
    rows = {row["id"]: row for row in pipeline.rows("t")}
    assert (rows[200]["area"], rows[201]["initial"], rows[202]["initial"]) == ("r9", "x", None)


PARTITIONED = """
    CREATE TABLE p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (100);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (100) TO (200);
    INSERT INTO p SELECT n, 'v' || n FROM generate_series(0, 199) n;
"""
PARTITION_CHANGES = {
    "made": ("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES (250, 'new')", False),
    "attached": (
        "BEGIN; CREATE TABLE p2 (LIKE p INCLUDING ALL); INSERT INTO p2 VALUES (250, 'there'); ALTER TABLE p ATTACH PARTITION p2 FOR "
        "VALUES FROM (200) TO (300); COMMIT; UPDATE p SET v = 'x' WHERE id = 250",
        True,
    ),
    "detached": ("ALTER TABLE p DETACH PARTITION p1; UPDATE p SET v = 'x' WHERE id < 10", True),
    "dropped": ("DROP TABLE p1", True),
    "truncated": ("TRUNCATE p1; INSERT INTO p VALUES (150, 'new')", True),
    "altered": ("ALTER TABLE p ADD n int; UPDATE p SET n = id WHERE id < 10", False),
    "rewritten": ("ALTER TABLE p ALTER v TYPE text USING v || '!'; UPDATE p SET v = 'x' WHERE id < 10", True),
}


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
@pytest.mark.parametrize("change, copies", PARTITION_CHANGES.values(), ids=PARTITION_CHANGES.keys())
def test_partitions(pipeline, change, copies, running):
    pipeline.execute(PARTITIONED)
    pipeline.catch_up()
    snapshots = [s.snapshot_id for s in pipeline.lake.table("public", "p").metadata.snapshots]
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute("UPDATE p SET v = 'before' WHERE id % 10 = 1")
    pipeline.execute(change)
    if running:
        wait_equal(pipeline, "p")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("p")
    later = pipeline.lake.table("public", "p").metadata.snapshots[len(snapshots):]
    assert copies == any(int(s.summary["deleted-data-files"] or 0) > 0 for s in later)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ADD n int DEFAULT 3; UPDATE t SET n = 4 WHERE id = 1",
        "ALTER TABLE t RENAME name TO title",
        "TRUNCATE t; INSERT INTO t (id) VALUES (1)",
        "ALTER TABLE t ALTER name TYPE text USING name || '!'",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, other text); INSERT INTO t VALUES (1, 'x')",
        "ALTER TABLE t RENAME TO moved",
    ],
)
def test_during_the_initial_copy(pipeline, change):
    """The snapshot is taken, but the table's COPY has not come to it: that of another table waits for a lock."""
    pipeline.configure(source={"copy_workers": 1})
    pipeline.execute(
        """
        CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1);
        CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT n, 'n' || n FROM generate_series(1, 100) n;
        """
    )
    with pipeline.postgres.connect(pipeline.database) as lock:
        lock.autocommit = False
        pipeline.firn.start()
        wait_until(lambda: "public" in {n for n, _ in pipeline.lake.tables()} if (pipeline.lake.warehouse / "catalog.db").exists()
                   else False, "the tables are made")
        # Whoever is first: either COPY of `a` waits for this lock, or it is over and t's is under way.
        lock.execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        pipeline.execute(change)
        lock.rollback()
    table = "moved" if "moved" in change else "t"
    wait_equal(pipeline, table, "a")
    pipeline.execute(f"DELETE FROM {table} WHERE id < 3; INSERT INTO {table} (id) VALUES (1)")
    wait_equal(pipeline, table, "a")
    pipeline.firn.stop()
    pipeline.expect_equal(table, "a")


@pytest.mark.parametrize("delay_s", [0.05, 0.15, 0.3, 0.5, 0.8])
def test_killed_around_a_change(shop, delay_s):
    shop.firn.start()
    shop.firn.wait_streaming()
    shop.execute(ROWS_BEFORE)
    shop.execute("ALTER TABLE t ADD note text; ALTER TABLE t DROP old; UPDATE t SET note = 'n' WHERE id < 20")
    shop.execute("ALTER TABLE t ADD state text DEFAULT 'new', ALTER amount TYPE text")
    shop.execute(ROWS_AFTER)
    time.sleep(delay_s)
    shop.firn.kill()
    shop.execute("UPDATE t SET state = 'old' WHERE id < 30; ALTER TABLE t RENAME state TO status")
    shop.catch_up()
    shop.expect_equal("t")


def test_quoted_names(pipeline):
    pipeline.execute('CREATE TABLE "Odd ""Tab"" le" ("Id" int PRIMARY KEY, "a, b:c" text); INSERT INTO "Odd ""Tab"" le" VALUES (1, \'x\')')
    pipeline.catch_up()
    pipeline.execute('ALTER TABLE "Odd ""Tab"" le" ADD "naïve ""col""" text; ALTER TABLE "Odd ""Tab"" le" RENAME "a, b:c" TO "select"')
    pipeline.execute('INSERT INTO "Odd ""Tab"" le" VALUES (2, \'y\', \'z\')')
    pipeline.catch_up()
    pipeline.expect_equal('public.Odd "Tab" le')
