"""What each change mode makes of the same changes.

A trigger in PostgreSQL logs every change with its transaction; from that log and the commit times that PostgreSQL keeps,
a model in Python says which rows the Iceberg table must have, and every engine must read just those.
"""

import collections
import dataclasses
import datetime
import random

import pytest
from harness import compare
from harness.lake import ENGINES
from harness.postgres_server import PostgresServer

AUDIT = """
CREATE SCHEMA audit;
CREATE TABLE audit.log (seq bigserial PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id(), source text, op text, old jsonb, new jsonb);
CREATE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO audit.log (source, op) VALUES (TG_TABLE_NAME, 'truncate');
    ELSE
        INSERT INTO audit.log (source, op, old, new) VALUES (TG_TABLE_NAME, lower(TG_OP), to_jsonb(OLD), to_jsonb(NEW));
    END IF;
    RETURN NULL;
END $$;
CREATE PROCEDURE audit.watch(source regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.record()', source);
    EXECUTE format('CREATE TRIGGER truncated AFTER TRUNCATE ON %s EXECUTE FUNCTION audit.record()', source);
END $$;
"""
KEY = "id"


@pytest.fixture(scope="module")
def postgres(postgres_directory):
    server = PostgresServer(
        postgres_directory / "postgres-cdc",
        # Commit times for the model; a small memory, so that transactions of a few hundred rows are streamed.
        settings={"logical_decoding_work_mem": "64kB", "track_commit_timestamp": "on"},
    ).start()
    yield server
    server.stop()


@dataclasses.dataclass(frozen=True)
class LoggedChange:
    """A committed change, as the trigger saw it."""

    operation: str
    old: dict | None
    new: dict | None
    xid: int
    committed_at: datetime.datetime


class Watched:
    """A pipeline in one change mode, with the model of what its tables must hold."""

    def __init__(self, pipeline, **cdc):
        self.pipeline = pipeline
        self.settings = {"source": {"tables": ["public.*"]}, "cdc": cdc}
        self.configure()
        pipeline.execute(AUDIT)

    def configure(self, **sections):
        self.pipeline.configure(**(self.settings | sections))

    def execute(self, statements, parameters=None):
        return self.pipeline.execute(statements, parameters)

    def create(self, definition, rows=""):
        """Table t, copied with its first rows, and every change from then on logged."""
        self.before_copy = self.execute("SELECT clock_timestamp()").fetchone()[0]
        self.execute(f"CREATE TABLE t ({definition})")
        if rows:
            self.execute(f"INSERT INTO t {rows}")
        self.copied = [row[0] for row in self.execute("SELECT to_jsonb(t) FROM t").fetchall()]
        self.catch_up()
        self.execute("CALL audit.watch('t')")

    def catch_up(self):
        self.pipeline.catch_up(timeout_s=240)

    def log(self, source="t"):
        """In commit order."""
        rows = self.execute(
            """
            SELECT op, old, new, xid::text::bigint, pg_xact_commit_timestamp(xid::xid) FROM audit.log WHERE source = %s
            ORDER BY 5, xid, seq
            """,
            [source],
        )
        return [LoggedChange(*row) for row in rows.fetchall()]

    def copied_at(self, source="t"):
        """When the copy's snapshot was taken, as the rows tell; the model has no other way to know."""
        log = self.log(source)
        times = {
            row["_firn_valid_from"] if "_firn_valid_from" in row else row["_firn_committed_at"]
            for row in self.pipeline.rows(source)
        } - {change.committed_at for change in log}
        if not times:
            return self.before_copy
        assert len(times) == 1, f"more times than commits: {times}"
        (time,) = times
        assert self.before_copy <= time <= min((change.committed_at for change in log), default=time)
        return time

    def expect(self, expected, source="t", engines=ENGINES):
        """`expected`: dicts of columns, those that the table has beside them left out."""
        table = self.pipeline.lake.table("public", source)
        kinds = {field.name: field.field_type for field in table.schema().fields}
        columns = [name for name in kinds if not expected or name in expected[0]]

        def value(row, name):
            if isinstance(row[name], dict):
                return tuple(sorted(row[name].items()))
            return compare.normalise(row[name], kinds[name])

        def countable(rows):
            return collections.Counter(tuple(value(row, name) for name in columns) for row in rows)

        wanted = countable(expected)
        for engine in engines:
            found = countable(self.pipeline.lake.rows(table, engine))
            missing, unexpected = wanted - found, found - wanted
            assert wanted == found, (
                f"{source} by {engine}, columns {columns}: missing {list(missing)[:5]} of {missing.total()},"
                f" unexpected {list(unexpected)[:5]} of {unexpected.total()}"
            )

    def expect_lsns(self, source="t"):
        """One LSN a transaction, ascending in commit order."""
        lsn_of = collections.defaultdict(set)
        for row in self.pipeline.rows(source):
            lsn_of[row["_firn_committed_at"]].add(row["_firn_lsn"])
        assert all(len(lsns) == 1 for lsns in lsn_of.values()), lsn_of
        lsns = [lsn for _, (lsn,) in sorted(lsn_of.items())]
        assert lsns == sorted(set(lsns))


