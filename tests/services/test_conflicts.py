"""Another writer commits to firn's tables while firn streams: firn's rows stay right, and the other's rows stay too."""

import threading
import time

import pyarrow as pa
import pytest
from harness.waiting import wait_until
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

SECONDS = 10


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
                self._append(-number)
        except Exception as failure:  # To be shown by the test's own thread.
            self.failure = failure

    def _append(self, number):
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
    ends = time.monotonic() + SECONDS
    n = 0
    while time.monotonic() < ends or not other.acknowledged:
        n += 1
        pipeline.execute(f"UPDATE t SET v = 'round {n}' WHERE id % 20 = {n} % 20")
        pipeline.execute(f"INSERT INTO t VALUES ({2000 + n}, 'new'); DELETE FROM t WHERE id = {n}")
        time.sleep(0.05)
        pipeline.firn.expect_running()
        assert time.monotonic() < ends + 60, "the other writer never got a commit in"
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


def test_a_stale_version_of_glue_is_refused_to_firn_too(deploy):
    """The proxy's lock works, or the test above would show nothing: firn met conflicts, and went on."""
    pipeline = deploy("glue-moto")
    pipeline.configure(writer={"commit_interval_ms": 50}, retry={"max_retries": 200, "base_delay_ms": 20, "max_delay_ms": 300})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)
    writers = [OtherWriter(pipeline, "t") for _ in range(1)]
    for writer in writers:
        writer.start()
    n = 0

    def refused():
        nonlocal n
        n += 1
        pipeline.execute("INSERT INTO t VALUES (%s, 'y')", [n])
        return pipeline.deployment.versions.refused >= 3

    try:
        wait_until(refused, "stale versions are refused", 60, interval_s=0.05)
    finally:
        for writer in writers:
            writer.stop()
    pipeline.firn.stop()
    pipeline.catch_up()
    there = [row["id"] for row in pipeline.rows("t")]
    assert sorted(there) == sorted(set(there)), "rows are there twice"
    assert {id for id in there if id >= 0} == set(range(n + 1))
    assert {id for id in there if id < 0} >= set(writers[0].acknowledged)
