"""The replication slot: what firn says of one that can't be followed, what it warns of, heartbeats, and failover to a standby
that has the slot."""

import json
import re
import shutil
import signal
import subprocess
import threading

import psycopg
import pytest
from conftest import SETTINGS, Pipeline
from harness.firn_process import run_firn
from harness.lake import REPOSITORY
from harness.postgres_server import PostgresServer, identifier
from harness.waiting import wait_until
from test_schema_changes import wait_equal

DONE, FAILED = 0, 1
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 200) n"


# --- A server of the test's own ---


@pytest.fixture
def own_server(postgres_directory, request):
    """Makes servers that the test may break; those that are left run no longer than it."""
    servers = []

    def make(name, settings=None, **options):
        directory = postgres_directory / identifier(f"{request.node.name}_{name}")
        server = PostgresServer(directory, SETTINGS | (settings or {}), **options)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def pipeline_on(binary, java, request, tmp_path):
    """A pipeline of a server's own database, with the test's name."""
    made = []

    def make(server):
        pipeline = Pipeline(server, server.create_database(identifier("t_" + request.node.name)), tmp_path, java)
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.firn.kill()
        pipeline.connection.close()


def write_log(connection, segments):
    """Fills as many segments of the server's log, of 16 MB each."""
    for _ in range(segments):
        connection.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")
        connection.execute("SELECT pg_switch_wal()")


# A server that keeps little of its log for a slot.
TINY = {"max_slot_wal_keep_size": "16MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}


def lose_slot(pipeline):
    """On a server of TINY settings."""

    def is_lost():
        write_log(pipeline.connection, 4)
        pipeline.execute("CHECKPOINT")
        return pipeline.execute("SELECT wal_status = 'lost' FROM pg_replication_slots").fetchone()[0]

    wait_until(is_lost, "the slot is lost")


def test_a_slot_that_may_soon_be_lost_is_warned_of(own_server, pipeline_on):
    server = own_server("limited", {"max_slot_wal_keep_size": "160MB", "min_wal_size": "32MB", "max_wal_size": "64MB"}).start()
    pipeline = pipeline_on(server)
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    assert json.loads(pipeline.firn.get("/status"))["slot_warning"] is None
    with server.connect(pipeline.database) as holder:
        # What the slot keeps goes back to the oldest transaction that is open.
        with holder.transaction():
            holder.execute("INSERT INTO t VALUES (-1, 'held')")
            write_log(pipeline.connection, 9)
            warning = wait_until(lambda: json.loads(pipeline.firn.get("/status"))["slot_warning"], "the warning is in the status")
            assert "raise max_slot_wal_keep_size" in warning
            assert "raise max_slot_wal_keep_size" in pipeline.firn.log_text()

            def is_measured():
                # The warning and the size of what is kept come from two looks, some seconds apart.
                metrics = pipeline.firn.get("/metrics")
                (safe,) = re.findall(r"^firn_slot_safe_wal_bytes (\S+)$", metrics, re.MULTILINE)
                (kept,) = re.findall(r"^firn_slot_retained_wal_bytes (\S+)$", metrics, re.MULTILINE)
                return float(safe) < 32 * 2**20 < float(kept)

            wait_until(is_measured, "the metrics tell of it too")
            told = pipeline.firn.command("status", "--json", check=True)
            assert "raise max_slot_wal_keep_size" in json.loads(told.stdout)["slot"]["warning"]
            assert "warning: slot" in pipeline.firn.command("status", check=True).stdout
    pipeline.execute("CHECKPOINT")

    def is_silent():
        pipeline.execute("INSERT INTO t SELECT max(id) + 1, 'more' FROM t; CHECKPOINT")
        return json.loads(pipeline.firn.get("/status"))["slot_warning"] is None

    wait_until(is_silent, "the warning ends with its cause", interval_s=0.5)
    pipeline.firn.stop()


def test_a_lost_slot_is_explained(own_server, pipeline_on):
    pipeline = pipeline_on(own_server("tiny", TINY).start())
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 'missed'")
    lose_slot(pipeline)
    for command in ("run", "check"):
        done = pipeline.firn.command(command)
        assert done.returncode == FAILED
        assert "is lost: PostgreSQL removed what it still needed" in done.stdout + done.stderr
    assert pipeline.firn.command("verify").returncode == FAILED


def test_a_slot_that_is_gone_is_explained(pipeline, admin):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    admin.execute("SELECT pg_drop_replication_slot(%s)", [pipeline.database])
    told = pipeline.firn.command("run")
    assert told.returncode == FAILED
    assert f"slot '{pipeline.database}' is gone from PostgreSQL" in told.stderr
    assert pipeline.execute("SELECT FROM pg_replication_slots WHERE slot_name = %s", [pipeline.database]).fetchall() == []


def test_a_slot_that_was_made_again_by_hand_is_explained(pipeline, admin):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.catch_up()
    admin.execute("SELECT pg_drop_replication_slot(%s)", [pipeline.database])
    pipeline.execute("UPDATE t SET v = 'missed'")
    pipeline.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [pipeline.database])
    told = pipeline.firn.command("run")
    assert told.returncode == FAILED
    assert "it was dropped and made again, or moved, and the changes in between are missing" in told.stderr
    # As it says: without what state_dir holds, nobody can know.
    (kept,) = pipeline.firn.directory.rglob("acknowledged")
    assert str(kept) in told.stderr
    kept.unlink()
    pipeline.catch_up()