def tracked(operation, committed_at):
    return {"_firn_op": operation, "_firn_committed_at": committed_at}


# --- track_changes ---


def mirror_with_facts(copied, copied_at, log):
    rows = {row[KEY]: row | tracked("copy", copied_at) for row in copied}
    for change in log:
        if change.operation == "truncate":
            rows = {}
            continue
        if change.old:
            del rows[change.old[KEY]]
        if change.new:
            rows[change.new[KEY]] = change.new | tracked(change.operation, change.committed_at)
    return list(rows.values())


STATEMENTS = (
    "INSERT INTO t SELECT n, 'new', n FROM generate_series(101, 130) n",
    "UPDATE t SET v = 'changed' WHERE id <= 20",
    "UPDATE t SET v = v WHERE id <= 5",
    "UPDATE t SET n = n + 1 WHERE id = 3; UPDATE t SET n = n + 1 WHERE id = 3; UPDATE t SET n = NULL WHERE id = 4",
    "DELETE FROM t WHERE id BETWEEN 10 AND 30",
    "INSERT INTO t VALUES (500, 'short', 1); DELETE FROM t WHERE id = 500",
    "INSERT INTO t VALUES (12, 'again', 1), (13, 'again', 2)",
    "DELETE FROM t WHERE id = 12; INSERT INTO t VALUES (12, 'at once', 3); UPDATE t SET n = 4 WHERE id = 12",
    "UPDATE t SET id = id + 1000 WHERE id BETWEEN 40 AND 45",
    "UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = -1",
    "DELETE FROM t WHERE id = 50; UPDATE t SET id = 50 WHERE id = 51",
    "BEGIN; UPDATE t SET v = 'kept' WHERE id = 60; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; DELETE FROM t WHERE id = 61; COMMIT",
    "INSERT INTO t SELECT n, repeat('streamed', 20), n FROM generate_series(2000, 5000) n; UPDATE t SET n = 0 WHERE id >= 4000",
    "DELETE FROM t WHERE id > 2500",
)
AROUND_A_TRUNCATE = (
    "UPDATE t SET v = 'before' WHERE id % 2 = 0; INSERT INTO t VALUES (900, 'before', 0); TRUNCATE t; INSERT INTO t VALUES (900, 'after', 1), (1, 'after', 2)",
    "INSERT INTO t VALUES (5, 'five', 5); DELETE FROM t WHERE id = 1",
    "TRUNCATE t; INSERT INTO t VALUES (5, 'kept', 5); TRUNCATE t; INSERT INTO t VALUES (7, 'last', 7)",
)
FIRST_ROWS = "SELECT n, 'copied ' || n, n FROM generate_series(1, 100) n"


def run_statements(watched, statements, seed):
    """One after the other, caught up now and then; firn is started anew each time."""
    choice = random.Random(seed)
    for statement in statements:
        watched.execute(statement)
        if choice.random() < 0.5:
            watched.catch_up()
    watched.catch_up()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mirror_can_tell_what_changed_each_row(pipeline, seed):
    watched = Watched(pipeline, track_changes=True)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    watched.expect([row | tracked("copy", watched.copied_at()) for row in watched.copied])
    run_statements(watched, STATEMENTS, seed)
    watched.expect(mirror_with_facts(watched.copied, watched.copied_at(), watched.log()))
    watched.expect_lsns()
    run_statements(watched, AROUND_A_TRUNCATE, seed)
    watched.expect(mirror_with_facts(watched.copied, watched.copied_at(), watched.log()))
    watched.expect_lsns()


