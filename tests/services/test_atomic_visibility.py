"""A transaction over three tables is never half there, in the catalogs that are servers. Not in Apache's REST server, which is
made for tests: it takes the tables of a `transactions/commit` one after the other."""

import psycopg
import pytest
from harness.lake import to_rows
from harness.ledgers import TABLES, watch_transfers
from pyiceberg.table import StaticTable

KILLS = ("catalog.commit.before=kill@2", "catalog.commit.after=kill@2")
POINTERS = ("pointers.move.before=kill@2", "pointers.move.after=kill@2")


def look_by_sql(pipeline):
    """One query is one moment."""
    url = pipeline.deployment.settings["catalog"]["uri"]
    namespace = pipeline.deployment.namespace

    def look():
        with psycopg.connect(url) as connection:
            found = dict(
                connection.execute(
                    "SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = %s", [namespace]
                ).fetchall()
            )
        return tuple(found[table] for table in TABLES)

    return look


def look_by_rest(pipeline):
    """Each table is asked for by itself: what two rounds in a row have found stood at one moment between them."""
    catalog = pipeline.lake.catalog()
    namespace = pipeline.deployment.namespace

    def round_of_looks():
        return tuple(catalog.load_table((namespace, table)).metadata_location for table in TABLES)

    def look():
        before, now = None, round_of_looks()
        while now != before:
            before, now = now, round_of_looks()
        return now

    return look


@pytest.mark.parametrize(
    "name, look_by, kills", [("postgres-local", look_by_sql, KILLS + POINTERS), ("nessie-moto", look_by_rest, KILLS)]
)
def test_a_transaction_over_three_tables(deploy, name, look_by, kills):
    pipeline = deploy(name)
    store = pipeline.deployment.store.pyiceberg
    watch_transfers(
        pipeline, look_by(pipeline), lambda location: to_rows(StaticTable.from_metadata(location, store).scan().to_arrow()), kills
    )
