"""Filters give the rows that PostgreSQL gives, whichever files an engine leaves out for their partition or bounds.

Each commit has one value of each column, so each file's bounds are narrow and nearly every filter leaves files out.
"""

import contextlib
import datetime
import uuid

import pyarrow
import pyarrow.parquet
import pytest
from harness.engines import ENGINES, features_of
from harness.lake import connect_duckdb
from harness.spark import quoted

# Column: its type, and a value for each commit, in SQL that PostgreSQL and DuckDB understand. None is NULL.
COLUMNS = {
    "i": ("int", ["-2147483648", "-11", "-10", "-1", "0", "1", "9", "10", "2147483647", None]),
    "l": ("bigint", ["-9223372036854775808", "-1001", "-1000", "-1", "0", "999", "1000", "1001", "9223372036854775807", None]),
    "amt": ("numeric(12, 2)", ["-9999999999.99", "-500.01", "-500.00", "-0.01", "0.00", "0.01", "499.99", "500.00", "9999999999.99", None]),
    "wide": ("numeric(38, 10)", ["-9999999999999999999999999999.9999999999", "-1.0000000001", "-1", "-0.0000000001", "0", "0.0000000001", "1", "18446744073709551616", "9999999999999999999999999999.9999999999", None]),
    "d": ("date", ["0001-01-01", "1899-12-31", "1969-12-31", "1970-01-01", "1970-01-02", "2024-02-28", "2024-02-29", "2024-12-31", "9999-12-31", None]),
    "ts": ("timestamp", ["0001-01-01 00:00:00", "1968-02-29 23:59:59.999999", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00", "1970-01-01 00:59:59.999999", "2024-02-29 00:00:00", "2024-02-29 23:59:59.999999", "2024-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999", None]),
    "tz": ("timestamptz", ["0001-01-02 00:00:00+00", "1968-02-29 23:59:59.999999+00", "1969-12-31 23:59:59.999999+00", "1970-01-01 00:00:00+00", "1970-01-01 00:59:59.999999+00", "2024-02-29 00:00:00+00", "2024-02-29 23:59:59.999999+00", "2024-12-31 23:59:59.999999+00", "9999-12-31 23:59:59.999999+00", None]),
    # Longer than the bounds are cut at; beyond the characters of two bytes; with no greater text of that length.
    "s": ("text", ["", "A", "prefix longer than bounds are 1", "prefix longer than bounds are 2", "é", "\uffee" * 20, "🐘" * 17 + "a", "🐘" * 17 + "b", "\U0010ffff" * 20, None]),
    "f": ("float8", ["-Infinity", "-1.5", "-1e-300", "-0", "0", "1e-300", "1.5", "Infinity", "NaN", None]),
    "r": ("real", ["-Infinity", "-1.5", "-0", "0", "0.5", "1.5", "3e38", "Infinity", "NaN", None]),
    "b": ("bytea", ["", "00", "00ff", "7f", "80", "80" * 20, "ff" * 20 + "00", "ff" * 20 + "01", "ff" * 30, None]),
    "u": ("uuid", ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-8000-000000000000", "7fffffff-ffff-ffff-0000-000000000000", "7fffffff-ffff-ffff-ffff-ffffffffffff", "80000000-0000-0000-0000-000000000000", "80000000-0000-0000-8000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "f79c3e09-677c-4bbd-a479-3f349cb785e7", "ffffffff-ffff-ffff-ffff-ffffffffffff", None]),
    "flag": ("bool", ["true", "false", "true", "false", "true", "false", "true", "false", None, None]),
}
COMMITS = 10

# Each column's transforms that are legal. Widths divide the least values, which would be rounded down beyond their types.
TRANSFORMS = {
    "i": ["bucket(4, i)", "truncate(8, i)", "i"],
    "l": ["bucket(4, l)", "truncate(1024, l)", "l"],
    "amt": ["bucket(4, amt)", "truncate(9999, amt)", "amt"],
    "wide": ["bucket(4, wide)", "truncate(99, wide)", "wide"],
    "d": ["year(d)", "month(d)", "day(d)", "bucket(4, d)", "d"],
    "ts": ["year(ts)", "month(ts)", "day(ts)", "hour(ts)", "bucket(4, ts)", "ts"],
    "tz": ["year(tz)", "month(tz)", "day(tz)", "hour(tz)", "bucket(4, tz)", "tz"],
    "s": ["bucket(4, s)", "truncate(3, s)", "s"],
    "b": ["bucket(4, b)", "truncate(2, b)", "b"],
    "u": ["bucket(4, u)", "u"],
    "flag": ["flag"],
}


def tables():
    """Table: its partition fields and the columns to filter by; all of them where there is no partition."""
    yield "p_none", ([], list(COLUMNS))
    for column, transforms in TRANSFORMS.items():
        for transform in transforms:
            yield f"p_{column}_{transform.split('(')[0]}", ([transform], [column])
    yield "p_many", (["day(ts)", "bucket(4, i)", "truncate(3, s)", "flag"], ["ts", "i", "s", "flag"])


TABLES = dict(tables())

OPERATORS = ["<>", "<", "<=", ">", ">="]


def postgres_literal(column, value):
    kind, _ = COLUMNS[column]
    return f"'\\x{value}'::bytea" if kind == "bytea" else f"'{value}'::{kind}"


def duckdb_literal(column, value):
    kind, _ = COLUMNS[column]
    if kind == "bytea":
        return "'" + "".join(f"\\x{value[n:n + 2]}" for n in range(0, len(value), 2)) + "'::BLOB"
    return f"'{value}'::{kind}"


def spark_literal(column, value):
    kind, _ = COLUMNS[column]
    return {
        "int": "{}",
        "bigint": "CAST('{}' AS BIGINT)",
        "date": "DATE'{}'",
        "timestamp": "TIMESTAMP_NTZ'{}'",
        "timestamptz": "TIMESTAMP'{}'",
        "text": "'{}'",
        "uuid": "'{}'",
        "float8": "CAST('{}' AS DOUBLE)",
        "real": "CAST('{}' AS FLOAT)",
        "bytea": "X'{}'",
        "bool": "{}",
    }.get(kind, f"CAST('{{}}' AS {kind.replace('numeric', 'DECIMAL')})").format(value)


def filters(column, ordered):
    """Filters of a column as functions of an engine's literals: each value by = and by others, lists of values, NULL."""
    _, values = COLUMNS[column]
    known = [value for value in values if value is not None]
    yield lambda literal: f"{column} IS NULL"
    yield lambda literal: f"{column} IS NOT NULL"
    for n, value in enumerate(known):
        others = (OPERATORS[n % len(OPERATORS)], OPERATORS[(n + 3) % len(OPERATORS)]) if ordered else ("<>",)
        for operator in ("=", *others):
            yield lambda literal, value=value, operator=operator: f"{column} {operator} {literal(column, value)}"
    for chosen in (known[:2], known[2:8:3], known[-2:]):
        listed = lambda literal, chosen=chosen: ", ".join(literal(column, value) for value in chosen)  # noqa: E731
        yield lambda literal, listed=listed: f"{column} IN ({listed(literal)})"
        yield lambda literal, listed=listed: f"{column} NOT IN ({listed(literal)})"
    if not ordered:
        return
    yield lambda literal: f"{column} >= {literal(column, known[2])} AND {column} < {literal(column, known[6])}"
    yield lambda literal: f"{column} < {literal(column, known[1])} OR {column} > {literal(column, known[-2])} OR {column} IS NULL"
    if COLUMNS[column][0] == "text":
        for prefix in ("prefix longer than bounds are", "prefix longer", "🐘" * 17, "p", "\U0010ffff"):
            yield lambda literal, prefix=prefix: f"{column} LIKE '{prefix}%'"
            yield lambda literal, prefix=prefix: f"{column} NOT LIKE '{prefix}%'"


@pytest.fixture(scope="module")
def pruned(make_pipeline):
    pipeline = make_pipeline("pruned")
    pipeline.configure(tables={f"public.{table}": {"partition_by": fields} for table, (fields, _) in TABLES.items() if fields})
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    for table in TABLES:
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, {columns})")
    pipeline.catch_up()
    for n in range(COMMITS):
        row = [values[n] for _, values in COLUMNS.values()]
        literals = [postgres_literal(name, value) if value is not None else "NULL" for name, value in zip(COLUMNS, row, strict=True)]
        for table in TABLES:
            pipeline.execute(f"INSERT INTO {table} VALUES ({n}, {', '.join(literals)}), ({n + 100}, {', '.join(literals)})")
        pipeline.catch_up()
    # A file with all values, whose bounds are wide.
    for table in TABLES:
        pipeline.execute(f"INSERT INTO {table} SELECT id + 200, {', '.join(COLUMNS)} FROM {table} WHERE id < 100")
    pipeline.catch_up()
    # Rows that are gone: bounds stay as they were, and deletes must be found for what is left.
    for table in TABLES:
        pipeline.execute(f"DELETE FROM {table} WHERE id IN (103, 106)")
    pipeline.catch_up()
    yield pipeline
    pipeline.close()


