"""Transactions that are always over three tables, with amounts that add up to nothing; and a reader that looks at the three of
them all the time, so that a half of one would be seen."""

import random
import threading

from .waiting import wait_until

TABLES = ("ledger_a", "ledger_b", "ledger_c")
LOOKS_MAX = 25


class Reader(threading.Thread):
    """Calls `look` all the time, which gives the metadata files of the three tables as of one moment. `looks`: all that were
    found."""

    def __init__(self, look):
        super().__init__(daemon=True)
        self._look = look
        self._end = threading.Event()
        self.looks = set()
        self.error = None

    def run(self):
        try:
            while not self._end.is_set():
                self.looks.add(self._look())
                self._end.wait(0.002)
        except Exception as error:  # noqa: BLE001
            self.error = error

    def stop(self):
        self._end.set()
        self.join(30)
        if self.error:
            raise self.error


class Transfers:
    def __init__(self, pipeline, seed=1):
        self._pipeline = pipeline
        self._dice = random.Random(seed)
        self._number = 0
        pipeline.execute(";".join(f"CREATE TABLE {table} (id int PRIMARY KEY, amount int)" for table in TABLES))

    def make(self):
        self._number += 1
        number, amount = self._number, self._dice.randint(1, 1000)
        statements = [
            f"INSERT INTO ledger_a VALUES ({number}, {amount})",
            f"INSERT INTO ledger_b VALUES ({number}, {-2 * amount})",
            f"INSERT INTO ledger_c VALUES ({number}, {amount})",
        ]
        if number % 5 == 0:
            old = self._dice.randint(1, number)
            statements += [f"DELETE FROM {table} WHERE id = {old}" for table in TABLES]
        self._pipeline.execute("; ".join(self._dice.sample(statements, len(statements))))


def watch_transfers(pipeline, look, read, kills):
    """Transfers, with firn killed at each of the failpoints `kills`: no look has found half of one. `read` gives the rows of a
    metadata file."""
    pipeline.configure(writer={"commit_interval_ms": 50}, retry={"base_delay_ms": 20, "max_delay_ms": 100})
    transfers = Transfers(pipeline)
    pipeline.catch_up()
    reader = Reader(look)
    reader.start()
    try:
        for kill in kills:
            pipeline.firn.start({"FIRN_FAILPOINTS": kill})

            def is_killed():
                transfers.make()
                return pipeline.firn.ended_within(0.01)

            wait_until(is_killed, "firn comes to the failpoint", interval_s=0)
            assert pipeline.firn.exit_code == -9
        pipeline.firn.start()
        pipeline.firn.wait_streaming()
        for _ in range(100):
            transfers.make()
        pipeline.firn.stop()
    finally:
        reader.stop()
    looks = sorted(reader.looks)
    assert len(looks) > len(kills), "the reader saw too few states"
    for found in random.Random(1).sample(looks, min(len(looks), LOOKS_MAX)):
        a, b, c = ({row["id"]: row["amount"] for row in read(location)} for location in found)
        assert a.keys() == b.keys() == c.keys(), f"half a transaction is there: {found}"
        assert all(a[id_] + b[id_] + c[id_] == 0 for id_ in a), f"half a transaction is there: {found}"
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES, engines=["pyiceberg"])
