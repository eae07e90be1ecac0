"""A small shop in PostgreSQL, replicated into Iceberg tables while it is open. `make demo` runs this.

Starts a PostgreSQL of its own below demo/, fills it, lets firn copy it and follow the shop's business for a while, and
shows what PostgreSQL holds beside what DuckDB reads from the Iceberg tables. Nothing keeps running afterwards.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from harness.firn_process import BINARY, run_firn  # noqa: E402
from harness.lake import connect_duckdb, read_with_pyiceberg, sql_catalog  # noqa: E402
from harness.postgres_server import PostgresServer  # noqa: E402
from harness.waiting import wait_until  # noqa: E402

LAKE = HERE / "lake"
SHOP = """
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text, since date NOT NULL);
    CREATE TABLE products (sku text PRIMARY KEY, title text NOT NULL, price numeric(10, 2) NOT NULL, tags text[]);
    CREATE TABLE orders (
        id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, sku text NOT NULL REFERENCES products,
        quantity int NOT NULL, amount numeric(12, 2) NOT NULL, state text NOT NULL, placed_at timestamptz NOT NULL, note jsonb
    );
    CREATE TABLE carts (session uuid PRIMARY KEY, items int NOT NULL);

    INSERT INTO customers SELECT n, 'Customer ' || n, 'c' || n || '@example.com', '2020-01-01'::date + n % 1500
        FROM generate_series(1, 5000) n;
    INSERT INTO products SELECT 'SKU-' || n, 'Product ' || n, 5 + n % 90 + 0.99, ARRAY['shop', 'tag ' || n % 7]
        FROM generate_series(1, 500) n;
    INSERT INTO orders SELECT n, 1 + n * 7 % 5000, 'SKU-' || 1 + n % 500, 1 + n % 4, (1 + n % 4) * (5.99 + n % 500 % 90),
            'paid', '2024-01-01'::timestamptz + n * interval '9 minutes', jsonb_build_object('channel', 'web', 'n', n)
        FROM generate_series(1, 50000) n;
    INSERT INTO carts SELECT gen_random_uuid(), n % 9 FROM generate_series(1, 2000) n;
"""
# What both sides are asked. Both PostgreSQL and DuckDB understand them.
QUESTIONS = [
    ("customers", "SELECT count(*) FROM customers"),
    ("products, sum of prices", "SELECT count(*), sum(price) FROM products"),
    ("orders, sum of amounts", "SELECT count(*), sum(amount) FROM orders"),
    ("orders by state", "SELECT state, count(*) FROM orders GROUP BY state ORDER BY state"),
    ("open carts", "SELECT count(*) FROM carts"),
    ("latest orders", "SELECT id, sku, quantity, amount, state FROM orders ORDER BY placed_at DESC, id DESC LIMIT 3"),
]


def say(text=""):
    print(text, flush=True)


def make_shop(server):
    with server.connect() as connection:
        connection.execute(SHOP)


def do_business(connection, seconds):
    """Orders come, are shipped, are cancelled; prices move; at last the carts are emptied.

    Gives the number of transactions so far, about once a second."""
    moments = random.Random(2024)
    began = told = time.monotonic()
    order = 50_000
    transactions = 0
    while time.monotonic() < began + seconds:
        with connection.transaction():
            for _ in range(moments.randint(1, 20)):
                order += 1
                connection.execute(
                    "INSERT INTO orders SELECT %(id)s, %(customer)s, sku, %(n)s, price * %(n)s, 'new', now(),"
                    " '{\"channel\": \"live\"}' FROM products WHERE sku = %(sku)s",
                    {
                        "id": order,
                        "customer": moments.randint(1, 5000),
                        "n": moments.randint(1, 5),
                        "sku": f"SKU-{moments.randint(1, 500)}",
                    },
                )
        connection.execute("UPDATE orders SET state = 'shipped' WHERE id %% 50 = %s AND state = 'paid'", [transactions % 50])
        connection.execute("DELETE FROM orders WHERE id = %s", [moments.randint(1, order)])
        connection.execute("UPDATE products SET price = price + 1 WHERE sku = %s", [f"SKU-{moments.randint(1, 500)}"])
        transactions += 4
        if time.monotonic() > told + 1:
            told = time.monotonic()
            yield transactions
    connection.execute("TRUNCATE carts; INSERT INTO carts SELECT gen_random_uuid(), 1 FROM generate_series(1, 3)")
    yield transactions + 1


def lake_tables():
    catalog = sql_catalog(f"sqlite:///{LAKE}/catalog.db", warehouse=f"file://{LAKE}")
    return {name: catalog.load_table(("public", name)) for name in ("customers", "products", "orders", "carts")}


def lake_rows(name):
    """As the latest snapshot's summary counts them; a reader would scan nothing either."""
    summary = lake_tables()[name].current_snapshot().summary
    return int(summary["total-records"]) - int(summary["total-position-deletes"])


def ask_lake(tables):
    duckdb = connect_duckdb()
    for name, table in tables.items():
        path = table.metadata_location.removeprefix("file://")
        duckdb.execute(f"CREATE VIEW {name} AS SELECT * FROM iceberg_scan('{path}')")
    return [duckdb.execute(question).fetchall() for _, question in QUESTIONS]


