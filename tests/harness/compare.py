"""Rows in PostgreSQL = rows that an engine reads: both sides as multisets of normalised values."""

import collections
import datetime
import decimal
import math
import struct
import uuid

from psycopg import sql
from pyiceberg import types as iceberg

# PostgreSQL types that an Iceberg string holds as they are; any other type in a string is in its text form.
TEXT_TYPES = {"text", "varchar", "bpchar", "name", "citext"}

# Years before 1 and after 9999 have no date in Python: these are compared as days and microseconds since 1970.
PYTHON_MAY_NOT_HOLD = (iceberg.DateType, iceberg.TimestampType, iceberg.TimestamptzType)
PLAIN_TYPES = {
    iceberg.IntegerType: "int4",
    iceberg.LongType: "int8",
    iceberg.FloatType: "float4",
    iceberg.DoubleType: "float8",
    iceberg.DecimalType: "numeric",
}
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def expect_equal(connection, source, rows, iceberg_schema, engine="the lake", extra_columns=()):
    """Fails with the first differing rows unless `rows` are those of the table `source` = (schema, name)."""
    expected, columns = source_rows(connection, source, iceberg_schema, extra_columns)
    types = [iceberg_schema.find_field(column).field_type for column in columns]
    actual = collections.Counter(
        tuple(normalise(row[column], kind) for column, kind in zip(columns, types, strict=True)) for row in rows
    )
    if expected == actual:
        return
    missing, unexpected = expected - actual, actual - expected
    raise AssertionError(
        f"{'.'.join(source)} by {engine}: {actual.total()} rows where PostgreSQL has {expected.total()};"
        f" {missing.total()} missing, {unexpected.total()} too many\n"
        f"columns: {', '.join(columns)}\n" + _some("missing", missing) + _some("too many", unexpected)
    )


def _some(title, rows, count=5):
    return "".join(f"{title}: {_shorten(row)}\n" for row in sorted(rows.elements(), key=repr)[:count])


def _shorten(row):
    return "(" + ", ".join(text if len(text) < 80 else f"{text[:60]}… ({len(text)})" for text in map(repr, row)) + ")"


def source_rows(connection, source, iceberg_schema, extra_columns=()):
    """PostgreSQL's rows as a Counter of tuples, with the column names."""
    schema, table = source
    connection.execute("SET intervalstyle = iso_8601")  # As firn stores intervals.
    source_types = connection.execute(
        """
        SELECT a.attname, t.typname, e.typname
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum
        """,
        [sql.Identifier(schema, table).as_string(connection)],
    ).fetchall()
    columns = [name for name, _, _ in source_types]
    lake_columns = [field.name for field in iceberg_schema.fields if field.name not in extra_columns]
    assert columns == lake_columns, f"{schema}.{table} has the columns {columns}, the lake has {lake_columns}"
    kinds = [iceberg_schema.find_field(name).field_type for name in columns]
    expressions = [
        _expression(name, type_name, element_name, kind)
        for (name, type_name, element_name), kind in zip(source_types, kinds, strict=True)
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(expressions), sql.Identifier(schema, table))
    rows = connection.execute(query, binary=False)
    return collections.Counter(
        tuple(normalise(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in rows
    ), columns


def _expression(name, type_name, element_name, kind):
    """The column, cast so that it compares with a value of the Iceberg type `kind`."""
    form = "{}"
    # The text form of a value is what its type's output function gives, as format() does; a cast to text may differ.
    if isinstance(kind, iceberg.StringType) and type_name not in TEXT_TYPES:
        form = "CASE WHEN {0} IS DISTINCT FROM NULL THEN format('%s', {0}) END"
    elif isinstance(kind, iceberg.LongType) and type_name == "oid":
        form = "{}::int8"
    elif isinstance(kind, iceberg.DoubleType) and type_name == "float4":
        form = "{}::float8"  # A field that was made for wider values.
    elif isinstance(kind, iceberg.DecimalType):
        form = "{}::numeric"
    elif isinstance(kind, PYTHON_MAY_NOT_HOLD):
        form = _count(kind)
    elif isinstance(kind, iceberg.ListType) and isinstance(kind.element_type, iceberg.StringType):
        if element_name not in TEXT_TYPES:
            # Not by unnest, which makes a row of a composite that is NULL.
            element = "CASE WHEN {0}[i] IS DISTINCT FROM NULL THEN format('%s', {0}[i]) END"
            form = f"CASE WHEN {{0}} IS NOT NULL THEN ARRAY(SELECT {element} FROM generate_subscripts({{0}}, 1) i) END"
        elif element_name == "citext":
            form = "{}::text[]"
    elif isinstance(kind, iceberg.ListType) and isinstance(kind.element_type, PYTHON_MAY_NOT_HOLD):
        element = _count(kind.element_type).format("e")
        form = f"CASE WHEN {{0}} IS NOT NULL THEN ARRAY(SELECT {element} FROM unnest({{0}}) e) END"
    elif isinstance(kind, iceberg.ListType) and type(kind.element_type) in PLAIN_TYPES:
        form = f"{{}}::{PLAIN_TYPES[type(kind.element_type)]}[]"  # psycopg doesn't know arrays of domains.
    return sql.SQL(form).format(sql.Identifier(name))


def _count(kind):
    """The days or microseconds since 1970 of a date or timestamp."""
    if isinstance(kind, iceberg.DateType):
        return "({0}::date - '1970-01-01'::date)"
    utc = "{0}" if isinstance(kind, iceberg.TimestampType) else "({0} AT TIME ZONE 'UTC')"
    # Not by the epoch of the whole, which rounds in years far away.
    return f"(({utc}::date - '1970-01-01'::date)::int8 * 86400000000 + (extract(epoch FROM {utc}::time) * 1000000)::int8)"


def normalise(value, kind):
    """A value of any engine or of psycopg as one that compares equal for the Iceberg type `kind`."""
    if value is None:
        return None
    match kind:
        case iceberg.DecimalType():
            return f"{decimal.Decimal(value):.{kind.scale}f}"
        case iceberg.FloatType():
            return _float(struct.unpack("f", struct.pack("f", value))[0])
        case iceberg.DoubleType():
            return _float(float(value))
        case iceberg.UUIDType():
            return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else value)
        case iceberg.BinaryType() | iceberg.FixedType():
            return bytes(value)
        case iceberg.DateType():
            return value if isinstance(value, int) else (value - EPOCH.date()).days
        case iceberg.TimestamptzType():
            return value if isinstance(value, int) else (value - EPOCH.replace(tzinfo=datetime.timezone.utc)) // MICROSECOND
        case iceberg.TimestampType():
            return value if isinstance(value, int) else (value - EPOCH) // MICROSECOND
        case iceberg.TimeType():
            return value.isoformat()
        case iceberg.ListType():
            return tuple(normalise(item, kind.element_type) for item in value)
        case _:
            return value


def _float(value):
    return "NaN" if math.isnan(value) else value
