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

        def countable(rows):
            return collections.Counter(tuple(compare.normalise(row[name], kinds[name]) for name in columns) for row in rows)

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
