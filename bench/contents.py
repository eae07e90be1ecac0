"""Whether a lake has PostgreSQL's rows: checksums over the same text of each row, by PostgreSQL and by DuckDB.

A row's text has its columns' texts between bars. A table's checksum is the sum of 60 bits of each row's MD5 and thus does
not depend on the rows' order; with a row that is missing, changed or there twice it differs.
"""

import contextlib

from harness.lake import connect_duckdb

NULL_TEXT = r"\N"


def expect_lake_equal(database, lake, *tables):
    """Fails unless each Iceberg table public.`tables` has the rows that PostgreSQL has."""
    relations = {}
    for table in tables:
        path = lake.metadata_location("public", table).removeprefix("file://")
        relations[table] = f"iceberg_scan('{path}')"
    expect_equal(database, relations, "firn's")


def expect_equal(database, relations, whose):
    """The same of anything that DuckDB reads. `relations`: table → what DuckDB finds its copy by; `whose`: for messages.
    char(n) is compared without the blanks at its end, numeric(p, s) at its scale, whatever the copy's own is."""
    rows = 0
    with database.connect() as connection, contextlib.closing(connect_duckdb()) as duckdb:
        duckdb.execute("SET memory_limit = '1GB'")
        for table, relation in relations.items():
            columns = connection.execute(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                [table],
            ).fetchall()
            ours = connection.execute(_postgres_query(table, columns)).fetchone()
            theirs = duckdb.execute(_duckdb_query(relation, columns)).fetchone()
            # Both sums are wider than 64 bits: numeric and HUGEINT.
            if tuple(map(int, ours)) != tuple(map(int, theirs)):
                raise RuntimeError(
                    f"{table}: {ours[0]:,} rows with the checksum {ours[1]} in PostgreSQL; {whose} has {theirs[0]:,} with {theirs[1]}"
                )
            rows += ours[0]
    named = ", ".join(relations) if len(relations) < 4 else f"{len(relations):,} tables"
    print(f"  {named}: PostgreSQL's and {whose} {rows:,} rows are the same", flush=True)


def _postgres_query(table, columns):
    # A cast of char(n) to text leaves its blanks out.
    texts = ", ".join(f"CASE WHEN \"{name}\" IS NULL THEN '{NULL_TEXT}' ELSE \"{name}\"::text END" for name, _ in columns)
    hashed = f"('x' || left(md5(concat_ws('|', {texts})), 15))::bit(60)::bigint"
    return f"SELECT count(*), coalesce(sum({hashed}), 0) FROM {table}"


def _duckdb_query(relation, columns):
    def text(name, kind):
        column = f'"{name}"'
        if kind.startswith("numeric("):
            column = f"{column}::{kind}"
        elif kind.startswith("character("):
            column = f"rtrim({column}, ' ')"
        return f"coalesce({column}::VARCHAR, '{NULL_TEXT}')"

    texts = ", ".join(text(name, kind) for name, kind in columns)
    hashed = f"('0x' || left(md5(concat_ws('|', {texts})), 15))::BIGINT"
    return f"SELECT count(*), coalesce(sum({hashed}), 0) FROM {relation}"
