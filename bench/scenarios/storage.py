"""Bytes of firn's data files after the copy, beside the same rows in the same order, written by PyArrow as plain Parquet with the
same compression and the same row groups, and PyArrow's own choices otherwise."""

import pyarrow.parquet as parquet

from .. import contents, results
from ..pipeline import Pipeline


def measure(bench):
    result = results.Result("the files of a copy beside what PyArrow makes of their rows")
    described = []
    with bench.source.database("storage") as database:
        accounts, trips = bench.scaled(5_000_000), bench.scaled(5_000_000)
        database.make_accounts(accounts)
        database.make_trips(trips)
        pipeline = Pipeline(bench.directory / "storage", database)
        pipeline.catch_up()
        contents.expect_lake_equal(database, pipeline.lake, "pgbench_accounts", "trips")
        for table, rows in (("pgbench_accounts", accounts), ("trips", trips)):
            files = sorted((pipeline.firn.warehouse / "public" / table).rglob("*.parquet"))
            firn = sum(file.stat().st_size for file in files)
            plain = sum(_written_plainly(file, bench.directory / "plain.parquet") for file in files)
            described.append(f"`{table}`, {rows:,} rows in {len(files)} file{'s' if len(files) > 1 else ''}")
            result.figures += [
                results.Figure(f"`{table}`: firn's data files", firn / 2**20, "MiB"),
                results.Figure(f"`{table}`: PyArrow's", plain / 2**20, "MiB"),
                results.Figure(f"`{table}`: firn's / PyArrow's", firn / plain, "", "< 1.05"),
            ]
        pipeline.delete_files()
    result.what = f"{'; '.join(described)}: {result.what}"
    return result


def _written_plainly(file, target):
    """The bytes of a file's rows, written anew."""
    source = parquet.ParquetFile(file)
    compression = source.metadata.row_group(0).column(0).compression
    with parquet.ParquetWriter(target, source.schema_arrow, compression=compression) as writer:
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            writer.write_table(rows, row_group_size=len(rows))
    size = target.stat().st_size
    target.unlink()
    return size
