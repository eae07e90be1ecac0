"""A transaction over three tables is never half there: whoever reads the three of them in one look at the catalog finds all of it
or nothing, while firn commits, and where it is killed in the middle of a commit. tests/services has the other catalogs."""

import contextlib
import sqlite3

from harness.lake import read_with_pyiceberg
from harness.ledgers import TABLES, watch_transfers

KILLS = (
    "metadata.write.after=kill@2",
    "pointers.move.before=kill@2",
    "pointers.move.after=kill@2",
    "catalog.commit.after=kill@2",
)


def test_a_transaction_over_three_tables(pipeline):
    def look():
        query = "SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = 'public'"
        database = pipeline.lake.warehouse / "catalog.db"
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as catalog:
            found = dict(catalog.execute(query).fetchall())
        return tuple(found[table] for table in TABLES)

    watch_transfers(pipeline, look, read_with_pyiceberg, KILLS)
