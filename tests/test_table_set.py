"""Tables that come and go while the others stream."""

import random

import pytest
from harness.faulty_proxy import TcpProxy
from harness.waiting import wait_until
from test_pgbench import TABLES, initialise
from test_schema_changes import wait_equal


@pytest.fixture
def shop(pipeline):
    """Streams table `a`."""
    pipeline.configure(retry={"base_delay_ms": 20}, writer={"commit_interval_ms": 200})
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, 'v' FROM generate_series(1, 100) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    return pipeline


def confirmed(pipeline):
    return pipeline.execute(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", [pipeline.database]
    ).fetchone()[0]


def test_a_new_table_is_copied_while_the_others_stream(shop):
    with shop.postgres.connect(shop.database) as other:
        other.autocommit = False
        # The snapshot of a copy waits for the transactions that are open.
        other.execute("SELECT txid_current()")
        shop.execute("CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT n, 'v' FROM generate_series(1, 1000) n")
        wait_until(lambda: shop.firn.log_text().count("making a snapshot") == 2, "a copy begins")
        held = confirmed(shop)
        for n in range(5):
            shop.execute(f"UPDATE a SET v = 'x{n}' WHERE id <= 50; INSERT INTO b VALUES ({2000 + n}, 'early')")
            wait_equal(shop, "a")
        assert shop.firn.table_status("public.b")["state"] == "pending"
        assert ("public", "b") not in shop.lake.tables()
        assert confirmed(shop) == held
        other.rollback()
    shop.execute("DELETE FROM b WHERE id % 10 = 0; UPDATE b SET v = 'w' WHERE id % 10 = 1; DELETE FROM a WHERE id = 1")
    wait_equal(shop, "a", "b")
    shop.firn.wait_streaming()  # Its rows are in the table a moment before it joins the stream.
    assert shop.firn.table_status("public.b")["rows_copied"] == 0 or shop.firn.table_status("public.b")["rows_copied"] > 900
    shop.execute("INSERT INTO b VALUES (9000, 'late')")
    wait_equal(shop, "b")
    shop.firn.stop()
    shop.expect_equal("a", "b")


def test_the_log_is_let_go_after_a_copy(shop):
    shop.execute("CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)")
    wait_equal(shop, "b")
    shop.execute("INSERT INTO a VALUES (1000, 'x')")
    end = shop.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0]
    wait_until(
        lambda: shop.execute("SELECT %s::pg_lsn <= %s::pg_lsn", [end, confirmed(shop)]).fetchone()[0], "the slot moves on"
    )
    shop.firn.stop()


def test_what_is_copied_streams_while_another_table_is_copied(pipeline):
    """Also at the first start, where there is no stream before."""
    proxy = TcpProxy(f"127.0.0.1:{pipeline.postgres.port}").start()
    try:
        pipeline.configure(
            source={"url": f"postgresql://postgres@127.0.0.1:{proxy.port}/{pipeline.database}", "copy_workers": 2},
            writer={"commit_interval_ms": 200},
        )
        pipeline.execute(
            """
            CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, 'v' FROM generate_series(1, 100) n;
            CREATE TABLE b (id int PRIMARY KEY, v text);
            INSERT INTO b SELECT n, (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 30) i)
              FROM generate_series(1, 60000) n;
            """
        )
        proxy.latency_s = 0.03  # For each 64 kB.
        pipeline.firn.start()
        wait_until(lambda: (pipeline.firn.table_status("public.a") or {}).get("state") == "streaming", "a streams", 120)
        pipeline.execute("UPDATE a SET v = 'w' WHERE id % 2 = 0; UPDATE b SET v = 'w' WHERE id % 2 = 0; DELETE FROM b WHERE id < 100")
        wait_equal(pipeline, "a")
        assert pipeline.firn.table_status("public.b")["state"] == "copying"
        assert ("public", "b") not in pipeline.lake.tables() or not pipeline.rows("b")
        proxy.latency_s = 0
        wait_equal(pipeline, "a", "b")
        pipeline.firn.stop()
        pipeline.expect_equal("a", "b")
    finally:
        pipeline.firn.kill()
        proxy.stop()


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
def test_taken_out_of_the_publication_and_added_again(pipeline, running):
    """Its changes in between never arrive: it is copied anew."""
    pipeline.execute(
        f"""
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'a');
        CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'b'), (2, 'b');
        CREATE PUBLICATION {pipeline.database} FOR TABLE a, b;
        """
    )
    pipeline.configure(writer={"commit_interval_ms": 200})
    pipeline.catch_up()
    if running:
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
    pipeline.execute(f"ALTER PUBLICATION {pipeline.database} DROP TABLE b")
    if running:
        wait_until(lambda: pipeline.firn.table_status("public.b")["state"] == "stopped", "b is stopped")
        assert "publication" in pipeline.firn.table_status("public.b")["reason"]
    before = pipeline.rows("b")
    pipeline.execute("DELETE FROM b WHERE id = 1; INSERT INTO b VALUES (3, 'unheard'); INSERT INTO a VALUES (2, 'a')")
    if running:
        wait_equal(pipeline, "a")
        assert pipeline.rows("b") == before
    pipeline.execute(f"ALTER PUBLICATION {pipeline.database} ADD TABLE b; INSERT INTO b VALUES (4, 'heard')")
    if running:
        wait_equal(pipeline, "a", "b")
        pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("a", "b")


