"""How long it takes from a commit in PostgreSQL until the rows can be read in Iceberg, under a steady load.

The writer makes a transaction of ten changes every 2 ms. Right behind its COMMIT it asks the server for the WAL's end and the
clock. The reader asks the catalog every 10 ms where the table's metadata is. Where that is new, it reads the metadata and takes
`firn.lsn` from the current snapshot's summary: all transactions whose WAL ends there or before are readable since then.
"""

import dataclasses
import json
import pathlib
import threading
import time

from .. import changes, contents, results
from ..pipeline import CatalogWatch, Pipeline

TABLE = "pgbench_accounts"
TABLE_ROWS = 4_000_000
SECONDS = 60
CHANGES_PER_SECOND = 5000
PER_TRANSACTION = 10
KINDS = "uiud"
COMMIT_INTERVAL_MS = 1000
POLL_S = 0.01


@dataclasses.dataclass(frozen=True)
class Commit:
    at: float  # By the machine's clock, in seconds.
    lsn: int  # The WAL's end, right behind it.


def measure(bench):
    seconds = max(bench.scaled(SECONDS), 3)
    count = seconds * CHANGES_PER_SECOND
    table_rows = max(bench.scaled(TABLE_ROWS), count * 4)
    with bench.source.database("latency") as database:
        database.make_accounts(table_rows)
        pipeline = Pipeline(bench.directory / "latency", database, {"writer": {"commit_interval_ms": COMMIT_INTERVAL_MS}})
        pipeline.catch_up()
        database.execute(f"UPDATE {TABLE} SET abalance = 1 WHERE aid = 1")
        pipeline.catch_up()  # The index is there.
        source = changes.Changes(database, changes.Load(count, KINDS, PER_TRANSACTION), table_rows)
        with pipeline.running() as taken, Reader(pipeline) as reader:
            commits = _write(database, source, count)
            reader.wait_for(commits[-1].lsn)
        source.expect_made()
        contents.expect_lake_equal(database, pipeline.lake, TABLE)
        pipeline.delete_files()
    return _result(table_rows, seconds, count, commits, reader.readable, taken)


def _write(database, source, count):
    """Makes the changes in time, and gives their commits."""
    commits = []
    with database.connect() as connection:
        began = time.monotonic()
        for number in range(count // PER_TRANSACTION):
            time.sleep(max(0.0, began + number * PER_TRANSACTION / CHANGES_PER_SECOND - time.monotonic()))
            source.make(connection, PER_TRANSACTION)
            at, lsn = connection.execute(
                "SELECT extract(epoch FROM clock_timestamp())::float8, pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
            ).fetchone()
            commits.append(Commit(at, int(lsn)))
        # Once more, as the server may have written something else behind the last one before it told the WAL's end.
        connection.execute(f"UPDATE {TABLE} SET abalance = 0 WHERE aid = 1")
    return commits


class Reader:
    """A thread that notes when which LSN became readable."""

    def __init__(self, pipeline):
        self.readable = []  # (LSN, clock), in their order.
        self._pipeline = pipeline
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="reader")

    def __enter__(self):
        self._catalog = CatalogWatch(self._pipeline, TABLE)
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self._stopped.set()
        self._thread.join()
        self._catalog.close()

    def wait_for(self, lsn, timeout_s=120):
        deadline = time.monotonic() + timeout_s
        while not self.readable or self.readable[-1][0] < lsn:
            self._pipeline.firn.expect_running()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the last change is not readable within {timeout_s} s")
            time.sleep(0.1)

    def _poll(self):
        known = None
        while not self._stopped.wait(POLL_S):
            location = self._catalog.location()
            if location != known:
                known = location
                lsn = progress(location)
                self.readable.append((lsn, time.time()))


def progress(metadata_location):
    """firn.lsn of the current snapshot, or of the one before where that is a compaction's."""
    metadata = json.loads(pathlib.Path(metadata_location.removeprefix("file://")).read_text())
    snapshots = {snapshot["snapshot-id"]: snapshot for snapshot in metadata["snapshots"]}
    snapshot = snapshots[metadata["current-snapshot-id"]]
    while "firn.lsn" not in snapshot["summary"]:
        snapshot = snapshots[snapshot["parent-snapshot-id"]]
    high, low = snapshot["summary"]["firn.lsn"].split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _result(table_rows, seconds, count, commits, readable, taken):
    delays, points, seen = [], [], 0
    for commit in commits:
        while readable[seen][0] < commit.lsn:
            seen += 1
        delays.append(readable[seen][1] - commit.at)
        points.append((commit.at - commits[0].at, delays[-1]))
    ordered = sorted(delays)
    reached = count / (commits[-1].at - commits[0].at)
    result = results.Result(
        f"`{TABLE}`, {table_rows:,} rows: {CHANGES_PER_SECOND:,} changes a second (half updates, a quarter inserts, a quarter deletes) in"
        f" transactions of {PER_TRANSACTION} for {seconds} s, `commit_interval_ms: {COMMIT_INTERVAL_MS}`"
    )
    result.figures = [
        results.Figure("changes a second that the writer reached", reached, "", f"{CHANGES_PER_SECOND:,}"),
        results.Figure("from commit to readable, median", ordered[len(ordered) // 2], "s"),
        results.Figure("… 99th percentile", ordered[len(ordered) * 99 // 100], "s", "< 2 s"),
        results.Figure("… longest", ordered[-1], "s"),
        results.Figure("firn's CPU", taken.cpu_seconds, "CPU s"),
        results.Figure("firn's peak memory", taken.peak_mib, "MiB", "< 572 MiB (600 MB)"),
    ]
    thinned = points[:: max(1, len(points) // 600)]
    result.series = [results.Series("latency: from commit to readable", "seconds since the start", "seconds", {"firn": thinned})]
    return result
