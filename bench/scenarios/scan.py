"""An hour of small commits with upkeep, forty times as fast as in life: how long DuckDB takes to read the whole table, beside the
same rows freshly written: when the last of them is made, and after the next look of upkeep.

In an hour, the default commit_interval_ms of ten seconds gives 360 commits and the default maintenance.interval of ten minutes
six looks. Here both are a fortieth.
"""

import contextlib
import statistics
import time

from harness.lake import connect_duckdb
from harness.spark import JARS, SparkReader
from pyiceberg.table import StaticTable

from .. import changes, contents, results
from ..pipeline import CatalogWatch, Pipeline

TABLE = "pgbench_accounts"
TABLE_ROWS = 4_000_000
COMMITS = 360
CHANGES_PER_COMMIT = 2000
COMMIT_INTERVAL_MS = 250
MAINTENANCE_INTERVAL_S = 15
SCAN = "SELECT count(*), sum(aid), sum(bid), sum(abalance), sum(length(filler)) FROM iceberg_scan('{}')"


def measure(bench):
    commits = max(bench.scaled(COMMITS), 60)
    per_commit = bench.scaled(CHANGES_PER_COMMIT, multiple=4)
    load = changes.Load(commits * per_commit, "uiud", per_commit)
    table_rows = max(bench.scaled(TABLE_ROWS), load.count * 4)
    settings = {"writer": {"commit_interval_ms": COMMIT_INTERVAL_MS}, "maintenance": {"interval": f"{MAINTENANCE_INTERVAL_S}s"}}
    with bench.source.database("scan") as database:
        database.make_accounts(table_rows)
        pipeline = Pipeline(bench.directory / "scan", database, settings)
        pipeline.catch_up()
        source = changes.Changes(database, load, table_rows)
        with pipeline.running() as taken:
            made, compactions = _commit(database, pipeline, source, commits, per_commit)
            last = pipeline.lake.metadata_location("public", TABLE)
            _wait_for_upkeep(pipeline)
        source.expect_made()
        contents.expect_lake_equal(database, pipeline.lake, TABLE)
        writer, fresh = _write_afresh(pipeline)
        looked_after = pipeline.lake.metadata_location("public", TABLE)
        times = _scan(bench.rounds, {"last": last, "looked after": looked_after, "fresh": fresh})
        files = {name: _files(location) for name, location in (("last", last), ("looked after", looked_after))}
        pipeline.delete_files()
    result = results.Result(
        f"`{TABLE}`, {table_rows:,} rows: {made:,} commits of {per_commit:,} changes with upkeep every {MAINTENANCE_INTERVAL_S} s; then"
        f" DuckDB reads all columns, the median of {bench.rounds} rounds; fresh: the same rows written by {writer}"
    )
    result.figures = [
        results.Figure("DuckDB's scan of firn's table behind the last commit", statistics.median(times["last"]), "s"),
        results.Figure("… after the next look of upkeep", statistics.median(times["looked after"]), "s"),
        results.Figure(f"DuckDB's scan of {writer}'s", statistics.median(times["fresh"]), "s"),
        results.Figure("behind the last commit / fresh", _ratio(times["last"], times["fresh"]), "", "≤ 1.2"),
        results.Figure("after the next look / fresh", _ratio(times["looked after"], times["fresh"]), "", "≤ 1.2"),
        results.Figure("compactions meanwhile", compactions),
        results.Figure("firn's data files behind the last commit", files["last"][0]),
        results.Figure("… its delete files", files["last"][1]),
        results.Figure("firn's data files after the next look", files["looked after"][0]),
        results.Figure("… its delete files", files["looked after"][1]),
        results.Figure("firn's CPU", taken.cpu_seconds, "CPU s"),
        results.Figure("firn's peak memory", taken.peak_mib, "MiB", "< 572 MiB (600 MB)"),
    ]
    return result


def _commit(database, pipeline, source, commits, per_commit):
    """A transaction for each commit interval. Gives the numbers of firn's commits and of its compactions."""
    catalog = CatalogWatch(pipeline, TABLE)
    before = pipeline.metric("iceberg_commits_successful_total", TABLE)
    began = time.monotonic()
    with database.connect() as connection:
        for number in range(commits):
            time.sleep(max(0.0, began + number * COMMIT_INTERVAL_MS / 1000 - time.monotonic()))
            location = catalog.location()
            source.make(connection, per_commit)
            # Where a commit takes longer than the interval, the next transaction waits for it.
            deadline = time.monotonic() + 60
            while catalog.location() == location:
                pipeline.firn.expect_running()
                if time.monotonic() > deadline:
                    raise TimeoutError("no commit within 60 s")
                time.sleep(0.005)
    catalog.close()
    made = pipeline.metric("iceberg_commits_successful_total", TABLE) - before
    return int(made), int(pipeline.metric("firn_compactions_total", TABLE))


def _wait_for_upkeep(pipeline):
    """Until it has had its look and found no more to do."""
    while True:
        location = pipeline.lake.metadata_location("public", TABLE)
        time.sleep(MAINTENANCE_INTERVAL_S + 5)
        if pipeline.lake.metadata_location("public", TABLE) == location:
            return


def _files(location):
    """The numbers of data and of delete files of the current snapshot."""
    summary = StaticTable.from_metadata(location).current_snapshot().summary
    return int(summary["total-data-files"]), int(summary["total-delete-files"])


def _ratio(times, others):
    return statistics.median(a / b for a, b in zip(times, others, strict=True))


def _write_afresh(pipeline):
    """Writes the rows of firn's table into another table of its lake. Gives by what, and where its metadata is."""
    try:
        import pyspark
    except ImportError:
        return f"PyIceberg {_write_by_pyiceberg(pipeline)}", pipeline.lake.metadata_location("fresh", TABLE)
    if not any(JARS.glob("*.jar")):
        raise RuntimeError(f"pyspark is installed and {JARS} is empty: run scripts/install-dependencies conformance")
    spark = SparkReader()
    try:
        session = spark.session(pipeline.firn.warehouse)
        session.sql("CREATE NAMESPACE firn.fresh")
        session.sql(f"CREATE TABLE firn.fresh.{TABLE} USING iceberg AS SELECT * FROM firn.public.{TABLE}")
    finally:
        spark.stop()
    return f"Spark {pyspark.__version__}", pipeline.lake.metadata_location("fresh", TABLE)


def _write_by_pyiceberg(pipeline):
    """Gives its version."""
    import pyiceberg

    catalog = pipeline.lake.catalog()
    rows = pipeline.lake.table("public", TABLE).scan().to_arrow()
    catalog.create_namespace("fresh")
    catalog.create_table(("fresh", TABLE), rows.schema).append(rows)
    return pyiceberg.__version__


def _scan(rounds, locations):
    """The seconds of each round's scans, in turns; a first scan of each warms the caches and is not counted."""
    times = {name: [] for name in locations}
    sums = set()
    for number in range(rounds + 1):
        names = list(locations) if number % 2 == 0 else list(reversed(locations))
        for name in names:
            with contextlib.closing(connect_duckdb()) as connection:
                began = time.monotonic()
                sums.add(connection.execute(SCAN.format(locations[name].removeprefix("file://"))).fetchone())
                if number > 0:
                    times[name].append(time.monotonic() - began)
    if len(sums) != 1:
        raise RuntimeError(f"firn's rows and the fresh ones differ: {sums}")
    return times