@pytest.mark.parametrize("publication", ["firns", "tables", "all"])
def test_left_out_of_the_configuration_and_chosen_again(pipeline, publication):
    """What it missed meanwhile is made good, whoever made the publication."""
    pipeline.execute(
        """
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'a');
        CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'b'), (2, 'b');
        """
    )
    if publication != "firns":
        which = "ALL TABLES" if publication == "all" else "TABLE a, b"
        pipeline.execute(f"CREATE PUBLICATION {pipeline.database} FOR {which}")
    pipeline.configure(source={"tables": ["public.*"]})
    pipeline.catch_up()
    pipeline.configure(source={"tables": ["public.a"]})
    pipeline.execute("DELETE FROM b WHERE id = 1; INSERT INTO b VALUES (3, 'unheard'); INSERT INTO a VALUES (2, 'a')")
    pipeline.catch_up()
    pipeline.expect_equal("a", engines=("pyiceberg",))
    pipeline.configure(source={"tables": ["public.*"]})
    pipeline.execute("INSERT INTO b VALUES (4, 'heard')")
    pipeline.catch_up()
    pipeline.expect_equal("a", "b")


def test_the_indexes_of_former_tables_and_keys_are_dropped(pipeline):
    for table in "ab":
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, code int NOT NULL); INSERT INTO {table} VALUES (1, 10), (2, 20)")
    pipeline.catch_up()
    pipeline.execute("UPDATE a SET code = 11 WHERE id = 1; UPDATE b SET code = 11 WHERE id = 1")
    dropping = "dropping an index that no table uses any more"
    assert dropping not in pipeline.catch_up().stderr
    assert dropping not in pipeline.catch_up().stderr
    uuids = [str(pipeline.lake.table("public", table).metadata.table_uuid) for table in "ab"]
    pipeline.execute("ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (code); DROP TABLE b")
    log = pipeline.catch_up().stderr
    pipeline.execute("UPDATE a SET id = 3 WHERE code = 11; DELETE FROM a WHERE code = 20")
    log += pipeline.catch_up().stderr
    log += pipeline.catch_up().stderr
    dropped = [line for line in log.splitlines() if dropping in line]
    assert len(dropped) == 2 and all(any(uuid in line for line in dropped) for uuid in uuids), dropped
    assert dropping not in pipeline.catch_up().stderr
    pipeline.expect_equal("a")


def test_a_dropped_table_is_told_as_stopped(shop):
    shop.execute("CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)")
    wait_equal(shop, "b")
    before = shop.rows("b")
    pid = shop.firn.pid
    shop.execute("DROP TABLE b; INSERT INTO a VALUES (2000, 'after')")
    wait_equal(shop, "a")
    wait_until(lambda: shop.firn.table_status("public.b")["state"] == "stopped", "b is stopped")
    assert shop.rows("b") == before
    shop.execute("CREATE TABLE b (id int PRIMARY KEY, fresh text); INSERT INTO b VALUES (1, 'new')")
    wait_equal(shop, "a", "b")
    assert shop.firn.pid == pid
    shop.firn.stop()
    shop.expect_equal("a", "b")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_while_tables_come(pipeline, seed):
    """With load on others and on the tables that are being copied."""
    moments = random.Random(seed)
    initialise(pipeline, 1)
    pipeline.configure(writer={"commit_interval_ms": 200}, retry={"base_delay_ms": 20})
    pipeline.catch_up()
    load = pipeline.postgres.pgbench(pipeline.database, "-n", "-c", "2", "-R", "200", "-T", "600")
    names = []
    try:
        for n in range(6):
            pipeline.firn.start()
            pipeline.firn.ended_within(moments.uniform(0.2, 1.5))
            name = f"new{n}"
            names.append(name)
            pipeline.execute(
                f"CREATE TABLE {name} (id int PRIMARY KEY, v text); "
                f"INSERT INTO {name} SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n"
            )
            for step in range(4):
                pipeline.execute(f"UPDATE {name} SET v = %s WHERE id %% 100 = %s", [f"s{step}", step])
                pipeline.execute(f"DELETE FROM {name} WHERE id = %s", [step * 7 + 1])
                pipeline.firn.ended_within(moments.uniform(0.05, 0.8))
            pipeline.firn.expect_running()
            pipeline.firn.kill()
            pipeline.execute(f"UPDATE {name} SET v = 'down' WHERE id % 50 = 3")
        assert load.poll() is None, load.communicate()[0]
    finally:
        load.terminate()
        load.communicate(timeout=30)
    pipeline.catch_up(timeout_s=240)
    pipeline.expect_equal(*TABLES, *names, engines=("pyiceberg", "duckdb"))
