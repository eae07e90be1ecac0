"""The copy of a large table that breaks off goes on where it was, and what changed in between is not lost."""

import json
import pathlib
import threading

import pytest
from harness.postgres_server import identifier
from harness.waiting import wait_until

# Of a table of some 300 blocks: 40 ranges, files of which are closed after each or every second one.
SMALL = {
    "source": {"copy_range_bytes": 65536, "copy_workers": 2},
    "writer": {"commit_interval_ms": 100, "target_file_size_bytes": 16384},
    "retry": {"base_delay_ms": 20, "max_delay_ms": 200},
}
ROWS = 12_000
GOES_ON = "a copy goes on where it was"
STARTS_OVER = "a table is copied from its beginning"


def make_table(pipeline, name="t"):
    """A key with two columns, whose text has quotes; a value outside of the row that updates leave as it is."""
    pipeline.execute(
        f"""
        CREATE TABLE {name} (id int, "Kind's" text, n int, v text, large text, PRIMARY KEY ("Kind's", id));
        ALTER TABLE {name} ALTER large SET STORAGE EXTERNAL;
        INSERT INTO {name} SELECT n, 'it''s "' || n % 3, 0, repeat(md5(n::text), 4),
               CASE WHEN n % 500 = 0 THEN repeat(md5(n::text), 100) END FROM generate_series(1, {ROWS}) n;
        """
    )


def change(pipeline, step, name="t"):
    """Rows move between blocks, come, go, and take each other's keys."""
    pipeline.execute(
        f"""
        UPDATE {name} SET n = n + 1, v = v || 'x' WHERE id % 40 = {step};
        UPDATE {name} SET n = -1 WHERE large IS NOT NULL;
        UPDATE {name} SET id = id + 1000000 WHERE id % 97 = {step};
        INSERT INTO {name} SELECT id - 1000000, "Kind's", n, 'again', NULL FROM {name} WHERE id > 1000000 AND id % 2 = 0
               ON CONFLICT DO NOTHING;
        DELETE FROM {name} WHERE id % 61 = {step};
        INSERT INTO {name} SELECT n, 'new', {step}, 'v', NULL FROM generate_series({step} * 1000 + 50000, {step} * 1000 + 50300) n;
        """
    )
    pipeline.execute(f"VACUUM {name}")  # Room in the blocks from before.


def kill_at(pipeline, point, timeout_s=120):
    pipeline.firn.start({"FIRN_FAILPOINTS": point.replace("@", "=kill@")})
    assert pipeline.firn.ended_within(timeout_s), pipeline.firn.log_text()[-3000:]
    assert pipeline.firn.exit_code == -9, pipeline.firn.log_text()[-3000:]


def data_files(pipeline, name="t"):
    return set((pipeline.firn.warehouse / "public" / name / "data").rglob("*.parquet"))


def expect_start_over(pipeline):
    """firn copies t from the beginning, and says so."""
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    assert GOES_ON not in pipeline.firn.log_text() and STARTS_OVER in pipeline.firn.log_text()
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=("pyiceberg", "duckdb"))


def remembered(pipeline):
    """The file of each range; not what a kill left of one that was being written."""
    return sorted(path for path in (pipeline.directory / "state").glob("*/copies/*/*") if path.name.isdecimal())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"destination": {"format_version": 3}},
        {"destination": {"deletes": "equality"}},
        {"cdc": {"enable_deletes": False}},
        {"cdc": {"mode": "history"}},
        {"tables": {"public.t": {"partition_by": ["bucket(3, id)"]}}},
    ],
    ids=["v2", "v3", "equality", "soft-delete", "history", "partitioned"],
)
def test_killed_again_and_again(pipeline, settings):
    make_table(pipeline)
    pipeline.configure(**(SMALL | settings))
    kill_at(pipeline, "copy.checkpoint.after@5")
    first = remembered(pipeline)
    assert len(first) >= 5
    for step, point in enumerate(["copy.checkpoint.before@4", "copy.checkpoint.after@3", "copy.commit.before@1"]):
        change(pipeline, step)
        kill_at(pipeline, point)
        assert GOES_ON in pipeline.firn.log_text()
        assert set(first) <= set(remembered(pipeline))
    change(pipeline, 3)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    log = pipeline.firn.log_text()
    assert GOES_ON in log and STARTS_OVER not in log
    assert not remembered(pipeline)
    change(pipeline, 4)
    pipeline.firn.stop()
    pipeline.catch_up()
    if settings.get("cdc"):
        expect_current_rows(pipeline, settings["cdc"])
    else:
        # PyIceberg and DuckDB do not read equality deletes.
        is_by_key = settings.get("destination", {}).get("deletes") == "equality"
        pipeline.expect_equal("t", engines=("iceberg-rust", "java") if is_by_key else ("pyiceberg", "duckdb", "java"))


