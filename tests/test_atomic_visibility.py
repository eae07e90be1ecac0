"""A transaction over three tables is never half there: whoever reads the three of them in one look at the catalog finds all of it
or nothing, while firn commits, and where it is killed in the middle of a commit."""

import contextlib
import random
import sqlite3
import threading

from harness.lake import read_with_pyiceberg
from harness.waiting import wait_until

TABLES = ("ledger_a", "ledger_b", "ledger_c")
KILLS = (
    "metadata.write.after=kill@2",
    "pointers.move.before=kill@2",
    "pointers.move.after=kill@2",
    "catalog.commit.after=kill@2",
)
LOOKS_MAX = 25


class Reader(threading.Thread):
    """Looks at the catalog all the time. `looks`: the metadata files of the three tables, as each look has found them."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self._database = database
        self._end = threading.Event()
        self.looks = set()

    def run(self):
        query = "SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = 'public'"
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=30)) as catalog:
            while not self._end.is_set():
                found = dict(catalog.execute(query).fetchall())
                self.looks.add(tuple(found[table] for table in TABLES))
                self._end.wait(0.002)

    def stop(self):
        self._end.set()
        self.join(30)


def test_a_transaction_over_three_tables(pipeline):
    dice = random.Random(1)
    pipeline.configure(writer={"commit_interval_ms": 50}, retry={"base_delay_ms": 20, "max_delay_ms": 100})
    pipeline.execute(";".join(f"CREATE TABLE {table} (id int PRIMARY KEY, amount int)" for table in TABLES))
    pipeline.catch_up()
    reader = Reader(pipeline.lake.warehouse / "catalog.db")
    reader.start()
    number = 0

    def transfer():
        """Always in all three, with amounts that add up to nothing."""
        nonlocal number
        number += 1
        amount = dice.randint(1, 1000)
        statements = [
            f"INSERT INTO ledger_a VALUES ({number}, {amount})",
            f"INSERT INTO ledger_b VALUES ({number}, {-2 * amount})",
            f"INSERT INTO ledger_c VALUES ({number}, {amount})",
        ]
        if number % 5 == 0:
            old = dice.randint(1, number)
            statements += [f"DELETE FROM {table} WHERE id = {old}" for table in TABLES]
        pipeline.execute("; ".join(dice.sample(statements, len(statements))))

    try:
        for kill in KILLS:
            pipeline.firn.start({"FIRN_FAILPOINTS": kill})

            def is_killed():
                transfer()
                return pipeline.firn.ended_within(0.01)

            wait_until(is_killed, "firn comes to the failpoint", interval_s=0)
            assert pipeline.firn.exit_code == -9
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
        for _ in range(100):
            transfer()
        pipeline.firn.stop()
    finally:
        reader.stop()
    looks = sorted(reader.looks)
    assert len(looks) > len(KILLS), "the reader saw too few states"
    for look in dice.sample(looks, min(len(looks), LOOKS_MAX)):
        a, b, c = ({row["id"]: row["amount"] for row in read_with_pyiceberg(location)} for location in look)
        assert a.keys() == b.keys() == c.keys(), f"half a transaction is there: {look}"
        assert all(a[id_] + b[id_] + c[id_] == 0 for id_ in a), f"half a transaction is there: {look}"
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES, engines=["pyiceberg"])
