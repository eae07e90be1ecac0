"""libfirn.so from Python: ctypes, and PyArrow's own export of its C data interface."""

import datetime
import decimal
import uuid

import pyarrow as pa
from harness.c_library import (
    ALREADY_EXISTS,
    DELETE,
    INSERT,
    INVALID,
    OK,
    SCHEMA_MISMATCH,
    TABLE_NOT_FOUND,
    UNSUPPORTED,
    UPSERT,
    Destination,
)
from harness.lake import Lake

COLUMNS = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("flag", pa.bool_()),
        pa.field("small", pa.int16()),
        pa.field("ratio", pa.float64()),
        pa.field("price", pa.decimal128(12, 2)),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("ns")),
        pa.field("seen", pa.timestamp("ms", "Europe/Berlin")),
        pa.field("name", pa.large_string()),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string())),
        pa.field("ref", pa.uuid()),
        pa.field("body", pa.binary()),
    ]
)


def row(number, **changes):
    return {
        "id": number,
        "flag": number % 2 == 0,
        "small": number,
        "ratio": number / 4,
        "price": decimal.Decimal(number) + decimal.Decimal("0.25"),
        "day": datetime.date(2024, 2, 29),
        "at": datetime.datetime(2024, 2, 29, 12, 0, 0, number),
        "seen": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc),
        "name": f"größe {number}",
        "kind": "a" if number < 3 else "b",
        "ref": uuid.UUID(int=number),
        "body": bytes([number, 0, 255]),
    } | changes


def batch(rows, schema=COLUMNS):
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def in_folder(library, folder, *options):
    return Destination(library, f"catalog_uri=sqlite://{folder}/catalog.db", f"warehouse={folder}", *options)


def rows_of(folder, java):
    return sorted(Lake(folder, java).table("app", "t").scan().to_arrow().to_pylist(), key=lambda found: found["id"])


def test_batches_become_a_table(library, tmp_path, java):
    with in_folder(library, tmp_path) as lake:
        lake.define(COLUMNS)
        assert lake.position() is None
        nothing = {name: None for name in COLUMNS.names if name != "id"}
        lake.add(INSERT, batch([row(1), row(2), row(3), row(4, **nothing)]))
        lake.add(UPSERT, batch([row(2, name="changed"), row(9)]))
        lake.add(DELETE, batch([{"id": 1}], pa.schema([("id", pa.int32())])))
        assert lake.position() is None
        lake.commit(17)
        assert lake.position() == 17
    expected = [row(2, name="changed"), row(3), row(4, **nothing), row(9)]
    found = rows_of(tmp_path, java)
    for wanted, had in zip(expected, found, strict=True):
        reference = had["ref"] and uuid.UUID(bytes=had["ref"]) if isinstance(had["ref"], bytes) else had["ref"]
        assert had | {"ref": reference} == wanted

    # The next process knows the table, and where it was.
    with in_folder(library, tmp_path) as lake:
        assert lake.position() == 17
        lake.expect(library.firn_truncate(lake.handle, b"app", b"t"), OK)
        lake.add(INSERT, batch([row(5)]))
        lake.commit(18)
    assert [found["id"] for found in rows_of(tmp_path, java)] == [5]


def test_what_is_not_committed_is_dropped(library, tmp_path, java):
    with in_folder(library, tmp_path) as lake:
        lake.define(COLUMNS)
        lake.add(INSERT, batch([row(1)]))
        lake.commit(1)
        lake.add(INSERT, batch([row(2)]))
    with in_folder(library, tmp_path) as lake:
        assert lake.position() == 1
    assert [found["id"] for found in rows_of(tmp_path, java)] == [1]


def test_errors_say_what_and_where(library, tmp_path):
    refused = in_folder(library, tmp_path, "compresion=zstd")
    assert refused.code == INVALID and refused.handle.value is None
    assert "compresion" in library.firn_last_error(None).decode() and "compression" in library.firn_last_error(None).decode()
    with in_folder(library, tmp_path) as lake:
        lake.add(INSERT, batch([row(1)]), wanted=TABLE_NOT_FOUND)
        assert "app.t" in lake.error()
        lake.define(pa.schema([("tags", pa.list_(pa.string()))]), key=(), wanted=UNSUPPORTED)
        assert "'tags'" in lake.error()
        lake.define(COLUMNS, options=["mode=histori"], wanted=INVALID)
        lake.define(COLUMNS)
        lake.add(INSERT, batch([{"id": None}], pa.schema([("id", pa.int64())])), wanted=SCHEMA_MISMATCH)
        assert "'id'" in lake.error()
        lake.add(7, batch([row(1)]), wanted=INVALID)
        lake.add(INSERT, batch([row(1)]))
        lake.commit(1)
    with in_folder(library, tmp_path, "pipeline=other") as lake:
        lake.define(COLUMNS, wanted=ALREADY_EXISTS)
        assert "other" in lake.error()
    assert library.firn_commit(None, 1) == INVALID


def test_a_configuration_says_where(library, tmp_path, java, capfd, monkeypatch):
    """With the keys of a configuration file; its errors name their lines, and no secret."""
    monkeypatch.setenv("LAKE", str(tmp_path))
    monkeypatch.setenv("FIRN_SOURCE_URL", "not for a library")
    with Destination(library, "configuration=catalog: {warehouse: '${LAKE}'}") as lake:
        lake.define(COLUMNS)
        lake.add(INSERT, batch([row(1)]))
        lake.commit(1)
    assert [found["id"] for found in rows_of(tmp_path, java)] == [1]
    assert capfd.readouterr() == ("", "")  # What went well is no matter for an application's standard error.

    def refused(*options):
        destination = Destination(library, *options)
        assert destination.code == INVALID
        return library.firn_last_error(None).decode()

    said = refused("configuration=catalog:\n  warehous: /lake\nsource: {url: 'postgresql://db/shop'}")
    assert "configuration:2: unknown key 'catalog.warehous'" in said
    assert "configuration:3: source.url: only catalog and storage are set here" in said
    assert "catalog_uri and warehouse are for none" in refused(f"warehouse={tmp_path}", "configuration=catalog: {warehouse: /lake}")
    assert "state_directory" in refused("configuration=catalog: {type: rest, uri: 'http://127.0.0.1:1', warehouse: wh}")
    said = refused("configuratoin=catalog: {uri: 'postgresql://firn:s3cret@db/lake'}")
    assert "configuratoin" in said and "s3cret" not in said


def test_a_history_from_c(library, tmp_path, java):
    with in_folder(library, tmp_path) as lake:
        lake.define(pa.schema([("id", pa.int64()), ("v", pa.string())]), options=["mode=history", "partition_by=bucket(4, id)"])
        for position, value in enumerate(["a", "b"], start=1):
            lake.add(UPSERT, batch([{"id": 1, "v": value}], pa.schema([("id", pa.int64()), ("v", pa.string())])))
            lake.commit(position)
    table = Lake(tmp_path, java).table("app", "t")
    found = table.scan().to_arrow().to_pylist()
    assert sorted((one["v"], one["_firn_current"]) for one in found) == [("a", False), ("b", True)]
    assert [field.name for field in table.spec().fields] == ["id_bucket"]