def expect_current_rows(pipeline, cdc):
    column, value = ("_firn_current", True) if cdc.get("mode") == "history" else ("_firn_deleted", False)
    rows = [row for row in pipeline.rows("t") if row[column] == value]
    found = [(row["id"], row["Kind's"], row["n"], row["v"], row["large"]) for row in rows]
    expected = pipeline.execute("""SELECT id, "Kind's", n, v, large FROM t""").fetchall()
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def lose_memory(pipeline):
    for path in remembered(pipeline):
        path.unlink()


def spoil_memory(pipeline):
    remembered(pipeline)[0].write_bytes(b'{"since":')


def remembered_files(pipeline):
    return {
        pathlib.Path(file.removeprefix("file://"))
        for path in remembered(pipeline)
        for file in json.loads(path.read_bytes().split(b"\n", 1)[0])["files"]
    }


def lose_a_file(pipeline):
    next(iter(remembered_files(pipeline))).unlink()


def sql(statements):
    return lambda pipeline: pipeline.execute(statements)


@pytest.mark.parametrize(
    ("happens", "is_told"),
    [
        (sql("TRUNCATE t; INSERT INTO t VALUES (1, 'k', 1, 'v', NULL)"), True),
        (sql("VACUUM FULL t"), True),
        (sql("ALTER TABLE t ADD more int DEFAULT 7"), True),
        (sql("ALTER TABLE t REPLICA IDENTITY FULL"), True),
        (lose_memory, False),
        (spoil_memory, True),
        (lose_a_file, True),
    ],
    ids=["truncate", "vacuum-full", "new-column", "replica-identity", "lost", "spoilt", "lost-file"],
)
def test_starts_over(pipeline, happens, is_told):
    """And leaves nothing of what it has not taken up, where that can be known."""
    make_table(pipeline)
    pipeline.configure(**SMALL)
    kill_at(pipeline, "copy.checkpoint.after@6")
    change(pipeline, 1)
    happens(pipeline)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    log = pipeline.firn.log_text()
    assert GOES_ON not in log
    assert (STARTS_OVER in log) == is_told
    pipeline.firn.stop()
    assert not remembered(pipeline)
    pipeline.expect_equal("t", engines=("pyiceberg", "duckdb"))


def test_what_can_not_be_taken_up_is_deleted(pipeline):
    make_table(pipeline)
    pipeline.configure(**SMALL)
    kill_at(pipeline, "copy.checkpoint.after@6")
    of_before = remembered_files(pipeline)
    assert len(of_before) >= 6 and of_before <= data_files(pipeline)
    pipeline.execute("TRUNCATE t; INSERT INTO t VALUES (1, 'k', 1, 'v', NULL)")
    pipeline.catch_up()
    assert not of_before & data_files(pipeline)
    pipeline.expect_equal("t", engines=("pyiceberg",))


def test_a_slot_that_is_made_anew_takes_nothing_up(pipeline):
    make_table(pipeline)
    pipeline.configure(**SMALL)
    kill_at(pipeline, "copy.checkpoint.after@6")
    def is_dropped():
        pipeline.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND database = current_database()")
        return not pipeline.execute("SELECT FROM pg_replication_slots WHERE database = current_database()").fetchall()

    wait_until(is_dropped, "the slot is dropped")
    change(pipeline, 1)
    expect_start_over(pipeline)


def test_orphans_are_others(pipeline):
    """However old the files of a copy that broke off are."""
    make_table(pipeline)
    pipeline.configure(**SMALL, maintenance={"orphan_grace": "0s"})
    kill_at(pipeline, "copy.checkpoint.after@6")
    pipeline.firn.command("maintain", "orphans", "--delete", check=True)
    assert len(data_files(pipeline)) >= 6
    change(pipeline, 1)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    assert GOES_ON in pipeline.firn.log_text()
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=("pyiceberg", "duckdb"))


