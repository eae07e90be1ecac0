"""libfirn.so from Python: ctypes, and PyArrow's own export of its C data interface."""

import ctypes
import datetime
import decimal
import uuid

import pyarrow as pa
import pytest
from harness.firn_process import REPOSITORY
from harness.lake import Lake

INSERT, UPSERT, DELETE = range(3)
OK, INVALID, UNSUPPORTED, SCHEMA_MISMATCH, TABLE_NOT_FOUND, ALREADY_EXISTS = 0, 4, 6, 7, 8, 10

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


def words(texts):
    return (ctypes.c_char_p * (len(texts) + 1))(*[text.encode() for text in texts], None)


@pytest.fixture(scope="module")
def library(binary):
    path = REPOSITORY / "build/release/libfirn.so"
    assert path.exists(), f"{path} is missing: run scripts/build release firn_c"
    library = ctypes.CDLL(str(path))
    library.firn_last_error.restype = ctypes.c_char_p
    library.firn_last_error.argtypes = [ctypes.c_void_p]
    library.firn_version.restype = ctypes.c_char_p
    library.firn_open.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.firn_close.argtypes = [ctypes.c_void_p]
    library.firn_define_table.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_void_p] * 3
    library.firn_add.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_int] + [ctypes.c_void_p] * 2
    library.firn_truncate.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2
    library.firn_commit.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.firn_position.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_void_p] * 2
    return library


class Destination:
    """The calls as a program makes them: codes, and an error's text."""

    def __init__(self, library, folder, *options):
        self.library = library
        self.handle = ctypes.c_void_p()
        options = [f"catalog_uri=sqlite://{folder}/catalog.db", f"warehouse={folder}", *options]
        self.code = library.firn_open(words(options), ctypes.byref(self.handle))

    def __enter__(self):
        assert self.code == OK, self.error()
        return self

    def __exit__(self, *_):
        self.library.firn_close(self.handle)

    def error(self):
        return self.library.firn_last_error(self.handle).decode()

    def expect(self, code, wanted):
        assert code == wanted, self.error()

    def define(self, columns=COLUMNS, key=("id",), options=(), wanted=OK, name=b"t"):
        with ExportedSchema(columns) as schema:
            self.expect(self.library.firn_define_table(self.handle, b"app", name, schema.address, words(key), words(options)), wanted)

    def add(self, operation, rows, wanted=OK, name=b"t"):
        with ExportedBatch(rows) as exported:
            self.expect(
                self.library.firn_add(self.handle, b"app", name, operation, exported.schema_address, exported.address), wanted
            )

    def commit(self, position, wanted=OK):
        self.expect(self.library.firn_commit(self.handle, position), wanted)

    def position(self):
        position, has_position = ctypes.c_uint64(), ctypes.c_int()
        self.expect(self.library.firn_position(self.handle, b"app", b"t", ctypes.byref(position), ctypes.byref(has_position)), OK)
        return position.value if has_position.value else None


class Struct:
    """Room for one of Arrow's structs; `release` is expected to be gone once a call has had it."""

    def __init__(self, words, release):
        self.memory = (ctypes.c_void_p * words)()
        self.release = release
        self.address = ctypes.addressof(self.memory)

    def expect_released(self):
        assert self.memory[self.release] is None, "the call did not take the struct over"


class ExportedSchema(Struct):
    def __init__(self, schema):
        super().__init__(9, 7)
        schema._export_to_c(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.expect_released()


class ExportedBatch(Struct):
    def __init__(self, rows):
        super().__init__(10, 8)
        self.schema = Struct(9, 7)
        self.schema_address = self.schema.address
        rows._export_to_c(self.address, self.schema_address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.expect_released()
        self.schema.expect_released()


def rows_of(folder, java):
    return sorted(Lake(folder, java).table("app", "t").scan().to_arrow().to_pylist(), key=lambda found: found["id"])


def test_batches_become_a_table(library, tmp_path, java):
    with Destination(library, tmp_path) as lake:
        lake.define()
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
    with Destination(library, tmp_path) as lake:
        assert lake.position() == 17
        lake.expect(library.firn_truncate(lake.handle, b"app", b"t"), OK)
        lake.add(INSERT, batch([row(5)]))
        lake.commit(18)
    assert [found["id"] for found in rows_of(tmp_path, java)] == [5]


def test_what_is_not_committed_is_dropped(library, tmp_path, java):
    with Destination(library, tmp_path) as lake:
        lake.define()
        lake.add(INSERT, batch([row(1)]))
        lake.commit(1)
        lake.add(INSERT, batch([row(2)]))
    with Destination(library, tmp_path) as lake:
        assert lake.position() == 1
    assert [found["id"] for found in rows_of(tmp_path, java)] == [1]


def test_errors_say_what_and_where(library, tmp_path):
    refused = Destination(library, tmp_path, "compresion=zstd")
    assert refused.code == INVALID and refused.handle.value is None
    assert "compresion" in library.firn_last_error(None).decode() and "compression" in library.firn_last_error(None).decode()
    with Destination(library, tmp_path) as lake:
        lake.add(INSERT, batch([row(1)]), wanted=TABLE_NOT_FOUND)
        assert "app.t" in lake.error()
        lake.define(columns=pa.schema([("tags", pa.list_(pa.string()))]), key=(), wanted=UNSUPPORTED)
        assert "'tags'" in lake.error()
        lake.define(options=["mode=histori"], wanted=INVALID)
        lake.define()
        lake.add(INSERT, batch([{"id": None}], pa.schema([("id", pa.int64())])), wanted=SCHEMA_MISMATCH)
        assert "'id'" in lake.error()
        lake.add(7, batch([row(1)]), wanted=INVALID)
        lake.add(INSERT, batch([row(1)]))
        lake.commit(1)
    with Destination(library, tmp_path, "pipeline=other") as lake:
        lake.define(wanted=ALREADY_EXISTS)
        assert "other" in lake.error()
    assert library.firn_commit(None, 1) == INVALID


def test_a_history_from_c(library, tmp_path, java):
    with Destination(library, tmp_path) as lake:
        lake.define(columns=pa.schema([("id", pa.int64()), ("v", pa.string())]), options=["mode=history", "partition_by=bucket(4, id)"])
        for position, value in enumerate(["a", "b"], start=1):
            lake.add(UPSERT, batch([{"id": 1, "v": value}], pa.schema([("id", pa.int64()), ("v", pa.string())])))
            lake.commit(position)
    table = Lake(tmp_path, java).table("app", "t")
    found = table.scan().to_arrow().to_pylist()
    assert sorted((one["v"], one["_firn_current"]) for one in found) == [("a", False), ("b", True)]
    assert [field.name for field in table.spec().fields] == ["id_bucket"]
