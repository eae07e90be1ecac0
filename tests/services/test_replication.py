"""The same replication into every catalog and store: at rest each engine reads there what PostgreSQL has."""

import random

import pytest
from harness.deployments import DEPLOYMENTS

TABLES = ("orders", "items", "notes")


def make_tables(pipeline):
    pipeline.execute(
        """
        CREATE TABLE orders (id bigint PRIMARY KEY, customer int, state text, amount numeric(12, 2), at timestamptz, note text);
        INSERT INTO orders SELECT n, n % 50, 'new', n / 7.0, '2024-01-01'::timestamptz + n * interval '1 h', repeat('x', n % 90)
          FROM generate_series(1, 3000) n;
        CREATE TABLE items (order_id bigint, line int, what text, PRIMARY KEY (line, order_id));
        INSERT INTO items SELECT n, l, 'thing ' || l FROM generate_series(1, 500) n, generate_series(1, 3) l;
        CREATE TABLE notes (at date, said text);
        ALTER TABLE notes REPLICA IDENTITY FULL;
        INSERT INTO notes SELECT '2024-01-01'::date + n % 9, 'said ' || n % 20 FROM generate_series(1, 300) n;
        """
    )


def change_rows(pipeline, round):
    """Some of everything that changes rows, in one transaction over three tables and a few of their own."""
    pipeline.execute(
        f"""
        BEGIN;
        INSERT INTO orders (id, customer, state) SELECT n, {round}, 'late' FROM generate_series({round}0001, {round}0200) n;
        INSERT INTO items SELECT n, 1, 'late' FROM generate_series({round}0001, {round}0200) n;
        INSERT INTO notes SELECT '2024-02-01', 'late ' || n % 7 FROM generate_series(1, 50) n;
        COMMIT;
        UPDATE orders SET state = 'paid {round}', amount = amount + 1 WHERE id % 7 = {round} % 7;
        UPDATE orders SET id = -id WHERE id % 500 = {round};
        DELETE FROM orders WHERE id % 31 = {round};
        DELETE FROM items WHERE order_id % 13 = {round};
        UPDATE notes SET said = said || '!' WHERE at = '2024-01-0{round}';
        DELETE FROM notes WHERE said = 'said {round}';
        """
    )


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_copies_follows_restarts_and_survives_kills(deploy, name):
    pipeline = deploy(name)
    pipeline.configure(writer={"commit_interval_ms": 300}, tables={"public.items": {"partition_by": ["bucket(4, order_id)"]}})
    make_tables(pipeline)
    pipeline.firn.start()
    change_rows(pipeline, 1)
    pipeline.firn.wait_streaming(timeout_s=180)
    change_rows(pipeline, 2)
    pipeline.execute("TRUNCATE notes; INSERT INTO notes VALUES ('2024-03-03', 'after the truncate')")
    pipeline.execute("ALTER TABLE orders ADD COLUMN region text DEFAULT 'north'; UPDATE orders SET region = 'south' WHERE id % 3 = 0")
    pipeline.execute("ALTER TABLE orders RENAME COLUMN note TO remark; ALTER TABLE orders DROP COLUMN customer")
    pipeline.execute("UPDATE orders SET remark = 'changed' WHERE id % 11 = 0")
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES)

    pipeline.execute("CREATE TABLE later (id int PRIMARY KEY, v text); INSERT INTO later VALUES (1, 'a'), (2, 'b')")
    moments = random.Random(name)
    for round in range(3):
        pipeline.firn.start()
        pipeline.execute("UPDATE orders SET amount = %s WHERE id %% 5 = %s", [round, round])
        pipeline.execute("UPDATE items SET what = what || '+' WHERE order_id %% 9 = %s", [round])
        pipeline.firn.ended_within(moments.uniform(0.3, 3.0))
        pipeline.execute("DELETE FROM items WHERE order_id %% 40 = %s", [round])
        pipeline.execute("INSERT INTO later VALUES (%s, 'kill')", [10 + round])
        pipeline.firn.kill()
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES, "later")