def test_goes_on_without_a_restart(pipeline):
    """A step fails: the copy is tried again beside the stream, which acknowledges nothing that it needs."""
    pipeline.execute("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
    pipeline.configure(**SMALL)
    pipeline.catch_up()
    make_table(pipeline)
    pipeline.firn.start({"FIRN_FAILPOINTS": "copy.batch.before=error@8"})
    pipeline.execute("INSERT INTO other VALUES (2)")
    change(pipeline, 1)
    pipeline.firn.wait_streaming()
    wait_until(lambda: pipeline.firn.table_status("public.t"), "t is known")
    pipeline.firn.wait_streaming()
    change(pipeline, 2)
    pipeline.firn.stop()
    assert GOES_ON in pipeline.firn.log_text()
    pipeline.catch_up()
    pipeline.expect_equal("t", "other", engines=("pyiceberg", "duckdb"))


# --- Copies that let the WAL go ---

# Each range takes a quarter of a second, and a few hundred changed rows are too much WAL.
LIMITED = SMALL | {"source": {"copy_range_bytes": 16384, "copy_workers": 2, "copy_wal_limit_bytes": 65536}}
SLOW = "copy.batch.before=slow"
LETS_GO = "copies hold much WAL"


def churn(pipeline, step):
    if step < 30:
        change(pipeline, step)
    else:
        pipeline.execute(
            f"""
            UPDATE t SET n = n + 1 WHERE id % 40 = {step % 40};
            DELETE FROM t WHERE id = {step} * 100;
            INSERT INTO t SELECT n, 'churned', {step}, 'v', NULL FROM generate_series({step} * 100 + 500000, {step} * 100 + 500030) n
            """
        )


class Changes:
    """Changes t again and again, while the block lasts. Steps from 30 to 39 are left for the test."""

    def __init__(self, pipeline, first_step=0):
        self.step = first_step
        self._pipeline = pipeline
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error = None

    def _run(self):
        try:
            while not self._over.is_set():
                churn(self._pipeline, self.step)
                self.step += 1
                self._over.wait(0.2)
        except Exception as error:  # noqa: BLE001
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        if self._error:
            raise self._error


def positions(connection, database):
    """The pipeline's slot, the oldest WAL that any slot of the database holds, and the oldest row version that a session needs."""
    return connection.execute(
        """
        SELECT confirmed_flush_lsn - '0/0', restart_lsn - '0/0',
               (SELECT min(restart_lsn) - '0/0' FROM pg_replication_slots WHERE database = current_database()),
               (SELECT min(backend_xmin::text::bigint) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name <> 'positions' AND state <> 'active')
        FROM pg_replication_slots WHERE slot_name = %s AND confirmed_flush_lsn IS NOT NULL
        """,
        [identifier(database)],
    ).fetchone()


def make_other_tables(pipeline):
    """A small one, and a large one that can't go on where it was."""
    pipeline.execute(
        """
        CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2);
        CREATE TABLE keyless (v text); INSERT INTO keyless SELECT repeat(md5(n::text), 8) FROM generate_series(1, 400) n;
        """
    )


def let_go(pipeline):
    return pipeline.firn.log_text().count(LETS_GO)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"destination": {"format_version": 3}},
        {"writer": SMALL["writer"] | {"memory_limit_bytes": 1 << 20}},  # Keys are read from disk in several shares.
        {"tables": {"public.t": {"partition_by": ["bucket(3, id)"]}}},
    ],
    ids=["v2", "v3", "little-memory", "partitioned"],
)
def test_lets_the_log_go_before_its_end(pipeline, settings):
    make_table(pipeline)
    make_other_tables(pipeline)
    pipeline.configure(**(LIMITED | settings))
    pipeline.firn.start({"FIRN_FAILPOINTS": SLOW})
    with pipeline.postgres.connect(pipeline.database) as connection:
        connection.execute("SET application_name = 'positions'")
        wait_until(lambda: positions(connection, pipeline.database), "the slot is there")
        first = positions(connection, pipeline.database)
        most_rows = 0
        with Changes(pipeline):

            def has_let_go():
                nonlocal most_rows
                table = pipeline.firn.table_status("public.t")
                if not table:
                    return False
                rows = table["rows_copied"]
                assert rows >= most_rows * 0.9, f"{most_rows} rows were copied, and now {rows}"
                assert rows == 0 or table["state"] == "copying", table
                most_rows = max(most_rows, rows)
                if let_go(pipeline) < 2:
                    return False
                connection.execute("CHECKPOINT")
                now = positions(connection, pipeline.database)
                return all(later > before for later, before in zip(now[:3], first[:3]))

            wait_until(has_let_go, "the slot is past the first snapshot", 120)
            assert pipeline.firn.table_status("public.t")["state"] == "copying"
            assert not pipeline.rows("t"), "the copy is over"
            pipeline.execute("INSERT INTO small VALUES (3); INSERT INTO keyless VALUES ('later')")
    pipeline.firn.wait_streaming(180)
    log = pipeline.firn.log_text()
    assert GOES_ON in log and STARTS_OVER not in log
    assert not remembered(pipeline)
    change(pipeline, 30)
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", "small", "keyless", engines=("pyiceberg", "duckdb", "java"))


