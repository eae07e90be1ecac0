"""firn killed at any moment: afterwards nothing is missing and nothing is there twice."""

import random

import pytest
from harness.firn_process import Firn
from harness.postgres_server import identifier
from harness.waiting import wait_until
from test_pgbench import TABLES, initialise

KILLS = 10


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_ten_times_under_load(pipeline, seed):
    moments = random.Random(seed)
    initialise(pipeline, 1)
    pipeline.configure(writer={"commit_interval_ms": 200})
    load = pipeline.postgres.pgbench(pipeline.database, "-n", "-c", "4", "-T", "600", *(["-N"] if seed % 2 else []))
    try:
        for _ in range(KILLS):
            pipeline.firn.start()
            # From the middle of start and copy to well into streaming.
            if pipeline.firn.ended_within(moments.uniform(0.05, 3.0)):
                pipeline.firn.expect_running()
            pipeline.firn.kill()
        assert load.poll() is None, load.communicate()[0]
    finally:
        load.terminate()
        load.communicate(timeout=30)
    pipeline.catch_up(timeout_s=240)
    pipeline.expect_equal(*TABLES)
    assert len(pipeline.rows("pgbench_history")) > 100


def test_killed_in_the_initial_copy_again_and_again(pipeline):
    moments = random.Random(3)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pipeline.execute("INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 200000) n")
    for n in range(6):
        pipeline.firn.start()
        pipeline.firn.ended_within(moments.uniform(0.02, 0.8))
        pipeline.firn.kill()
        pipeline.execute("UPDATE t SET v = 'changed' WHERE id %% 1000 = %s", [n])
        pipeline.execute("DELETE FROM t WHERE id = %s", [n * 17 + 5])
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_stopped_by_sigterm_again_and_again(pipeline):
    moments = random.Random(4)
    initialise(pipeline, 1)
    load = pipeline.postgres.pgbench(pipeline.database, "-n", "-c", "2", "-T", "600")
    try:
        for _ in range(5):
            pipeline.firn.start()
            pipeline.firn.ended_within(moments.uniform(0.3, 2.0))
            pipeline.firn.stop()
    finally:
        load.terminate()
        load.communicate(timeout=30)
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES)


def test_a_second_firn_on_the_same_slot_corrupts_nothing(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 100) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    second = pipeline.firn.command("run", "--until-caught-up", timeout_s=180)
    assert second.returncode == 1
    assert pipeline.database in second.stderr, second.stderr
    pipeline.execute("UPDATE t SET v = 1")
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_firn_that_lost_its_slot_while_it_was_paused_does_not_commit_over_the_new_one(pipeline):
    """It stands still for longer than the sender waits, with changes that it has not committed; another takes its place."""
    timeout_s = 2
    pipeline.execute(f"ALTER DATABASE {pipeline.database} SET wal_sender_timeout = '{timeout_s}s'")
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 100) n")
    pipeline.configure(writer={"commit_interval_ms": 4000})
    first = pipeline.firn
    slot = identifier(pipeline.database)
    second = Firn(
        pipeline.directory / "second",
        pipeline.url,
        slot=slot,
        settings={
            "catalog": {"uri": f"sqlite://{first.warehouse}/catalog.db", "warehouse": f"file://{first.warehouse}"},
            "writer": {"commit_interval_ms": 100},
        },
    )

    def is_held():
        return pipeline.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()[0]

    try:
        first.start()
        first.wait_streaming()
        pipeline.execute("UPDATE t SET v = 1 WHERE id <= 50; INSERT INTO t SELECT n, 1 FROM generate_series(101, 150) n")
        # It has them, and commits them some seconds later.
        wait_until(lambda: metric(first, "firn_decoded_changes_total") >= 100, "the first one has the changes", 30)
        first.pause()
        wait_until(lambda: not is_held(), "PostgreSQL gives the slot up", 30)
        second.start()
        second.wait_streaming()
        pipeline.execute("UPDATE t SET v = 2 WHERE id % 3 = 0; DELETE FROM t WHERE id % 10 = 7")
        wait_until(lambda: {row["v"] for row in pipeline.rows("t")} == {0, 1, 2}, "the second one commits", 60)
        pipeline.expect_equal("t")

        first.resume()
        pipeline.execute("UPDATE t SET v = 3 WHERE id % 4 = 0; INSERT INTO t VALUES (1000, 3)")
        lost = ("is in use by", "another process committed")
        wait_until(lambda: any(word in first.log_text() for word in lost), "the first one learns that it was replaced", 90)
        second.stop()
        if first.running():  # It waits for its slot, or has it again by now.
            first.stop()
        pipeline.expect_equal("t")
    finally:
        second.kill()
    pipeline.execute("DELETE FROM t WHERE id > 1; UPDATE t SET v = 4")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def metric(firn, name):
    """The sum of a metric's values."""
    lines = (firn.get("/metrics") or "").splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)