def test_changes_can_be_tracked_from_now_on_and_no_more(pipeline):
    watched = Watched(pipeline)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    assert "_firn_op" not in watched.pipeline.lake.table("public", "t").schema().column_names

    watched.settings["cdc"] = {"track_changes": True}
    watched.configure()
    watched.execute("UPDATE t SET v = 'tracked' WHERE id = 1")
    watched.catch_up()
    untracked = tracked(None, None)
    rows = {row[KEY]: row | untracked for row in watched.copied}
    rows |= {row[KEY]: row for row in mirror_with_facts(watched.copied, None, watched.log()) if row["_firn_op"] != "copy"}
    watched.expect(list(rows.values()))

    watched.settings["cdc"] = {"track_changes": False}
    watched.configure()
    watched.execute("UPDATE t SET v = 'not tracked' WHERE id = 2")
    watched.catch_up()
    rows[2] = watched.log()[-1].new | untracked
    watched.expect(list(rows.values()))


def test_a_source_column_with_a_name_of_firns_is_refused(pipeline):
    pipeline.configure(cdc={"track_changes": True})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, _firn_op text)")
    result = pipeline.firn.command("run", "--until-caught-up")
    assert result.returncode == 1
    assert "the source table has a column _firn_op" in result.stderr, result.stderr


# --- Soft delete ---