def test_a_slot_is_known_again_after_restarts_and_crashes(pipeline):
    """What was acknowledged is on disk before the slot hears of it, also of a database without traffic."""
    pipeline.execute(TABLE)
    for n in range(4):
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
        pipeline.execute(f"UPDATE t SET v = '{n}' WHERE id = {n + 1}; SELECT pg_logical_emit_message(true, 'x', 'x')")
        (end,) = pipeline.execute("SELECT pg_current_wal_lsn()").fetchone()
        wait_until(
            lambda end=end: pipeline.execute(
                "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", [end, pipeline.database]
            ).fetchone()[0],
            "the slot has moved on",
        )
        pipeline.firn.kill() if n % 2 else pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=("pyiceberg",))


def test_a_restored_backup_is_explained(own_server, pipeline_on):
    server = own_server("restored").start()
    pipeline = pipeline_on(server)
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.connection.close()
    server.stop(signal.SIGINT)
    backup = server.data.with_name("backup")
    subprocess.run(["cp", "-a", server.data, backup], check=True)
    server.start()
    with server.connect(pipeline.database) as connection:
        connection.execute("UPDATE t SET v = 'after the backup'")
    pipeline.url = server.url(pipeline.database)
    pipeline.configure()
    pipeline.catch_up()
    server.stop(signal.SIGINT)
    shutil.rmtree(server.data)
    backup.rename(server.data)
    server.start()
    pipeline.connection = server.connect(pipeline.database)
    pipeline.url = server.url(pipeline.database)
    pipeline.configure()
    told = pipeline.firn.command("run")
    assert told.returncode == FAILED
    assert "it was restored from a backup" in told.stderr


def test_another_cluster_behind_the_same_address_is_explained(own_server, pipeline_on):
    one = own_server("one").start()
    pipeline = pipeline_on(one)
    pipeline.execute(TABLE)
    pipeline.catch_up()
    other = own_server("other").start()
    other.create_database(pipeline.database)
    with other.connect(pipeline.database) as connection:
        connection.execute(TABLE)
    pipeline.configure(source={"url": other.url(pipeline.database)})
    told = pipeline.firn.command("run")
    assert told.returncode == FAILED
    assert "it was copied from another PostgreSQL cluster (system identifier" in told.stderr
    with other.connect(pipeline.database) as connection:
        assert connection.execute("SELECT FROM pg_replication_slots").fetchall() == []


def test_a_copy_waits_for_a_free_slot(own_server, pipeline_on):
    """No table is at fault, so none is parked."""
    pipeline = pipeline_on(own_server("few", {"max_replication_slots": "2"}).start())
    retry = {"base_delay_ms": 50, "max_delay_ms": 500, "max_retries": 1000}
    pipeline.configure(retry=retry, writer={"commit_interval_ms": 200})
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("SELECT pg_create_physical_replication_slot('taken')")
    pipeline.firn.command("resync", "--table", "public.t", check=True)
    wait_until(lambda: "raise max_replication_slots" in pipeline.firn.log_text(), "the copy finds no slot")
    pipeline.execute("UPDATE t SET v = 'meanwhile' WHERE id < 50")
    assert pipeline.firn.table_status("public.t")["state"] != "parked"
    pipeline.execute("SELECT pg_drop_replication_slot('taken')")
    wait_equal(pipeline, "t")
    assert "is parked" not in pipeline.firn.log_text()
    pipeline.firn.stop()


