"""The first copy of a table, beside COPY into nowhere and, in the same rounds, the same copy by others."""

from .. import contents, floors, peers, results, turns
from ..pipeline import Pipeline

FIRN = {"firn 1": 1, "firn 2": 2}  # By name: the number of copy workers.
TITLES = {"firn 1": "**firn**, 1 worker", "firn 2": "**firn**, 2 workers"}


def accounts(bench):
    rows = bench.scaled(10_000_000)
    result, _ = _copy(bench, "pgbench_accounts", "4 columns", rows, lambda database: database.make_accounts(rows), "≥ 0.80")
    return result


def trips(bench):
    rows = bench.scaled(5_000_000)
    result, taken = _copy(bench, "trips", "19 columns", rows, lambda database: database.make_trips(rows), "≥ 0.70")
    per_cpu_second = rows / turns.medians(taken, "firn 1").cpu_seconds
    result.figures.append(results.Figure("rows per CPU second of firn, 1 worker", per_cpu_second, "", "≥ 600,000"))
    return result


def _copy(bench, table, columns, rows, make, goal):
    with bench.source.database("copy") as database, peers.started(bench.peers, bench.directory) as competitors:
        make(database)
        pipelines = {
            name: Pipeline(bench.directory / name.replace(" ", "-"), database, {"source": {"copy_workers": workers}})
            for name, workers in FIRN.items()
        }
        titles = {"floor": floors.COPY_TITLE} | TITLES | {peer.name: peer.title for peer in competitors}
        steps = {"floor": lambda: floors.copy(database, [table])}
        steps |= {name: lambda pipeline=pipeline: _first_copy(pipeline) for name, pipeline in pipelines.items()}
        steps |= {peer.name: lambda peer=peer: peer.copy(database, table) for peer in competitors}
        taken = turns.take(bench.rounds, steps)
        for pipeline in pipelines.values():
            contents.expect_lake_equal(database, pipeline.lake, table)
            pipeline.delete_files()
        for peer in competitors:
            peer.expect_equal(database, table)
    what = f"`{table}`, {rows:,} rows of {columns}"
    result = results.from_turns(
        what, rows, "rows", taken, titles, {name: "floor" for name in titles if name != "floor"}, {"firn 1": goal}
    )
    result.figures.append(results.Figure("rate of firn's 2 workers / 1 worker", turns.rate_of(taken, "firn 2", "firn 1"), "", "> 1"))
    for peer in competitors:
        beside = f"firn {peer.connections}"
        workers = TITLES[beside].removeprefix("**firn**, ")
        result.figures += [
            results.Figure(f"rate of firn's {workers} / {peer.name}", turns.rate_of(taken, beside, peer.name), "", "> 1"),
            results.Figure(f"CPU of firn's {workers} / {peer.name}", turns.cpu_of(taken, beside, peer.name), "", "≤ 1"),
        ]
    return result, taken


def _first_copy(pipeline):
    pipeline.forget()
    taken = pipeline.catch_up()
    pipeline.database.drop_slot(pipeline.slot)  # Each has its turn as the only one.
    return taken
