"""Many small commits on one table: whether the last take longer than the first.

One transaction at a time, each of a few changes: the next is made once the catalog's entry has changed. firn's own time for a commit
is that of its metric iceberg_commit_duration_seconds.
"""

import dataclasses
import os
import time

from .. import changes, contents, results
from ..measure import cpu_seconds_of
from ..pipeline import CatalogWatch, Pipeline

TABLE = "pgbench_accounts"
COMMITS = 10_000
KINDS = "uiud"  # One transaction.
STEP = 100  # Commits that a mean is taken of.


def measure(bench):
    commits = max(bench.scaled(COMMITS, STEP), 3 * STEP)
    load = changes.Load(commits * len(KINDS), KINDS, len(KINDS))
    table_rows = 4 * load.count
    with bench.source.database("commits") as database:
        database.make_accounts(table_rows)
        pipeline = Pipeline(bench.directory / "commits", database, {"writer": {"commit_interval_ms": 1}})
        pipeline.catch_up()
        database.execute(f"UPDATE {TABLE} SET abalance = 1 WHERE aid = 1")
        pipeline.catch_up()  # The index is there.
        source = changes.Changes(database, load, table_rows)
        with pipeline.running() as taken:
            steps, made = _commit(database, pipeline, source, commits)
        source.expect_made()
        contents.expect_lake_equal(database, pipeline.lake, TABLE)
        pipeline.delete_files()
    return _result(table_rows, commits, steps, made, taken)


@dataclasses.dataclass(frozen=True)
class Step:
    """Some commits, one after the other, up to number `last`: what each took in the mean, and the metadata file behind them."""

    last: int
    seconds: float
    cpu_seconds: float  # Of the whole process meanwhile.
    metadata_bytes: int


def _commit(database, pipeline, source, commits):
    """Gives the steps, and how many commits there were."""
    steps = []
    catalog = CatalogWatch(pipeline, TABLE)
    before = first = _commit_times(pipeline)
    cpu_before = cpu_seconds_of(pipeline.firn.pid)
    location = catalog.location()
    with database.connect() as connection:
        for number in range(1, commits + 1):
            source.make(connection, len(KINDS))
            location = _wait_for_other(catalog, pipeline, location)
            if number % STEP == 0:
                now, cpu_now = _commit_times(pipeline), cpu_seconds_of(pipeline.firn.pid)
                count = now[0] - before[0]
                size = os.path.getsize(location.removeprefix("file://"))
                steps.append(Step(number, (now[1] - before[1]) / count, (cpu_now - cpu_before) / count, size))
                before, cpu_before = now, cpu_now
    catalog.close()
    return steps, int(before[0] - first[0])


def _commit_times(pipeline):
    """How many commits there were, and their seconds in all."""
    return tuple(pipeline.metric(f"iceberg_commit_duration_seconds_{what}", TABLE) for what in ("count", "sum"))


def _wait_for_other(catalog, pipeline, location, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while (now := catalog.location()) == location:
        if time.monotonic() > deadline:
            pipeline.firn.expect_running()
            raise TimeoutError(f"no commit within {timeout_s} s")
        time.sleep(0.001)
    return now


def _result(table_rows, commits, steps, made, taken):
    first, last = steps[0], steps[-1]
    result = results.Result(
        f"`{TABLE}`, {table_rows:,} rows: {commits:,} transactions of {len(KINDS)} changes, one after the other, `commit_interval_ms: 1`"
    )
    result.figures = [
        results.Figure("commits", made),
        results.Figure(f"mean of the first {STEP} commits", first.seconds * 1000, "ms", "≤ 50 ms"),
        results.Figure(f"mean of the last {STEP} commits", last.seconds * 1000, "ms", "≤ 50 ms"),
        results.Figure("last / first", last.seconds / first.seconds, "", "≤ 1.5"),
        results.Figure(f"firn's CPU for each of the first {STEP}", first.cpu_seconds * 1000, "CPU ms"),
        results.Figure(f"firn's CPU for each of the last {STEP}", last.cpu_seconds * 1000, "CPU ms"),
        results.Figure("the metadata file at the end", last.metadata_bytes / 1024, "KiB", "bounded"),
        results.Figure("firn's peak memory", taken.peak_mib, "MiB", "< 572 MiB (600 MB)"),
    ]
    clock = [(step.last, step.seconds * 1000) for step in steps]
    cpu = [(step.last, step.cpu_seconds * 1000) for step in steps]
    sizes = [(step.last, step.metadata_bytes / 1024) for step in steps]
    result.series = [
        results.Series(f"commits: time of a commit, mean of {STEP}", "commits", "ms", {"wall clock": clock, "CPU": cpu}),
        results.Series("commits: size of the metadata file", "commits", "KiB", {"metadata.json": sizes}),
    ]
    return result
