"""Spark as a second writer of firn's tables: it compacts them, deletes, updates and appends rows, and firn goes on.

What firn makes of others' edits is in docs/engines.md ("Other writers").
"""

import collections
import shutil
import threading

import pytest
from harness.engines import ENGINES
from harness.lake import read_with_firn
from harness.spark import quoted
from harness.waiting import wait_until
from test_delete_forms import delete_files
from test_metadata import live_entries, read_metadata

VERSIONS = {2: {"format_version": 2}, 3: {"format_version": 3}}
ROW_LINEAGE = ("_row_id", "_last_updated_sequence_number")


class Edited:
    """A pipeline, and Spark on the same tables."""

    def __init__(self, pipeline, spark, version):
        self.pipeline = pipeline
        self.version = version
        self._spark = spark

    def sql(self, statement):
        """{} in it is the table t; the rows as dicts."""
        return self.sql_of("t", statement)

    def sql_of(self, table, statement):
        session = self._spark.session(self.pipeline.lake.warehouse)
        return [row.asDict() for row in session.sql(statement.replace("{}", quoted("firn", "public", table))).collect()]

    def call(self, procedure, table, options=None, **arguments):
        """A maintenance procedure of Iceberg's; its row of results."""
        if options:
            arguments["options"] = "map(" + ", ".join(f"'{key}', '{value}'" for key, value in options.items()) + ")"
        named = "".join(f", {name} => {value}" for name, value in arguments.items())
        session = self._spark.session(self.pipeline.lake.warehouse)
        (row,) = session.sql(f"CALL firn.system.{procedure}(table => 'public.{table}'{named})").collect()
        return row.asDict()

    def compact(self, table):
        rewritten = self.call("rewrite_data_files", table, {"rewrite-all": "true"})
        assert rewritten["rewritten_data_files_count"] > 0
        if self.version == 2:  # A vector has nothing to be rewritten for.
            self.call("rewrite_position_delete_files", table, {"rewrite-all": "true"})
        self.call("rewrite_manifests", table)

    def lineage(self, table="t"):
        """Row id and sequence number of each row, by its key, as Spark reads them."""
        rows = self.sql_of(table, f"SELECT id, {', '.join(ROW_LINEAGE)} FROM {{}}")
        found = {row["id"]: tuple(row[name] for name in ROW_LINEAGE) for row in rows}
        assert len(found) == len(rows)
        return found

    def change(self, *statements):
        for statement in statements:
            self.pipeline.execute(statement)
        self.pipeline.catch_up()

    def data_files(self, table="t"):
        snapshot = read_metadata(self.pipeline.lake.table("public", table))["snapshots"][-1]
        return {e["data_file"]["file_path"] for _, e in live_entries(snapshot) if e["data_file"]["content"] == 0}

    def expect_rows(self, expected, table="t", engines=ENGINES):
        """Every engine reads `expected`, tuples (id, name, n)."""
        for engine in engines:
            rows = [(row["id"], row["name"], row["n"]) for row in self.pipeline.rows(table, engine)]
            assert collections.Counter(rows) == collections.Counter(expected), engine


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: f"v{version}")
def edited(request, make_pipeline, spark):
    pipeline = make_pipeline(f"spark_edits_v{request.param}")
    pipeline.configure(
        destination=VERSIONS[request.param],
        tables={"public.parted": {"partition_by": ["bucket(3, id)", "truncate(1, name)"]}},
    )
    yield Edited(pipeline, spark, request.param)
    pipeline.close()