def soft_deleted(copied, copied_at, log):
    rows = {row[KEY]: row | {"_firn_deleted": False} | tracked("copy", copied_at) for row in copied}
    for change in log:
        if change.operation == "truncate":
            marked = {"_firn_deleted": True} | tracked("truncate", change.committed_at)
            rows = {key: row if row["_firn_deleted"] else row | marked for key, row in rows.items()}
        elif change.operation == "delete":
            rows[change.old[KEY]] |= {"_firn_deleted": True} | tracked("delete", change.committed_at)
        else:
            if change.old:
                del rows[change.old[KEY]]
            rows[change.new[KEY]] = change.new | {"_firn_deleted": False} | tracked(change.operation, change.committed_at)
    return list(rows.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_deleted_rows_can_stay_marked(pipeline, seed):
    watched = Watched(pipeline, enable_deletes=False, track_changes=True)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    run_statements(watched, STATEMENTS, seed)
    expected = soft_deleted(watched.copied, watched.copied_at(), watched.log())
    assert sum(row["_firn_deleted"] for row in expected) > 2000
    watched.expect(expected)
    run_statements(watched, AROUND_A_TRUNCATE + AROUND_A_TRUNCATE, seed)
    watched.expect(soft_deleted(watched.copied, watched.copied_at(), watched.log()))
    standing = [row for row in watched.pipeline.rows("t") if not row["_firn_deleted"]]
    assert len(standing) == watched.execute("SELECT count(*) FROM t").fetchone()[0]


def test_a_mirror_can_keep_deleted_rows_from_now_on(pipeline):
    watched = Watched(pipeline)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    watched.execute("DELETE FROM t WHERE id = 1")
    watched.catch_up()
    watched.settings["cdc"] = {"enable_deletes": False}
    watched.configure()
    watched.execute("DELETE FROM t WHERE id = 2; UPDATE t SET v = 'new' WHERE id = 3")
    watched.catch_up()
    rows = {row[KEY]: row | {"_firn_deleted": None} for row in watched.copied if row[KEY] != 1}
    rows[2]["_firn_deleted"] = True
    rows[3] |= {"v": "new", "_firn_deleted": False}
    watched.expect(list(rows.values()))

    watched.settings["cdc"] = {"enable_deletes": True}
    watched.configure()
    result = watched.pipeline.firn.command("run", "--until-caught-up")
    assert result.returncode == 2
    assert "written in the change mode 'soft-delete' and can't go on as 'mirror'" in result.stderr, result.stderr


def test_without_a_key_each_deleted_row_stays(pipeline):
    watched = Watched(pipeline, enable_deletes=False)
    watched.execute("CREATE TABLE dup (a int, b text); ALTER TABLE dup REPLICA IDENTITY FULL")
    watched.execute("INSERT INTO dup SELECT n % 3, 'same' FROM generate_series(1, 30) n")
    watched.catch_up()
    watched.execute("DELETE FROM dup WHERE ctid IN (SELECT ctid FROM dup WHERE a = 1 LIMIT 4)")
    watched.execute("INSERT INTO dup VALUES (1, 'same'), (1, 'same'); UPDATE dup SET b = 'other' WHERE ctid IN (SELECT ctid FROM dup WHERE a = 2 LIMIT 3)")
    watched.catch_up()
    watched.execute("DELETE FROM dup WHERE ctid IN (SELECT ctid FROM dup WHERE a = 1 LIMIT 3)")
    watched.catch_up()
    expected = [{"a": a, "b": b, "_firn_deleted": False} for a, b in watched.execute("SELECT a, b FROM dup").fetchall()]
    watched.expect(expected + 7 * [{"a": 1, "b": "same", "_firn_deleted": True}], source="dup")


# --- History ---


def history(copied, copied_at, log):
    """Each row's versions; those that began and ended with one commit were never to be seen."""

    def version(row, operation, valid_from):
        return row | tracked(operation, valid_from) | {"_firn_valid_from": valid_from, "_firn_valid_to": None, "_firn_current": True}

    current = {row[KEY]: version(row, "copy", copied_at) for row in copied}
    ended = []

    def end(key, time):
        row = current.pop(key)
        if row["_firn_valid_from"] != time:
            ended.append(row | {"_firn_valid_to": time, "_firn_current": False})

    for change in log:
        time = change.committed_at
        if change.operation == "truncate":
            for key in list(current):
                end(key, time)
            continue
        if change.old:
            end(change.old[KEY], time)
        if change.new:
            current[change.new[KEY]] = version(change.new, change.operation, time)
    return ended + list(current.values())


def expect_history(watched, source="t", key=KEY):
    watched.expect(history(watched.copied, watched.copied_at(source), watched.log(source)), source)
    rows = watched.pipeline.rows(source)
    columns = [name for name in rows[0] if not name.startswith("_firn_")] if rows else []
    current = collections.Counter(tuple(row[name] for name in columns) for row in rows if row["_firn_current"])
    in_source = [row[0] for row in watched.execute(f"SELECT to_jsonb({source}) FROM {source}").fetchall()]
    assert current == collections.Counter(tuple(row[name] for name in columns) for row in in_source)
    versions = collections.defaultdict(list)
    for row in rows:
        versions[row[key]].append((row["_firn_valid_from"], row["_firn_valid_to"]))
    for intervals in versions.values():
        intervals.sort()
        for (begin, end), (next_begin, _) in zip(intervals, intervals[1:], strict=False):
            assert begin < end <= next_begin, intervals


@pytest.mark.parametrize("seed", [1, 2])
def test_history_has_each_version_of_a_row(pipeline, seed):
    watched = Watched(pipeline, mode="history", track_changes=True)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    run_statements(watched, STATEMENTS, seed)
    expect_history(watched)
    run_statements(watched, AROUND_A_TRUNCATE + AROUND_A_TRUNCATE, seed)
    expect_history(watched)


def test_history_of_rows_without_a_key_is_right_at_every_moment(pipeline):
    watched = Watched(pipeline, mode="history")
    watched.execute("CREATE TABLE dup (a int, b text); ALTER TABLE dup REPLICA IDENTITY FULL")
    watched.execute("INSERT INTO dup SELECT n % 3, 'same' FROM generate_series(1, 30) n")
    watched.catch_up()
    moments = []

    def note(statement):
        watched.execute(statement)
        rows = watched.execute("SELECT clock_timestamp(), a, b FROM dup").fetchall()
        moments.append((rows[0][0], collections.Counter((a, b) for _, a, b in rows)))

    choice = random.Random(4)
    for n in range(12):
        note(choice.choice([
            "DELETE FROM dup WHERE ctid IN (SELECT ctid FROM dup WHERE a = 1 LIMIT 2)",
            "UPDATE dup SET b = 'other' WHERE ctid IN (SELECT ctid FROM dup WHERE a = 2 LIMIT 3)",
            "UPDATE dup SET a = (a + 1) % 3 WHERE ctid IN (SELECT ctid FROM dup LIMIT 7)",
            f"INSERT INTO dup SELECT 1, 'same' FROM generate_series(0, {n})",
            "TRUNCATE dup; INSERT INTO dup SELECT n % 3, 'same' FROM generate_series(1, 9) n",
        ]))
        if choice.random() < 0.4:
            watched.catch_up()
    watched.catch_up()
    for engine in ENGINES:
        rows = watched.pipeline.rows("dup", engine)
        for moment, expected in moments:
            valid = collections.Counter(
                (row["a"], row["b"])
                for row in rows
                if row["_firn_valid_from"] <= moment and (row["_firn_valid_to"] is None or row["_firn_valid_to"] > moment)
            )
            assert valid == expected, f"{engine} at {moment}"


def test_an_update_of_a_large_transaction_ends_versions_of_the_same_transaction(pipeline):
    """A transaction that is written in parts before its commit: versions of one part are superseded by another's."""
    watched = Watched(pipeline, mode="history")
    watched.settings["writer"] = {"memory_limit_bytes": 4 << 20}
    watched.configure()
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    watched.execute(
        "BEGIN; INSERT INTO t SELECT n, repeat('first', 40), n FROM generate_series(1001, 16000) n;"
        "UPDATE t SET n = -n WHERE id % 2 = 0; DELETE FROM t WHERE id % 5 = 0; UPDATE t SET v = 'last' WHERE id % 3 = 0; COMMIT"
    )
    watched.catch_up()
    watched.execute("UPDATE t SET n = 0 WHERE id % 7 = 0")
    watched.catch_up()
    expected = history(watched.copied, watched.copied_at(), watched.log())
    watched.expect([{name: row[name] for name in row if name not in tracked(None, None)} for row in expected])


# --- Append ---


def changes_as_rows(copied, copied_at, log, full=False):
    """A row for each change, as the change told it."""
    nothing = dict.fromkeys(copied[0]) if copied else {}
    rows = [row | tracked("copy", copied_at) | {"_firn_before_key": None} for row in copied]
    for change in log:
        if change.operation == "truncate":
            told = nothing
        elif change.operation == "delete":
            told = change.old if full else nothing | {KEY: change.old[KEY]}
        else:
            told = change.new
        key_went = change.old and (change.new is None or change.old[KEY] != change.new[KEY])
        before_key = {KEY: change.old[KEY]} if key_went else None
        rows.append(told | tracked(change.operation, change.committed_at) | {"_firn_before_key": before_key})
    return rows


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
@pytest.mark.parametrize("seed", [1, 2])
def test_each_change_can_be_a_row(pipeline, seed, identity):
    watched = Watched(pipeline, mode="append")
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    watched.execute(f"ALTER TABLE t REPLICA IDENTITY {identity}")
    run_statements(watched, STATEMENTS, seed)
    run_statements(watched, AROUND_A_TRUNCATE + AROUND_A_TRUNCATE, seed)
    watched.expect(changes_as_rows(watched.copied, watched.copied_at(), watched.log(), full=identity == "FULL"))
    watched.expect_lsns()


def test_changes_of_rows_without_a_key_tell_the_old_row(pipeline):
    watched = Watched(pipeline, mode="append")
    watched.execute("CREATE TABLE dup (a int, b text); ALTER TABLE dup REPLICA IDENTITY FULL")
    watched.execute("INSERT INTO dup VALUES (1, 'same'), (1, 'same'), (NULL, NULL)")
    watched.catch_up()
    watched.execute("UPDATE dup SET b = 'other' WHERE ctid = '(0,1)'; DELETE FROM dup WHERE a IS NULL; TRUNCATE dup")
    watched.catch_up()
    row = {"a": 1, "b": "same", "_firn_op": "copy", "_firn_before_key": None}
    watched.expect([
        row,
        row,
        row | {"a": None, "b": None},
        row | {"b": "other", "_firn_op": "update", "_firn_before_key": {"a": 1, "b": "same"}},
        row | {"a": None, "b": None, "_firn_op": "delete", "_firn_before_key": {"a": None, "b": None}},
        row | {"a": None, "b": None, "_firn_op": "truncate"},
    ], source="dup")


def test_only_inserts_need_no_key(pipeline):
    watched = Watched(pipeline, mode="append")
    watched.execute("CREATE TABLE plain (a int); INSERT INTO plain VALUES (1)")
    watched.catch_up()
    watched.execute("INSERT INTO plain VALUES (2); TRUNCATE plain; INSERT INTO plain VALUES (3)")
    watched.catch_up()
    expected = [(1, "copy"), (2, "insert"), (None, "truncate"), (3, "insert")]
    watched.expect([{"a": a, "_firn_op": operation} for a, operation in expected], source="plain")


def test_the_mode_of_a_table_stays(pipeline):
    watched = Watched(pipeline, mode="append")
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    for cdc, mode in (({}, "mirror"), ({"mode": "history"}, "history"), ({"enable_deletes": False}, "soft-delete")):
        watched.settings["cdc"] = cdc
        watched.configure()
        result = watched.pipeline.firn.command("run", "--until-caught-up")
        assert result.returncode == 2
        assert f"written in the change mode 'append' and can't go on as '{mode}'" in result.stderr, result.stderr
        assert "drop the table in the catalog to copy it anew" in result.stderr


def test_deletes_switched_off_say_nothing_where_deleted_rows_stay_anyway(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.configure(cdc={"mode": "append", "enable_deletes": False})
    for command in ("check", "run"):
        result = pipeline.firn.command(command)
        assert result.returncode == 2
        assert "cdc.enable_deletes: false goes with cdc.mode: mirror" in result.stdout + result.stderr


# --- Every mode ---

MODES = pytest.mark.parametrize(
    ("cdc", "model"),
    [({}, mirror_with_facts), ({"enable_deletes": False}, soft_deleted), ({"mode": "history"}, history), ({"mode": "append"}, changes_as_rows)],
    ids=["mirror", "soft delete", "history", "append"],
)
LARGE = "(SELECT string_agg(md5((i * {n})::text), '') FROM generate_series(1, 3200) i)"  # 100 kB that hardly compress
LARGE_STATEMENTS = (
    "UPDATE t SET n = 1 WHERE id = 1",
    "UPDATE t SET n = 2 WHERE id <= 2",
    "UPDATE t SET id = 30 WHERE id = 3",
    "UPDATE t SET v = 'short' WHERE id = 4",
    "UPDATE t SET n = 5 WHERE id = 5; UPDATE t SET n = 6 WHERE id = 5; UPDATE t SET id = 50 WHERE id = 5",
    f"INSERT INTO t VALUES (100, {LARGE.format(n=100)}, 0); UPDATE t SET n = 1 WHERE id = 100",
    "UPDATE t SET n = 2 WHERE id = 100",
    "UPDATE t SET n = 3 WHERE id IN (100, 6)",
    "DELETE FROM t WHERE id = 100",
    f"DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, {LARGE.format(n=700)}, 0); UPDATE t SET n = 1 WHERE id = 7",
    "UPDATE t SET n = 4 WHERE id = 6; DELETE FROM t WHERE id = 6",
)


@MODES
@pytest.mark.parametrize("seed", [3, 4])
def test_large_values_that_an_update_leaves_alone_are_in_every_row(pipeline, cdc, model, seed):
    watched = Watched(pipeline, **cdc, track_changes=True)
    watched.create("id int PRIMARY KEY, v text, n int", f"SELECT n, {LARGE.format(n='n')}, 0 FROM generate_series(1, 8) n")
    run_statements(watched, LARGE_STATEMENTS, seed)
    more = ("TRUNCATE t", f"INSERT INTO t SELECT n, {LARGE.format(n='-n')}, 0 FROM generate_series(1, 8) n", "UPDATE t SET n = 7; TRUNCATE t")
    run_statements(watched, (*more, more[1], *LARGE_STATEMENTS), seed)
    watched.expect(model(watched.copied, watched.copied_at(), watched.log()))


@MODES
def test_killed_under_load_nothing_is_missing_and_nothing_is_there_twice(pipeline, cdc, model):
    watched = Watched(pipeline, **cdc, track_changes=True)
    watched.settings |= {"writer": {"commit_interval_ms": 200}, "maintenance": {"interval": "0s"}}
    watched.configure()
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    moments = random.Random(5)
    for _ in range(6):
        watched.pipeline.firn.start()
        for _ in range(moments.randrange(3, 12)):
            watched.execute(moments.choice([
                "UPDATE t SET n = n + 1 WHERE id % 7 = 0",
                "DELETE FROM t WHERE id % 11 = 0",
                "INSERT INTO t SELECT n, 'new', n FROM generate_series(1, 120) n ON CONFLICT (id) DO NOTHING",
                "UPDATE t SET id = -id WHERE id = 8 AND NOT EXISTS (SELECT FROM t WHERE id = -8)",
                "UPDATE t SET v = 'even' WHERE id % 2 = 0",
            ]))
            if watched.pipeline.firn.ended_within(moments.uniform(0.01, 0.3)):
                watched.pipeline.firn.expect_running()
        watched.pipeline.firn.kill()
    watched.catch_up()
    watched.expect(model(watched.copied, watched.copied_at(), watched.log()))


@MODES
def test_rows_change_across_partitions(pipeline, cdc, model):
    watched = Watched(pipeline, **cdc, track_changes=True)
    watched.settings["tables"] = {"public.t": {"partition_by": ["bucket(3, id)", "truncate(2, v)"]}}
    watched.configure()
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    run_statements(watched, STATEMENTS + AROUND_A_TRUNCATE + AROUND_A_TRUNCATE, seed=6)
    watched.expect(model(watched.copied, watched.copied_at(), watched.log()))
    assert len(watched.pipeline.lake.table("public", "t").spec().fields) == 2


@MODES
def test_columns_come_and_go_meanwhile(pipeline, cdc, model):
    watched = Watched(pipeline, **cdc, track_changes=True)
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    watched.execute("UPDATE t SET n = n + 1 WHERE id < 10")
    watched.execute("ALTER TABLE t ADD COLUMN w text")
    watched.execute("UPDATE t SET w = 'w' || id WHERE id < 20; DELETE FROM t WHERE id IN (5, 15)")
    watched.catch_up()
    watched.execute("INSERT INTO t VALUES (200, 'new', 1, 'w'); ALTER TABLE t RENAME COLUMN n TO m; UPDATE t SET m = 0 WHERE id > 90")
    watched.catch_up()
    rows = model(watched.copied, watched.copied_at(), watched.log())
    expected = []
    for row in rows:
        renamed = {"m" if name == "n" else name: value for name, value in row.items()}
        expected.append({"w": None} | renamed)
    watched.expect([{name: row.get(name) for name in ("id", "v", "m", *(set(row) - {"id", "v", "m"}))} for row in expected])
    watched.execute("ALTER TABLE t DROP COLUMN v; UPDATE t SET m = 1 WHERE id = 1")
    watched.catch_up()
    rows = model(watched.copied, watched.copied_at(), watched.log())
    assert "v" not in watched.pipeline.rows("t")[0]
    assert len(watched.pipeline.rows("t")) == len(rows)


def test_tables_may_have_modes_of_their_own(pipeline):
    pipeline.configure(cdc={"mode": "append"}, tables={"public.a": {"cdc_mode": "mirror"}, "public.b": {"cdc_mode": "history"}})
    pipeline.execute("; ".join(f"CREATE TABLE {name} (id int PRIMARY KEY, v int); INSERT INTO {name} VALUES (1, 1)" for name in "abc"))
    pipeline.catch_up()
    pipeline.execute("; ".join(f"UPDATE {name} SET v = 2; DELETE FROM {name}; INSERT INTO {name} VALUES (1, 3)" for name in "abc"))
    pipeline.catch_up()
    pipeline.expect_equal("a")
    assert sorted((row["v"], row["_firn_current"]) for row in pipeline.rows("b")) == [(1, False), (3, True)]
    assert [row["_firn_op"] for row in sorted(pipeline.rows("c"), key=lambda row: (row["_firn_lsn"], row["v"] or 0))][0] == "copy"
    assert len(pipeline.rows("c")) == 4