# --- Heartbeats ---


def test_heartbeats_move_the_slot_of_an_idle_server(pipeline):
    pipeline.configure(source={"heartbeat_interval_ms": 200})
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    for _ in range(2):
        (end,) = pipeline.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        wait_until(
            lambda end=end: pipeline.execute(
                "SELECT confirmed_flush_lsn > %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", [end, pipeline.database]
            ).fetchone()[0],
            "the slot moves past where nobody wrote",
        )
    sent = pipeline.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_logical_emit_message(true, ''firn''%%' AND pid <> pg_backend_pid()"
    ).fetchone()[0]
    assert sent == 1
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=("pyiceberg",))


# --- Failover ---


@pytest.fixture(scope="module")
def programs18(postgres_directory):
    installed = REPOSITORY / "build/postgres-18"
    assert installed.is_dir(), f"{installed} is missing: run scripts/install-dependencies test"
    return shutil.copytree(installed, postgres_directory / "postgres-18-failover", symlinks=True, dirs_exist_ok=True) / "bin"


def make_standby(primary, own_server, programs):
    standby = own_server(
        "standby",
        {
            "hot_standby_feedback": "on",
            "sync_replication_slots": "on",
            "wal_receiver_status_interval": "1s",
        },
        programs=programs,
    )
    standby.copy_from(primary, slot="standby")
    return standby.start()


def test_firn_goes_on_at_a_promoted_standby_that_has_its_slot(own_server, pipeline_on, programs18):
    primary = own_server("primary", {"synchronized_standby_slots": "standby"}, programs=programs18).start()
    standby = make_standby(primary, own_server, programs18)
    pipeline = pipeline_on(primary)
    slot = pipeline.database
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{hosts}/{pipeline.database}?target_session_attrs=read-write"
    pipeline.configure(source={"url": url}, retry={"max_retries": 100, "base_delay_ms": 100, "max_delay_ms": 1000})
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    assert pipeline.execute("SELECT failover FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()[0]

    with standby.connect() as there:

        def is_synchronized():
            pipeline.execute("UPDATE t SET v = v || '.' WHERE id = 1; SELECT pg_log_standby_snapshot()")
            found = there.execute(
                "SELECT synced AND NOT temporary AND invalidation_reason IS NULL FROM pg_replication_slots WHERE slot_name = %s", [slot]
            ).fetchone()
            return found and found[0]

        wait_until(is_synchronized, "the standby has the slot", interval_s=0.5)
        pipeline.execute("UPDATE t SET v = 'before the failover' WHERE id <= 100")
        (end,) = pipeline.execute("SELECT pg_current_wal_lsn()").fetchone()
        wait_until(lambda: there.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone()[0], "the standby has it all")
        pipeline.connection.close()
        primary.stop()
        there.execute("SELECT pg_promote()")

    pipeline.postgres = standby
    pipeline.connection = standby.connect(pipeline.database)
    pipeline.execute("DELETE FROM t WHERE id > 150; INSERT INTO t SELECT n, 'after it' FROM generate_series(1000, 1100) n")
    done = pipeline.firn.command("verify", "--json", timeout_s=400)
    assert done.returncode == DONE, done.stdout + done.stderr
    assert json.loads(done.stdout)["tables"][0]["source_rows"] == 251
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=("pyiceberg",))


def copy_as_standby(server, own_server):
    """A standby that has what the server, which is stopped, has now, and gets nothing more."""
    standby = own_server("promoted")
    standby.directory.mkdir(parents=True)
    subprocess.run(["cp", "-a", server.data, standby.data], check=True)
    (standby.data / "standby.signal").touch()
    owner = server.directory.owner()
    for path in (standby.directory, standby.data / "standby.signal"):
        shutil.chown(path, owner)
    return standby


