"""firn killed at any moment: afterwards nothing is missing and nothing is there twice."""

import random

import pytest
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