# Commits whose value of a column an engine orders otherwise than PostgreSQL, whatever files it reads: for Iceberg's Java
# library NaN is neither less nor greater than anything, and -0 is less than 0.
ORDERED_OTHERWISE = {("spark", "f"): {3, 4, 8}, ("spark", "r"): {2, 3, 8}}
# It orders uuids as signed numbers, and leaves out row groups by their dictionaries: ranges of them are not compared.
WITHOUT_ORDER = {("spark", "u")}


def expect_same_ids(pipeline, engine, table, column, literal, find):
    """`find` gives the ids of the rows of each of some filters, which PostgreSQL has to find as well."""
    made = list(filters(column, (engine, column) not in WITHOUT_ORDER))
    found = find([make(literal) for make in made])
    left_out = ORDERED_OTHERWISE.get((engine, column), set())
    wrong = []
    for make, ids in zip(made, found, strict=True):
        expected = [row[0] for row in pipeline.execute(f"SELECT id FROM {table} WHERE {make(postgres_literal)}")]
        some, others = (sorted(n for n in side if n % 100 not in left_out) for side in (ids, expected))
        if some != others:
            wrong.append(f"{make(literal)}: {some} where PostgreSQL has {others}")
    assert not wrong, "\n".join(wrong)


CASES = [(table, column) for table, (_, columns) in TABLES.items() for column in columns]