def promote(pipeline, standby):
    """The pipeline goes on at the standby, on a timeline of its own, whose log gets longer than the one before it was."""
    pipeline.postgres = standby.start()
    with standby.connect() as connection:
        connection.execute("SELECT pg_promote()")
    pipeline.connection = standby.connect(pipeline.database)
    pipeline.url = standby.url(pipeline.database)
    pipeline.configure()
    pipeline.execute("INSERT INTO t VALUES (1000, 'on the new primary')")
    write_log(pipeline.connection, 2)


def timelines(pipeline):
    return [snapshot.summary["firn.timeline"] for snapshot in pipeline.lake.table("public", "t").metadata.snapshots]


def test_a_promoted_standby_that_has_it_all_is_followed(own_server, pipeline_on):
    primary = own_server("primary").start()
    pipeline = pipeline_on(primary)
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 'before the failover' WHERE id <= 100")
    pipeline.catch_up()
    pipeline.connection.close()
    primary.stop(signal.SIGINT)
    promote(pipeline, copy_as_standby(primary, own_server))
    pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE id > 150 AND id < 1000")
    pipeline.catch_up()
    assert timelines(pipeline) == ["1", "1", "2", "2"]
    pipeline.expect_equal("t", engines=("pyiceberg",))


def test_a_promoted_standby_that_lacks_changes_is_explained(own_server, pipeline_on):
    """Its log is longer than what was committed, so that only where it left the old timeline tells."""
    primary = own_server("primary").start()
    pipeline = pipeline_on(primary)
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.connection.close()
    primary.stop(signal.SIGINT)
    standby = copy_as_standby(primary, own_server)
    primary.start()
    pipeline.url = primary.url(pipeline.database)
    pipeline.configure()
    with primary.connect(pipeline.database) as connection:
        connection.execute("INSERT INTO t SELECT n, 'never on the standby' FROM generate_series(500, 519) n")
    pipeline.catch_up()
    primary.stop()
    promote(pipeline, standby)
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert "of timeline 1, but the server's log left that timeline at" in told.stderr
    expect_copied_again(pipeline)
    assert timelines(pipeline)[-1] == "2"


@pytest.fixture
def running_transactions():
    """Has a primary tell what its standbys wait for when they make a slot, which it else does every now and then."""
    ended = threading.Event()

    def tell(server):
        with server.connect() as connection:
            while not ended.wait(0.2):
                connection.execute("SELECT pg_log_standby_snapshot()")

    threads = []

    def start(server):
        threads.append(threading.Thread(target=tell, args=[server]))
        threads[-1].start()

    yield start
    ended.set()
    for thread in threads:
        thread.join()


def test_a_standby_is_a_source(own_server, pipeline_on, programs18, running_transactions):
    primary = own_server("primary", programs=programs18).start()
    standby = make_standby(primary, own_server, programs18)
    pipeline = pipeline_on(primary)
    pipeline.execute(f"{TABLE}; CREATE PUBLICATION {pipeline.database} FOR TABLE t")
    pipeline.configure(source={"url": standby.url(pipeline.database)})
    running_transactions(primary)

    def catch_up():
        with standby.connect() as there:
            end = pipeline.current_lsn()
            wait_until(lambda: there.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone()[0], "it is replayed")
        pipeline.catch_up()

    catch_up()
    pipeline.execute("UPDATE t SET v = 'streamed' WHERE id <= 100; DELETE FROM t WHERE id > 150")
    catch_up()
    pipeline.expect_equal("t", engines=("pyiceberg",))


def test_a_slot_is_made_without_failover_on_request(own_server, pipeline_on, programs18):
    pipeline = pipeline_on(own_server("alone", programs=programs18).start())
    pipeline.configure(source={"failover_slot": False})
    pipeline.execute(TABLE)
    pipeline.catch_up()
    assert pipeline.execute("SELECT failover FROM pg_replication_slots").fetchall() == [(False,)]


# --- source.on_lost_slot: copy ---


def changed_meanwhile(pipeline):
    """Changes that no slot has kept, of each kind."""
    pipeline.execute("UPDATE t SET v = 'missed' WHERE id < 50; DELETE FROM t WHERE id > 150; INSERT INTO t VALUES (1000, 'missed')")


def expect_copied_again(pipeline):
    """firn goes on by itself, and streams afterwards."""
    pipeline.configure(source={"on_lost_slot": "copy"})
    checked = pipeline.firn.command("check")
    assert checked.returncode == DONE, checked.stdout
    assert "changes are lost: all tables are copied again" in pipeline.catch_up().stderr
    pipeline.execute("UPDATE t SET v = 'streamed' WHERE id = 1; DELETE FROM t WHERE id = 2")
    assert "copied table" not in pipeline.catch_up().stderr
    pipeline.expect_equal("t")