@pytest.fixture
def make_table(edited):
    """Makes a table of 200 rows in several files, with deletes."""
    made = []

    def make(table, key="id int PRIMARY KEY"):
        made.append(table)
        edited.pipeline.execute(f"CREATE TABLE {table} ({key}, name text, n int)")
        if "PRIMARY" not in key:
            edited.pipeline.execute(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        edited.change(f"INSERT INTO {table} SELECT i, chr(97 + i % 3) || i, i FROM generate_series(1, 150) i")
        edited.change(f"UPDATE {table} SET n = -n WHERE id % 10 = 1; DELETE FROM {table} WHERE id % 10 = 2")
        edited.change(
            f"INSERT INTO {table} SELECT i, chr(97 + i % 3) || i, i FROM generate_series(151, 200) i;"
            f"UPDATE {table} SET name = 'moved ' || name WHERE id % 10 = 3"
        )

    yield make
    edited.pipeline.firn.kill()
    for table in made:
        edited.pipeline.execute(f"DROP TABLE {table}")


CHANGES_AFTERWARDS = (
    "UPDATE {0} SET n = 1000 + id WHERE id % 7 = 0; DELETE FROM {0} WHERE id % 7 = 1",
    "INSERT INTO {0} SELECT i, 'new', i FROM generate_series(301, 310) i; UPDATE {0} SET id = id + 1000 WHERE id % 7 = 2",
    "UPDATE {0} SET name = 'z' || name WHERE id % 7 = 3 OR id > 305; DELETE FROM {0} WHERE id = 303",
)


@pytest.mark.parametrize("table", ["t", "parted"])
def test_firn_goes_on_from_compacted_files(edited, make_table, table):
    make_table(table)
    before = edited.lineage(table) if edited.version >= 3 else {}
    written_by_firn = edited.data_files(table)
    edited.compact(table)
    compacted = edited.data_files(table)
    assert not compacted & written_by_firn
    edited.pipeline.expect_equal(table, engines=ENGINES)
    if edited.version >= 3:
        assert edited.lineage(table) == before

    edited.change(CHANGES_AFTERWARDS[0].format(table))
    edited.pipeline.expect_equal(table, engines=ENGINES)
    kinds = delete_files(edited.pipeline.lake.table("public", table))
    deletes = kinds["vector" if edited.version >= 3 else "position"]
    assert {file["referenced_data_file"] for file in deletes} <= compacted and deletes
    for statements in CHANGES_AFTERWARDS[1:]:
        edited.change(statements.format(table))
    edited.pipeline.expect_equal(table, engines=ENGINES)
    if edited.version < 3:
        return

    # Rows that were not changed keep their ids through both; an update gives a new one.
    after = edited.lineage(table)
    seen = {row_id for row_id, _ in before.values()}
    changed = {row[0] for row in edited.pipeline.execute(f"SELECT id FROM {table} WHERE n > 1000 OR name ~ '^(z|new)' OR id > 1000")}
    assert changed and len(after) > len(changed)
    for key, (row_id, sequence_number) in after.items():
        if key in changed:
            assert row_id not in seen
        else:
            assert (row_id, sequence_number) == before[key]
    assert len({row_id for row_id, _ in after.values()}) == len(after)
    location = edited.pipeline.lake.table("public", table).metadata_location
    by_firn = {row["id"]: tuple(row[name] for name in ROW_LINEAGE) for row in read_with_firn(location, row_lineage=True)}
    assert by_firn == after
    # And once more, with rows of firn's and of Spark's making in one file.
    edited.compact(table)
    edited.change(f"DELETE FROM {table} WHERE id % 11 = 5")
    edited.pipeline.expect_equal(table, engines=ENGINES)
    last = edited.lineage(table)
    assert last == {key: after[key] for key in last}


def test_firn_goes_on_from_compacted_files_without_a_key(edited, make_table):
    make_table("t", key="id int")
    edited.change("INSERT INTO t SELECT * FROM t WHERE id < 50")
    edited.compact("t")
    edited.change(
        "DELETE FROM t WHERE ctid IN (SELECT min(ctid) FROM t WHERE id < 30 GROUP BY id); UPDATE t SET n = 0 WHERE id % 5 = 0",
    )
    edited.pipeline.expect_equal("t", engines=ENGINES)


def test_compaction_while_changes_pour_in(edited, make_table):
    make_table("t")
    edited.change("INSERT INTO t SELECT i, 'busy', 0 FROM generate_series(1000, 1400) i")
    # firn commits often: Spark is to try again more than the four times that it would.
    edited.sql("ALTER TABLE {} SET TBLPROPERTIES ('commit.retry.num-retries' = '30', 'commit.retry.max-wait-ms' = '500')")
    pipeline = edited.pipeline
    done, spares_old_rows = threading.Event(), threading.Event()
    rounds = []

    def load():
        with pipeline.postgres.connect(pipeline.database) as connection:
            while not done.wait(0.02):
                n = len(rounds)
                connection.execute(f"UPDATE t SET n = n + 1 WHERE id >= 1000 AND id % 20 = {n % 20}")
                connection.execute(f"INSERT INTO t VALUES ({10_000 + n}, 'poured', {n})")
                if n % 10 == 0 and not spares_old_rows.is_set():  # These lie in files that are being rewritten.
                    connection.execute(f"UPDATE t SET n = -n WHERE id < 1000 AND id % 20 = {n // 10 % 20}")
                rounds.append(n)

    def compact():
        return edited.call("rewrite_data_files", "t", {"rewrite-all": "true"}, where="'id < 1000'")

    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_until(lambda: len(rounds) > 20, "changes pour in")
        rewritten(compact)  # Or not, where firn deletes from a file that Spark is rewriting, and Spark notices.
        spares_old_rows.set()
        wait_until(lambda: rewritten(compact), "a compaction gets in", timeout_s=120)
        # Changes of the rows that were moved, which firn's index knew elsewhere.
        spares_old_rows.clear()
        count = len(rounds)
        wait_until(lambda: len(rounds) > count + 50, "more changes pour in")
    finally:
        done.set()
        thread.join()
    wait_until(lambda: pipeline.firn.get("/healthz"), "firn answers")
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=ENGINES)