def moves_on(pipeline, first):
    """The log was let go, and the slot is past `first`."""
    return let_go(pipeline) >= 2 and positions(pipeline.connection, pipeline.database)[0] > first[0]


@pytest.mark.parametrize(
    "point",
    # Written when a round ends, and when the next one has its snapshot, and so on.
    ["copy.keys.before=kill@1", "copy.keys.after=kill@1", "copy.keys.before=kill@2", "copy.keys.after=kill@2", "copy.keys.after=kill@5", None],
)
def test_killed_while_it_lets_the_log_go(pipeline, point):
    """What has changed before the place to which the slot has moved is on disk."""
    make_table(pipeline)
    make_other_tables(pipeline)
    pipeline.configure(**LIMITED)
    pipeline.firn.start({"FIRN_FAILPOINTS": f"{SLOW},{point}" if point else SLOW})
    wait_until(lambda: positions(pipeline.connection, pipeline.database), "the slot is there")
    first = positions(pipeline.connection, pipeline.database)
    with Changes(pipeline) as changes:
        if point:
            assert pipeline.firn.ended_within(120), pipeline.firn.log_text()[-3000:]
            assert pipeline.firn.exit_code == -9, pipeline.firn.log_text()[-3000:]
        else:
            wait_until(lambda: moves_on(pipeline, first), "the log is let go", 120)
            pipeline.firn.kill()
    assert not pipeline.rows("t")
    # A first round breaks off once a range was read; whether a file is closed by then is a matter of time.
    assert remembered(pipeline) or (point or "").endswith("@1")
    change(pipeline, 30)
    with Changes(pipeline, changes.step):
        kill_at(pipeline, "copy.commit.before@1" if remembered(pipeline) else "copy.checkpoint.after@3")
    change(pipeline, 31)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    log = pipeline.firn.log_text()
    assert GOES_ON in log and STARTS_OVER not in log
    assert not remembered(pipeline)
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", "small", "keyless", engines=("pyiceberg", "duckdb"))


def test_starts_over_where_what_has_changed_is_lost(pipeline):
    make_table(pipeline)
    pipeline.configure(**LIMITED)
    pipeline.firn.start({"FIRN_FAILPOINTS": SLOW})
    wait_until(lambda: positions(pipeline.connection, pipeline.database), "the slot is there")
    first = positions(pipeline.connection, pipeline.database)
    with Changes(pipeline):
        wait_until(lambda: moves_on(pipeline, first), "the log is let go", 120)
    pipeline.firn.kill()
    min((pipeline.directory / "state").glob("*/copies/*/keys-*")).unlink()
    expect_start_over(pipeline)


def test_until_caught_up_comes_to_the_end_of_the_copy(pipeline):
    make_table(pipeline)
    make_other_tables(pipeline)
    pipeline.configure(**LIMITED)
    with Changes(pipeline):
        done = pipeline.firn.command("run", "--until-caught-up", environment={"FIRN_FAILPOINTS": SLOW}, timeout_s=240, check=True)
    assert done.stderr.count(LETS_GO) >= 2 and STARTS_OVER not in done.stderr
    assert pipeline.rows("t") and pipeline.rows("keyless")
    pipeline.catch_up()
    pipeline.expect_equal("t", "small", "keyless", engines=("pyiceberg", "duckdb"))


def test_keeps_its_snapshot_where_that_is_wanted(pipeline):
    make_table(pipeline)
    pipeline.configure(**(LIMITED | {"source": SMALL["source"] | {"copy_wal_limit_bytes": 0}}))
    pipeline.firn.start({"FIRN_FAILPOINTS": SLOW})
    with Changes(pipeline):
        pipeline.firn.wait_streaming(120)
    assert let_go(pipeline) == 0
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=("pyiceberg",))
