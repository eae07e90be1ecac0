"""The floors: what PostgreSQL itself takes to send the same rows or changes to a client that drops them."""

import os

from harness.postgres_server import binaries

from . import measure

COPY_TITLE = "floor: `COPY` to /dev/null, one connection"
RECEIVE_TITLE = "floor: `pg_recvlogical` to /dev/null"


def copy(database, tables):
    """COPY … TO STDOUT (FORMAT binary) of the tables, one after the other."""
    commands = [word for table in tables for word in ("-c", f"COPY {table} TO STDOUT (FORMAT binary)")]
    return measure.run([binaries() / "psql", "-X", "-q", "-d", database.url, *commands])


def receive(pipeline, end):
    """pgoutput's binary messages of all changes from the pipeline's kept slot on until the LSN `end`, as firn asks for them."""
    database = pipeline.database
    database.copy_slot(pipeline.kept_slot, "floor")
    os.sync()
    try:
        return measure.run(
            [
                *(binaries() / "pg_recvlogical", "-d", database.url, "-S", "floor", "--start", "-n", "-f", os.devnull, "--endpos", end),
                *("-o", "proto_version=2", "-o", f"publication_names={pipeline.slot}", "-o", "binary=true"),
            ]
        )
    finally:
        database.drop_slot("floor")