@pytest.mark.parametrize(("table", "column"), CASES)
def test_spark_finds_what_postgresql_finds(pruned, table, column, spark):
    def find(wheres):
        # One query, in which each filter has a scan of its own.
        name = quoted("firn", "public", table)
        union = " UNION ALL ".join(f"SELECT {n} AS filter, id FROM {name} WHERE {where}" for n, where in enumerate(wheres))
        ids = [[] for _ in wheres]
        for row in spark.session(pruned.lake.warehouse).sql(union).toArrow().to_pylist():
            ids[row["filter"]].append(row["id"])
        return ids

    expect_same_ids(pruned, "spark", table, column, spark_literal, find)


@pytest.mark.parametrize("column", ["f", "r"])
def test_spark_finds_nan_when_it_is_asked_for(pruned, column, spark):
    name = quoted("firn", "public", "p_none")
    rows = spark.session(pruned.lake.warehouse).sql(f"SELECT id FROM {name} WHERE isnan({column})").collect()
    assert sorted(row.id for row in rows) == [8, 108, 208]


@pytest.mark.parametrize(("table", "column"), CASES)
def test_duckdb_finds_what_postgresql_finds(pruned, table, column, within_limits):
    partitions, _ = TABLES[table]
    within_limits("duckdb", {f"filter by {term}" for term in partitions if column in term.replace("(", " ").replace(")", " ").split()})
    path = pruned.lake.table("public", table).metadata_location.removeprefix("file://")
    with contextlib.closing(connect_duckdb()) as duckdb:

        def find(wheres):
            return [
                [row[0] for row in duckdb.execute(f"SELECT id FROM iceberg_scan('{path}') WHERE {where}").fetchall()]
                for where in wheres
            ]

        expect_same_ids(pruned, "duckdb", table, column, duckdb_literal, find)


@pytest.mark.parametrize("table", TABLES)
def test_filters_leave_files_out(pruned, table):
    """So that the tests above compare something: a filter by bounds needs few of the table's files."""
    scan = pruned.lake.table("public", table).scan
    every, some = (len(list(scan(row_filter=where).plan_files())) for where in ("id >= 0", "id = 3"))
    assert every >= COMMITS
    assert some < every / 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("table", TABLES)
def test_all_rows_are_read(pruned, table, engine, within_limits):
    schema = pruned.lake.table("public", table).schema()
    partitions, _ = TABLES[table]
    features = {f"partitions of {term}" for term in partitions}
    within_limits(engine, features.union(*(features_of(field.field_type) for field in schema.fields)))
    pruned.expect_equal(table, engines=[engine])


@pytest.mark.parametrize("table", [table for table, (fields, _) in TABLES.items() if fields])
def test_files_hold_the_rows_of_their_partition(pruned, table):
    """The partition values in the manifests, by iceberg-rust's transforms of each file's rows."""
    lake_table = pruned.lake.table("public", table)
    for task in lake_table.scan().plan_files():
        rows = pyarrow.parquet.read_table(task.file.file_path.removeprefix("file://"))
        spec = lake_table.specs()[task.file.spec_id]
        for position, field in enumerate(spec.fields):
            source = lake_table.schema().find_field(field.source_id)
            transform = field.transform.pyarrow_transform(source.field_type)
            values = {comparable(value) for value in transform(rows[source.name].combine_chunks()).to_pylist()}
            assert values == {comparable(task.file.partition[position])}, (task.file.file_path, field)


def comparable(value):
    """Dates and times as the numbers that partitions have, uuids and bytes as hexadecimal digits."""
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.hex() if isinstance(value, bytes) else value