def rewritten(compact):
    try:
        return compact()["rewritten_data_files_count"] > 0
    except Exception as refused:
        assert "Cannot commit" in str(refused) or "CommitFailed" in str(refused), refused
        return False


# How Spark writes its position deletes, in format version 2.
DELETE_FORMATS = {
    "parquet": {"write.delete.format.default": "parquet"},
    "avro": {"write.delete.format.default": "avro"},
    "orc": {"write.delete.format.default": "orc"},
    "of a partition": {"write.delete.format.default": "parquet", "write.delete.granularity": "partition"},
}


# Who reads such delete files: iceberg-rust, PyIceberg and DuckDB know Parquet's, and the Java reader here has no ORC.
READERS = {"avro": ("spark", "java", "firn"), "orc": ("spark", "firn")}


@pytest.mark.parametrize("delete_format", DELETE_FORMATS)
def test_firn_goes_on_from_rows_that_spark_changed(edited, make_table, delete_format):
    if edited.version >= 3 and delete_format != "parquet":
        pytest.skip("format version 3 has vectors only")
    readers = READERS.get(delete_format, ENGINES)
    make_table("t")
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in DELETE_FORMATS[delete_format].items())
    edited.sql(f"ALTER TABLE {{}} SET TBLPROPERTIES ({properties})")
    model = dict((row[0], row) for row in edited.pipeline.execute("SELECT id, name, n FROM t"))
    edited.sql("DELETE FROM {} WHERE id % 10 = 4 OR id IN (5, 195)")
    edited.sql("UPDATE {} SET name = 'by Spark' WHERE id % 10 = 6")
    edited.sql("INSERT INTO {} VALUES (5001, 'appended', 1), (5002, 'appended', 2)")
    formats = {file["file_format"].lower() for files in delete_files(edited.pipeline.lake.table("public", "t")).values() for file in files}
    assert (delete_format if delete_format in ("avro", "orc") else "puffin" if edited.version >= 3 else "parquet") in formats
    model = {id: row for id, row in model.items() if id % 10 != 4 and id not in (5, 195)}
    model |= {id: (id, "by Spark", n) for id, _, n in model.values() if id % 10 == 6}
    model |= {5001: (5001, "appended", 1), 5002: (5002, "appended", 2)}
    edited.expect_rows(model.values(), engines=readers)

    def follow(*statements):
        """What PostgreSQL changes is as PostgreSQL has it; everything else stays as Spark left it."""
        nonlocal model
        before = {row[0]: row for row in edited.pipeline.execute("SELECT id, name, n FROM t")}
        edited.change(*statements)
        after = {row[0]: row for row in edited.pipeline.execute("SELECT id, name, n FROM t")}
        changed = {id for id in before | after if before.get(id) != after.get(id)}
        model = {id: row for id, row in model.items() if id not in changed} | {id: after[id] for id in changed & after.keys()}
        edited.expect_rows(model.values(), engines=readers)

    follow(
        "UPDATE t SET n = n + 1000 WHERE id IN (4, 14, 6, 16, 7, 17)",  # Deleted, updated and left alone by Spark.
        "DELETE FROM t WHERE id IN (24, 26, 27)",
        "UPDATE t SET id = id + 2000 WHERE id IN (34, 36, 37)",
        "INSERT INTO t VALUES (401, 'new', 1)",
    )
    shutil.rmtree(edited.pipeline.directory / "state")  # The index is built from what is in the table.
    follow("UPDATE t SET name = 'again' WHERE id % 10 IN (6, 7) AND id < 100; DELETE FROM t WHERE id BETWEEN 140 AND 150")
    # Once PostgreSQL has touched its rows, they are as it has them, however they were.
    edited.change("UPDATE t SET n = n + 1")
    rows = edited.pipeline.execute("SELECT id, name, n FROM t").fetchall()
    edited.expect_rows([*rows, model[5001], model[5002]], engines=readers)
    edited.sql("DELETE FROM {} WHERE id IN (5001, 5002)")
    edited.change("UPDATE t SET n = n + 1 WHERE id % 3 = 0")
    edited.pipeline.expect_equal("t", engines=readers)


