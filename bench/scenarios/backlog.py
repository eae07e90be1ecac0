"""A backlog of changes of a table, which is drained: beside pg_recvlogical, which drops the same messages."""

from .. import changes, contents, floors, results, turns
from ..pipeline import Pipeline

TABLE_ROWS = 10_000_000
MIXED = "uiud"
MIXED_TEXT = "half updates, a quarter inserts, a quarter deletes"


def mixed(bench):
    return _backlog(bench, changes.Load(bench.scaled(2_000_000, multiple=100), MIXED, 100), MIXED_TEXT)


def insert(bench):
    return _backlog(bench, changes.Load(bench.scaled(2_000_000, multiple=100), "i", 100), "inserts")


def single(bench):
    return _backlog(bench, changes.Load(bench.scaled(500_000, multiple=4), MIXED, 1), MIXED_TEXT)


def _backlog(bench, load, kinds):
    table_rows = bench.scaled(TABLE_ROWS)
    with bench.source.database("backlog") as database:
        database.make_accounts(table_rows)
        pipeline = Pipeline(bench.directory / "backlog", database)
        pipeline.catch_up()
        database.execute("UPDATE pgbench_accounts SET abalance = 1 WHERE aid = 1")
        index_build = pipeline.catch_up()
        # Each round has the same backlog, and the lake and the index as they were before it.
        pipeline.keep()
        print(f"  making {load.count:,} changes", flush=True)
        end = changes.Changes(database, load, table_rows).make_all()

        def firn():
            pipeline.return_to_kept()
            return pipeline.catch_up()

        taken = turns.take(bench.rounds, {"floor": lambda: floors.receive(pipeline, end), "firn": firn})
        contents.expect_lake_equal(database, pipeline.lake, "pgbench_accounts")
        pipeline.delete_files()
    what = (
        f"`pgbench_accounts`, {table_rows:,} rows: {load.count:,} changes, {kinds}, in transactions of {load.per_transaction};"
        " mirror, position deletes"
    )
    titles = {"floor": floors.RECEIVE_TITLE, "firn": "**firn**"}
    result = results.from_turns(what, load.count, "changes", taken, titles, {"firn": "floor"}, {"firn": "≥ 0.80"})
    result.figures += [
        results.Figure("catching up with one change, which builds the index", index_build.seconds, "s"),
        results.Figure("… its CPU", index_build.cpu_seconds, "CPU s"),
        results.Figure("… its memory", index_build.peak_mib, "MiB"),
    ]
    return result
