"""Another writer commits to firn's tables while firn streams: firn's rows stay right, and the other's rows stay too."""

import re
import threading
import time

import pyarrow as pa
import pytest
from harness.waiting import wait_until
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

ROUNDS = 5
ROUND_SECONDS = 2


class OtherWriter(threading.Thread):
    """Appends rows by PyIceberg, whose ids are negative; `acknowledged` are those whose commit was."""

    def __init__(self, pipeline, table):
        super().__init__(daemon=True)
        self._pipeline = pipeline
        self._table = table
        self._stop_asked = threading.Event()
        self.acknowledged = []
        self.unknown = []
        self.conflicts = 0
        self.failure = None

    def run(self):
        try:
            number = 0
            while not self._stop_asked.is_set():
                number += 1
                self.append(-number)
        except Exception as failure:  # To be shown by the test's own thread.
            self.failure = failure

    def append(self, number):
        while not self._stop_asked.is_set():
            table = self._pipeline.lake.table("public", self._table)
            rows = pa.Table.from_pylist([{"id": number, "v": "another's"}], schema=table.schema().as_arrow())
            try:
                table.append(rows)
                self.acknowledged.append(number)
                return
            except CommitFailedException:
                self.conflicts += 1
            except CommitStateUnknownException:
                self.unknown.append(number)
                return

    def stop(self):
        self._stop_asked.set()
        self.join(60)
        if self.failure:
            raise self.failure


@pytest.mark.parametrize("name", ["sqlite-local", "postgres-versitygw", "rest-versitygw", "glue-moto", "rest-gcs"])
def test_pyiceberg_appends_while_firn_streams(deploy, name):
    pipeline = deploy(name)
    # Only the table that is compared: both sides' rows come together in another one.
    pipeline.configure(
        source={"tables": ["public.t"]},
        writer={"commit_interval_ms": 100},
        retry={"max_retries": 200, "base_delay_ms": 20, "max_delay_ms": 500},
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'copied' FROM generate_series(1, 1000) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)
    other = OtherWriter(pipeline, "t")
    other.start()
    n = 0
    for _ in range(ROUNDS):
        ends = time.monotonic() + ROUND_SECONDS
        while time.monotonic() < ends:
            n += 1
            pipeline.execute(f"UPDATE t SET v = 'round {n}' WHERE id % 20 = {n} % 20")
            pipeline.execute(f"INSERT INTO t VALUES ({2000 + n}, 'new'); DELETE FROM t WHERE id = {n}")
            time.sleep(0.05)
        # Who is slower than firn's commits follow each other meets one conflict after the other: it gets its turn.
        made = len(other.acknowledged)
        wait_until(lambda: pipeline.firn.expect_running() or len(other.acknowledged) > made, "the other writer commits", 60)
    other.stop()
    pipeline.firn.stop()
    pipeline.catch_up()

    there = {row["id"] for row in pipeline.rows("t") if row["id"] < 0}
    assert there >= set(other.acknowledged), "acknowledged rows of the other writer are gone"
    assert there <= set(other.acknowledged) | set(other.unknown)
    pipeline.execute("CREATE TABLE both_sides AS SELECT * FROM t")
    for number in there:
        pipeline.execute("INSERT INTO both_sides VALUES (%s, %s)", [number, "another's"])
    pipeline.expect_equal("t", source="both_sides")


def test_firn_goes_on_when_glue_refuses_its_stale_version(deploy):
    """Another's commit comes in between firn's look at the table and its own commit, several times."""
    pipeline = deploy("glue-moto")
    pipeline.configure(
        source={"tables": ["public.t"]},
        writer={"commit_interval_ms": 50},
        retry={"max_retries": 20, "base_delay_ms": 20, "max_delay_ms": 300},
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)
    other = OtherWriter(pipeline, "t")
    versions = pipeline.deployment.versions
    to_come = []
    failures = []

    def commit_first(request):
        if to_come and (request.header("User-Agent") or "").startswith("firn/"):
            try:
                other.append(to_come.pop())
            except Exception as failure:  # To be shown by the test's own thread.
                failures.append(failure)

    versions.before_update = commit_first
    for n in range(1, 5):
        refused = versions.refused
        to_come.append(-n)
        pipeline.execute(f"INSERT INTO t VALUES ({n}, 'y'); UPDATE t SET v = 'round {n}' WHERE id = 0")
        wait_until(lambda: pipeline.firn.expect_running() or versions.refused > refused, f"firn's commit {n} is refused", 60)
        wait_until(lambda: n in {row["id"] for row in pipeline.rows("t")}, f"commit {n} is in all the same", 60)
    assert not failures
    assert versions.refused >= 4
    counted = re.search(r'^firn_retries_total{what="catalog_commit"} (\d+)', pipeline.firn.get("/metrics"), re.MULTILINE)
    assert counted and int(counted[1]) >= 4
    pipeline.firn.stop()
    pipeline.execute("CREATE TABLE both_sides AS SELECT * FROM t UNION ALL SELECT -n, 'another''s' FROM generate_series(1, 4) n")
    pipeline.expect_equal("t", source="both_sides")