def show(ours, theirs):
    """Prints the answers side by side; True when they agree."""

    def lines(rows):
        return ["  ".join(str(value) for value in row) for row in rows]

    say(f"{'':26}{'PostgreSQL':46}Iceberg, as DuckDB reads it")
    agree = True
    for (title, _), left, right in zip(QUESTIONS, ours, theirs, strict=True):
        same = left == right
        agree &= same
        for n, (a, b) in enumerate(zip(lines(left) or ["-"], lines(right) or ["-"])):
            say(f"{title if n == 0 else '':26}{a:46}{b:46}{'' if same else '  DIFFERENT'}".rstrip())
    return agree


class Log:
    """firn's own lines, shown as they come."""

    def __init__(self, path):
        self.path = path
        self._shown = 0

    def show(self):
        text = self.path.read_text(errors="replace")
        for line in text[self._shown :].splitlines():
            say("   firn │ " + line)
        self._shown = len(text)


def run(arguments):
    for folder in ("lake", "state", "postgres"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    # PostgreSQL refuses to run as root, and its own user may not be able to reach this folder: then it lives elsewhere.
    place = pathlib.Path(tempfile.mkdtemp(prefix="firn-demo-")) if os.geteuid() == 0 else HERE / "postgres"
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    server = PostgresServer(place / "postgres")
    firn = None
    try:
        say("1. A PostgreSQL server and a shop of 5,000 customers, 500 products, 50,000 orders and 2,000 carts")
        server.start()
        make_shop(server)
        url = server.url("postgres")
        say(f"   {url}")

        command = [str(BINARY), "run", "--source", url, "--warehouse", str(LAKE)]
        shown = [os.path.relpath(word, REPOSITORY) if word.startswith("/") else word for word in command]
        say("\n2. firn copies it and follows it:\n   $ " + " ".join(shown))
        (HERE / "postgres").mkdir(exist_ok=True)
        log = Log(HERE / "postgres" / "firn.log")
        environment = os.environ | ({"FIRN_HTTP_LISTEN": arguments.listen} if arguments.listen else {})
        if arguments.listen:
            say(f"   its page: http://{arguments.listen}")
        with open(log.path, "wb") as output:
            firn = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

        def copied():
            log.show()
            if firn.poll() is not None:
                raise RuntimeError(f"firn ended with {firn.returncode}")
            try:
                return all(table.current_snapshot() for table in lake_tables().values())
            except Exception:  # The catalog or a table is not there yet.
                return False

        began = time.monotonic()
        wait_until(copied, "the copy is in the lake", timeout_s=120, interval_s=0.2)
        say(f"   copied within {time.monotonic() - began:.1f} s")

        say(f"\n3. The shop is open for {arguments.seconds} s: inserts, updates, deletes; then the carts are truncated.")
        say("   firn commits every 10 s, which the configuration file can change.")
        with server.connect() as connection:
            for transactions in do_business(connection, arguments.seconds):
                log.show()
                ours = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
                say(f"   {transactions:5} transactions; orders: {ours:,} in PostgreSQL, {lake_rows('orders'):,} in Iceberg")

        say("\n4. firn is stopped (SIGTERM), and run once more until it has caught up")
        firn.send_signal(signal.SIGTERM)
        firn.wait(60)
        log.show()
        run_firn("run", "--source", url, "--warehouse", LAKE, "--until-caught-up", check=True)

        say("\n5. Both sides\n")
        with server.connect() as connection:
            ours = [connection.execute(question).fetchall() for _, question in QUESTIONS]
        tables = lake_tables()
        agree = show(ours, ask_lake(tables))
        rows = len(read_with_pyiceberg(tables["orders"].metadata_location))
        say(f"\n   PyIceberg reads {rows} orders from {os.path.relpath(LAKE, REPOSITORY)}; the table has {len(tables['orders'].snapshots())} snapshots.")
        say("   " + ("Both sides are equal." if agree else "THE SIDES DIFFER."))
        how_to_go_on()
        return 0 if agree and rows == ours[2][0][0] else 1
    finally:
        if firn is not None and firn.poll() is None:
            firn.kill()
            firn.wait()
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


def how_to_go_on():
    say(
        f"""
The tables are yours to look at, with nothing running:

   .venv/bin/python - <<'END'
   from pyiceberg.catalog.sql import SqlCatalog
   catalog = SqlCatalog("firn", uri="sqlite:///{LAKE}/catalog.db", warehouse="file://{LAKE}")
   print(catalog.load_table("public.orders").scan(limit=5).to_arrow())
   END

Your own database (wal_level = logical, a role with REPLICATION; README.md says more):

   build/release/firn run --source postgresql://USER@HOST/DATABASE --warehouse ./lake
"""
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15, help="how long the shop is open")
    parser.add_argument("--listen", metavar="ADDRESS", help="where firn's page is meanwhile, as in 127.0.0.1:9090")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # What it has started ends with it.
    sys.exit(run(parser.parse_args()))