def test_rows_that_spark_appends_can_be_taken_over(edited, make_table):
    """An UPDATE in PostgreSQL of a key that Spark appended too leaves one row of that key less."""
    make_table("t")
    edited.sql("INSERT INTO {} SELECT id + 7000, name, n FROM {}")
    assert edited.sql("SELECT count(*) AS n FROM {} WHERE id > 7000")[0]["n"] == len(edited.pipeline.execute("SELECT FROM t").fetchall())
    edited.change("UPDATE t SET n = 0 WHERE id < 20; DELETE FROM t WHERE id BETWEEN 20 AND 29; INSERT INTO t VALUES (500, 'x', 1)")
    mine = edited.sql("SELECT id, name, n FROM {} WHERE id < 7000")
    expected = edited.pipeline.execute("SELECT id, name, n FROM t").fetchall()
    assert sorted(tuple(row.values()) for row in mine) == sorted(expected)
    edited.sql("DELETE FROM {} WHERE id > 7000")
    edited.change("UPDATE t SET n = 2 WHERE id > 100")
    edited.pipeline.expect_equal("t", engines=ENGINES)


def test_rows_of_an_upgraded_table_get_ids_that_stay(make_pipeline, spark):
    pipeline = make_pipeline("spark_upgrade")
    pipeline.configure(destination=VERSIONS[2])
    edited = Edited(pipeline, spark, 3)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, n int)")
    edited.change("INSERT INTO t SELECT i, 'v2', i FROM generate_series(1, 100) i")
    edited.change("DELETE FROM t WHERE id <= 10; UPDATE t SET n = -n WHERE id % 10 = 5")
    pipeline.configure(destination=VERSIONS[3])
    pipeline.catch_up()
    # Position delete files stay; rows get their ids by the first commit.
    pipeline.expect_equal("t", engines=ENGINES)
    assert {row_id for row_id, _ in edited.lineage().values()} == {None}
    edited.change("UPDATE t SET n = 0 WHERE id = 20; INSERT INTO t VALUES (200, 'v3', 1); DELETE FROM t WHERE id = 21")
    first = edited.lineage()
    assert len({row_id for row_id, _ in first.values()}) == len(first) and None not in {row_id for row_id, _ in first.values()}
    edited.compact("t")
    assert edited.lineage() == first
    edited.change("UPDATE t SET n = 1 WHERE id BETWEEN 30 AND 34; DELETE FROM t WHERE id > 90")
    last = edited.lineage()
    for key, ids in last.items():
        assert ids == first[key] if not 30 <= key <= 34 else ids[0] > max(row_id for row_id, _ in first.values())
    pipeline.expect_equal("t", engines=ENGINES)
    pipeline.close()