def test_a_lost_slot_is_made_good(own_server, pipeline_on):
    pipeline = pipeline_on(own_server("tiny", TINY).start())
    pipeline.execute(TABLE)
    pipeline.catch_up()
    changed_meanwhile(pipeline)
    lose_slot(pipeline)
    expect_copied_again(pipeline)


@pytest.mark.parametrize("made_again", [False, True], ids=["gone", "made-again"])
def test_a_dropped_slot_is_made_good(pipeline, admin, made_again):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.catch_up()
    admin.execute("SELECT pg_drop_replication_slot(%s)", [pipeline.database])
    changed_meanwhile(pipeline)
    if made_again:
        pipeline.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [pipeline.database])
    expect_copied_again(pipeline)


def test_a_slot_that_is_dropped_while_firn_runs_is_made_good(pipeline, admin):
    pipeline.configure(
        source={"on_lost_slot": "copy"}, writer={"commit_interval_ms": 200}, retry={"base_delay_ms": 20, "max_delay_ms": 200}
    )
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pid = pipeline.firn.pid

    def is_dropped():
        admin.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s", [pipeline.database])
        try:
            admin.execute("SELECT pg_drop_replication_slot(%s)", [pipeline.database])
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_until(is_dropped, "the slot is dropped", interval_s=0.01)
    changed_meanwhile(pipeline)
    wait_equal(pipeline, "t")
    pipeline.execute("UPDATE t SET v = 'streamed' WHERE id = 1")
    wait_equal(pipeline, "t")
    assert pipeline.firn.pid == pid
    pipeline.firn.stop()
    pipeline.expect_equal("t")


def test_another_cluster_takes_over(own_server, pipeline_on):
    """As after a dump and a restore: tables, columns and OIDs are others."""
    pipeline = pipeline_on(own_server("one").start())
    pipeline.execute(
        "CREATE TABLE t (id int PRIMARY KEY, gone int, v text, w text); ALTER TABLE t DROP COLUMN gone;"
        "INSERT INTO t SELECT n, 'v', 'w' FROM generate_series(1, 200) n"
    )
    pipeline.catch_up()
    pipeline.connection.close()
    other = own_server("other").start()
    other.create_database(pipeline.database)
    pipeline.postgres, pipeline.connection = other, other.connect(pipeline.database)
    pipeline.url = other.url(pipeline.database)
    pipeline.execute(
        "CREATE TABLE first (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, v text, w text);"
        "INSERT INTO t SELECT n, 'v', 'another' FROM generate_series(1, 100) n"
    )
    pipeline.configure()
    assert "it was copied from another PostgreSQL cluster" in pipeline.firn.command("run").stderr
    expect_copied_again(pipeline)
    pipeline.expect_equal("first")


def test_a_slot_in_use_is_never_taken_for_a_loss(pipeline):
    """A second firn, whose state_dir knows less than the slot, leaves the first one's slot and tables alone."""
    pipeline.configure(source={"on_lost_slot": "copy"})
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.catch_up()
    (kept,) = pipeline.firn.directory.rglob("acknowledged")
    state = kept.parent.parent
    second = state.with_name("second")
    shutil.copytree(state, second)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("SELECT pg_logical_emit_message(true, 'x', 'x')")
    lsn = pipeline.current_lsn()
    wait_until(lambda: pipeline.has_acknowledged(lsn), "the slot has moved on")
    config = pipeline.firn.config.with_name("second.yaml")
    settings = json.loads(pipeline.firn.config.read_text()) | {"state_dir": str(second)}
    del settings["http"]
    config.write_text(json.dumps(settings))
    told = run_firn("run", "--config", config)
    assert told.returncode == FAILED
    assert "it was dropped and made again, or moved" in told.stderr
    pipeline.execute("INSERT INTO t VALUES (2001, 'heard by the first')")
    wait_equal(pipeline, "t")
    pipeline.firn.stop()
    assert "copied again" not in pipeline.firn.log_text() + told.stderr
    pipeline.expect_equal("t", engines=("pyiceberg",))
