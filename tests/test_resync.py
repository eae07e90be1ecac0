"""firn resync: one table copied again while the others stream."""

import random

import pytest
from harness.waiting import wait_until
from test_schema_changes import wait_equal


@pytest.fixture
def shop(pipeline):
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute(
        """
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, 'v' FROM generate_series(1, 100) n;
        CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT n, 'v' FROM generate_series(1, 3000) n;
        """
    )
    pipeline.catch_up()
    return pipeline


def operations(pipeline, table):
    return [snapshot.summary.operation.value for snapshot in pipeline.lake.table("public", table).metadata.snapshots]


def properties(pipeline, table):
    return pipeline.lake.table("public", table).metadata.properties


def test_while_firn_runs_readers_see_the_old_rows_until_the_new_ones_are_whole(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    copies = len(operations(shop, "a"))
    with shop.postgres.connect(shop.database) as other:
        other.autocommit = False
        other.execute("SELECT txid_current()")
        told = shop.firn.command("resync", "--table", "public.b", check=True).stdout
        assert "public.b" in told and "runs" in told
        wait_until(lambda: "firn.parked" in properties(shop, "b"), "the request is on record")
        shop.execute("UPDATE b SET v = 'w' WHERE id <= 100; DELETE FROM b WHERE id = 3000; UPDATE a SET v = 'w' WHERE id = 1")
        wait_equal(shop, "a")
        assert sorted(row["id"] for row in shop.rows("b")) == list(range(1, 3001))
        other.rollback()
    wait_equal(shop, "a", "b")
    shop.firn.wait_streaming()
    assert "firn.parked" not in properties(shop, "b")
    assert len(operations(shop, "a")) == copies + 1, "a was left alone but for its update"
    shop.execute("INSERT INTO b VALUES (5000, 'after')")
    wait_equal(shop, "b")
    shop.firn.stop()
    assert shop.firn.log_text().count("copied table") == 1
    again = shop.catch_up()
    assert "copied table" not in again.stderr, "the request is heard once"
    shop.expect_equal("a", "b")


def test_a_request_waits_for_firn(shop):
    told = shop.firn.command("resync", "--table", "b", "--table", "public.a", check=True).stdout
    assert "no firn runs" in told
    shop.execute("DELETE FROM b WHERE id < 10")
    done = shop.catch_up()
    assert done.stderr.count("copied table") == 2, done.stderr
    shop.expect_equal("a", "b")
    assert "copied table" not in shop.catch_up().stderr


def test_requests_in_a_row(shop):
    shop.firn.start()
    shop.firn.wait_streaming()
    for n in range(3):
        shop.firn.command("resync", "--table", "public.b", "--table", "public.a", check=True)
        shop.execute(f"UPDATE b SET v = '{n}' WHERE id = 7; UPDATE a SET v = '{n}' WHERE id = 7")
    wait_equal(shop, "a", "b")
    shop.firn.stop()
    shop.catch_up()
    shop.expect_equal("a", "b")


def test_an_unknown_table_is_a_wrong_usage(shop):
    done = shop.firn.command("resync", "--table", "public.b", "--table", "public.nowhere")
    assert done.returncode == 2
    assert "public.nowhere" in done.stderr
    assert "copied table" not in shop.catch_up().stderr, "nothing was asked for"
    assert shop.firn.command("resync").returncode == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_while_a_table_is_copied_again(shop, seed):
    moments = random.Random(seed)
    for n in range(6):
        shop.firn.start()
        shop.firn.wait_streaming()
        shop.firn.command("resync", "--table", "public.b", check=True)
        for step in range(3):
            shop.execute("UPDATE b SET v = %s WHERE id %% 10 = %s", [f"{n}.{step}", step])
            shop.execute("UPDATE a SET v = %s WHERE id = %s", [f"{n}.{step}", step + 1])
            shop.execute("DELETE FROM b WHERE id = %s", [100 * n + step])
            shop.firn.ended_within(moments.uniform(0.0, 0.4))
        shop.firn.expect_running()
        shop.firn.kill()
        shop.execute("INSERT INTO b VALUES (%s, 'down')", [10000 + n])
    shop.catch_up()
    shop.expect_equal("a", "b")
