"""firn's own reader: what firn itself wrote, and what PyIceberg wrote."""

import datetime
import decimal
import uuid

import pyarrow as pa
import pyarrow.parquet
import pytest
from harness import compare
from harness.lake import read_with_firn
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

UTC = datetime.timezone.utc


def test_reads_what_firn_wrote(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, big int8, flag bool, r float4, d float8, n numeric(12, 3), text text, bin bytea,
                        u uuid, day date, at time, ts timestamp, tz timestamptz, tags text[], doc jsonb);
        INSERT INTO t SELECT i, i * 1e12, i % 2 = 0, i / 3.0, i / 7.0, i / 8.0, 'text ' || i, int4send(i), gen_random_uuid(),
            '1969-12-25'::date + i, '00:00:00.5'::time + make_interval(mins => i), '1969-12-31 23:59:59.999999'::timestamp
            + make_interval(secs => i), now(), ARRAY['a', NULL, i::text], jsonb_build_object('i', i)
            FROM generate_series(1, 200) i;
        INSERT INTO t (id) VALUES (0);
        """
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET text = 'new' WHERE id % 5 = 0; DELETE FROM t WHERE id % 7 = 0")
    pipeline.execute("UPDATE t SET id = id + 1000 WHERE id < 20")
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=["firn"])


@pytest.fixture
def catalog(tmp_path):
    catalog = SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/lake")
    catalog.create_namespace("n")
    return catalog


def expect_same(table):
    """firn reads the rows that PyIceberg reads."""
    types = {field.name: field.field_type for field in table.schema().fields}

    def rows(read):
        return sorted(repr({name: normalise(row[name], kind) for name, kind in types.items()}) for row in read)

    expected = rows(table.scan().to_arrow().to_pylist())
    assert rows(read_with_firn(table.metadata_location)) == expected
    assert expected


def normalise(value, kind):
    match kind:
        case StructType() if value is not None:
            value = value.get("struct", value)
            return {field.name: normalise(value[field.name], field.field_type) for field in kind.fields}
        case MapType() if value is not None:
            return sorted((key, normalise(item, kind.value_type)) for key, item in dict(value).items())
        case ListType() if value is not None:
            return [normalise(item, kind.element_type) for item in value]
        case _:
            return compare.normalise(value, kind)


def test_reads_each_type_that_pyiceberg_writes(catalog):
    schema = Schema(
        NestedField(1, "i", IntegerType()),
        NestedField(2, "l", LongType()),
        NestedField(3, "f", FloatType()),
        NestedField(4, "d", DoubleType()),
        NestedField(5, "b", BooleanType()),
        NestedField(6, "dec", DecimalType(30, 5)),
        NestedField(7, "day", DateType()),
        NestedField(8, "at", TimeType()),
        NestedField(9, "ts", TimestampType()),
        NestedField(10, "tz", TimestamptzType()),
        NestedField(11, "s", StringType()),
        NestedField(12, "u", UUIDType()),
        NestedField(13, "fx", FixedType(3)),
        NestedField(14, "bin", BinaryType()),
        NestedField(15, "list", ListType(21, LongType(), element_required=False)),
        NestedField(16, "map", MapType(22, StringType(), 23, DoubleType(), value_required=False)),
        NestedField(17, "st", StructType(NestedField(24, "x", IntegerType()), NestedField(25, "y", StringType()))),
    )
    table = catalog.create_table("n.types", schema)
    full = {
        "i": -1,
        "l": 2**62,
        "f": 0.5,
        "d": float("nan"),
        "b": True,
        "dec": decimal.Decimal("-123456789012345678901234.56789"),
        "day": datetime.date(1, 1, 1),
        "at": datetime.time(23, 59, 59, 999999),
        "ts": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
        "tz": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "s": "ünï🐘",
        "u": uuid.UUID(int=2**127 + 5).bytes,
        "fx": b"\x00\xff\x01",
        "bin": b"",
        "list": [1, None, 3],
        "map": {"k": 1.5, "none": None},
        "st": {"x": 1, "y": None},
    }
    rows = [full, dict.fromkeys(full), full | {"list": [], "map": {}, "st": {"x": None, "y": None}}]
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    expect_same(table)


def test_reads_a_table_that_pyiceberg_evolved(catalog):
    table = catalog.create_table("n.evolved", pa.schema([("id", pa.int32()), ("gone", pa.string()), ("v", pa.float32())]))
    table.append(pa.table({"id": pa.array([1, 2], pa.int32()), "gone": ["a", "b"], "v": pa.array([0.5, None], pa.float32())}))
    with table.update_schema() as update:
        update.update_column("id", LongType())
        update.update_column("v", DoubleType())
        update.rename_column("v", "value")
        update.delete_column("gone")
        update.add_column("gone", IntegerType())
        update.move_first("v")
    table.append(pa.table({"value": [1.5], "id": [2**40], "gone": pa.array([7], pa.int32())}))
    table.delete(EqualTo("id", 1))
    expect_same(table)


def test_reads_partitions_that_pyiceberg_wrote(catalog):
    schema = Schema(
        NestedField(1, "id", LongType()), NestedField(2, "region", StringType()), NestedField(3, "ts", TimestampType())
    )
    spec = PartitionSpec(
        PartitionField(2, 1000, IdentityTransform(), "region"),
        PartitionField(3, 1001, DayTransform(), "day"),
        PartitionField(1, 1002, BucketTransform(4), "bucket"),
    )
    table = catalog.create_table("n.parts", schema, partition_spec=spec)
    start = datetime.datetime(1969, 12, 30)
    rows = [
        {"id": i, "region": [None, "eu", "us/é"][i % 3], "ts": start + datetime.timedelta(hours=13 * i)} for i in range(40)
    ]
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    table.delete(EqualTo("region", "eu"))
    with table.update_spec() as update:
        update.remove_field("day")
    table.append(pa.Table.from_pylist(rows[:5], schema=table.schema().as_arrow()))
    expect_same(table)


def test_reads_files_without_field_ids_by_the_name_mapping(catalog, tmp_path):
    """Files of another program that were added to a table as they are."""
    schema = pa.schema([("id", pa.int64()), ("region", pa.string())])
    table = catalog.create_table("n.added", schema)
    path = f"{tmp_path}/plain.parquet"
    pa.parquet.write_table(pa.table({"id": [1, 2], "region": ["a", None]}), path)
    table.add_files([f"file://{path}"])
    with table.update_schema() as update:
        update.rename_column("region", "area")
    expect_same(table)
