"""Makes the fuzzers' seeds, fuzz/corpus/NAME, from what PostgreSQL sends and what firn writes.

    .venv/bin/python fuzz/make_corpus.py

Needs build/release/firn. Only to be run again when a format gains something that the seeds should show.
"""

import hashlib
import io
import json
import pathlib
import shutil
import struct
import sys
import tempfile
import zlib

import fastavro
import pyroaring

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY / "fuzz/corpus"
SIZE_MAX = 16384  # As scripts/fuzz has it.
sys.path.insert(0, str(REPOSITORY / "tests"))

from harness.firn_process import Firn  # noqa: E402
from harness.postgres_server import PostgresServer  # noqa: E402

TABLES = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE t (id int PRIMARY KEY, a bigint, b text, c numeric(9, 2), d date, e timestamptz, f float8, g uuid, h bytea,
                    i int[], j jsonb, k bool, l mood, m time);
    ALTER TABLE t ALTER b SET STORAGE EXTERNAL;
    CREATE TABLE plain (v text);
    ALTER TABLE plain REPLICA IDENTITY FULL;
"""
ROW = "n, n * 1000, 'text ' || n, n / 4.0, '2024-02-29', '2024-02-29 12:00+00', n / 3.0, md5(n::text)::uuid, '\\x00ff', '{1,NULL}', '{\"a\": 1}', true, 'happy', '12:34:56'"
CHANGES = [
    f"INSERT INTO t SELECT {ROW} FROM generate_series(1, 5) n; INSERT INTO t (id) VALUES (6), (7)",
    "UPDATE t SET b = repeat('large', 1000) WHERE id = 1; UPDATE t SET a = 2 WHERE id = 1; UPDATE t SET id = -1 WHERE id = 2; DELETE FROM t WHERE id = 3",
    "INSERT INTO plain VALUES ('x'), (NULL); UPDATE plain SET v = 'y' WHERE v = 'x'; DELETE FROM plain WHERE v IS NULL",
    "SELECT pg_logical_emit_message(true, 'prefix', 'content')",
    "BEGIN; INSERT INTO plain SELECT repeat('streamed', 40) FROM generate_series(1, 300); SAVEPOINT s; INSERT INTO plain SELECT 'undone' FROM generate_series(1, 3000); ROLLBACK TO s; COMMIT",
    "BEGIN; INSERT INTO plain SELECT repeat('aborted', 40) FROM generate_series(1, 3000); ROLLBACK",
    "TRUNCATE plain, t CASCADE",
]


def seed(name, content):
    """Named by its content, so that making it again changes only what differs."""
    if len(content) <= SIZE_MAX:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def uncompressed(content):
    """An Avro file with the same records in plain bytes, which a fuzzer can change one at a time."""
    reader = fastavro.reader(io.BytesIO(content))
    metadata = {key: value for key, value in reader.metadata.items() if not key.startswith("avro.")}
    out = io.BytesIO()
    fastavro.writer(out, json.loads(reader.metadata["avro.schema"]), list(reader), metadata=metadata, sync_marker=b"0123456789abcdef")
    return out.getvalue()


def messages_of_pgoutput(connection):
    """One message of each kind and length: more would only be alike."""
    kinds = set()
    for (message,) in connection.execute(
        "SELECT data FROM pg_logical_slot_peek_binary_changes('seeds', NULL, NULL, 'proto_version', '2', 'publication_names', 'seeds',"
        " 'binary', 'true', 'streaming', 'on', 'messages', 'true')"
    ):
        kind = (message[:1], len(message))
        if kind not in kinds and sum(known[0] == kind[0] for known in kinds) < 6:
            kinds.add(kind)
            seed("pgoutput", message)


def rows_of_copy(connection):
    with connection.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
        for row in copy:
            seed("copy_row", bytes(row))


# In the order of wire_value_fuzzer.cc, with each type's send function.
VALUES = [
    ("bool", "boolsend", ["true"]),
    ("bytea", "byteasend", ["\\x00ff5c"]),
    ('"char"', "charsend", ["x"]),
    ("name", "namesend", ["name"]),
    ("int8", "int8send", ["-9223372036854775808"]),
    ("int2", "int2send", ["7"]),
    ("int4", "int4send", ["42"]),
    ("text", "textsend", ['a "b\\c", {NULL}']),
    ("oid", "oidsend", ["4294967295"]),
    ("json", "json_send", ['{"a": [1, 2.50, 1e300, 1e400, null, true, "\\ud83d\\ude00"], "a": {"b": -99999999999999999999}}']),
    ("float4", "float4send", ["1.5", "1e6"]),
    ("float8", "float8send", ["NaN", "1e-5", "123456.789"]),
    ("bpchar", "bpcharsend", ["ab  "]),
    ("date", "date_send", ["2024-02-29", "infinity", "0044-03-15 BC"]),
    ("time", "time_send", ["13:14:15.5", "24:00:00"]),
    ("timestamp", "timestamp_send", ["2024-02-29 13:14:15.123456", "294276-12-31 23:59:59.999999", "-infinity"]),
    ("timestamptz", "timestamptz_send", ["2024-02-29 13:14:15.5+02", "0044-03-15 12:00:00+00 BC"]),
    ("interval", "interval_send", ["1 day"]),
    ("numeric", "numeric_send", ["123.45", "-0.001", "NaN", "Infinity", "1e50"]),
    ("uuid", "uuid_send", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("jsonb", "jsonb_send", ['{"b": {}, "a": [1]}']),
]


def values_of_types(connection):
    """Each in both wire formats, as all that a column may be stored as; and in arrays."""
    for index, (type_name, send, values) in enumerate(VALUES):
        for value in values:
            text, binary = connection.execute(f"SELECT format('%%s', v), {send}(v) FROM (SELECT %s::{type_name} v) s", [value]).fetchone()
            for decimal in (0, 0x40) if type_name == "numeric" else (0,):
                for stored in (16 | 2,) if type_name.startswith("json") else (2,) if value != values[0] else (2, 8):
                    seed("wire_value", bytes([index | decimal, stored]) + text.encode())
                    seed("wire_value", bytes([index | decimal, stored | 1]) + binary)
        if type_name not in ("int4", "text", "numeric", "timestamptz"):
            continue
        for array in ("ARRAY[v, NULL]", "ARRAY[[v], [v]]", f"('[2:2]=' || ARRAY[v]::text)::{type_name}[]"):
            text, binary = connection.execute(
                f"SELECT a::text, array_send(a) FROM (SELECT {array} a FROM (SELECT %s::{type_name} v) s) s", [values[0]]
            ).fetchone()
            for stored in (2, 8):
                seed("wire_value", bytes([index | 0x80, stored]) + text.encode())
                seed("wire_value", bytes([index | 0x80, stored | 1]) + binary)


def files_of_tables(warehouse):
    for path in warehouse.rglob("*.avro"):
        content = path.read_bytes()
        name = "manifest_list" if path.name.startswith("snap-") else "manifest"
        seed(name, uncompressed(content))
        seed("avro_container", uncompressed(content))
        seed("avro_container", content)
    for path in warehouse.rglob("*.metadata.json"):
        seed("table_metadata", path.read_bytes())


def rows_of_avro():
    """A data file with each type, by the field ids of avro_rows_fuzzer.cc."""

    def logical(kind, name, **more):
        return {"type": kind, "logicalType": name} | more

    struct_type = {"type": "record", "name": "s", "fields": [{"name": "x", "type": ["null", "long"], "field-id": 22}]}
    pairs = {"type": "record", "name": "kv", "fields": [{"name": "key", "type": "int", "field-id": 24}, {"name": "value", "type": "s", "field-id": 21}]}
    parts = [{"name": "metadata", "type": "bytes"}, {"name": "value", "type": "bytes"}]
    fields = [
        (1, "boolean", True),
        (2, "int", -7),
        (3, "int", 8),
        (4, "float", 1.5),
        (5, "double", -2.5),
        (6, {"type": "int", "logicalType": "date"}, 1),
        (7, logical("long", "time-micros"), 1),
        (8, logical("long", "timestamp-millis"), 1),
        (9, logical("long", "timestamp-nanos", **{"adjust-to-utc": True}), 1),
        (10, ["null", "string"], "text"),
        (11, {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}, b"0123456789abcdef"),
        (12, "bytes", b"bytes"),
        (13, {"type": "record", "name": "v", "fields": parts}, {"metadata": b"\x01\0\0", "value": b"\0"}),
        (14, "null", None),
        (15, {"type": "fixed", "name": "d", "size": 9, "precision": 20, "scale": 2}, b"\xff" * 9),
        (16, {"type": "fixed", "name": "f", "size": 4}, b"abcd"),
        (20, struct_type, {"x": 1}),
        (17, {"type": "array", "items": "s", "element-id": 21}, [{"x": 1}, {"x": None}]),
        (18, {"type": "map", "values": "s", "key-id": 23, "value-id": 21}, {"k": {"x": 2}}),
        (19, {"type": "array", "items": pairs, "logicalType": "map"}, [{"key": 1, "value": {"x": 3}}]),
    ]
    schema = {"type": "record", "name": "table", "fields": [{"name": f"c{i}", "type": kind, "field-id": i} for i, kind, _ in fields]}
    rows = [{f"c{i}": value for i, _, value in fields}] * 2
    for codec in "null", "deflate":
        out = io.BytesIO()
        fastavro.writer(out, schema, rows, codec=codec, sync_marker=b"0123456789abcdef")
        seed("avro_rows", out.getvalue())


def variants():
    names = b"\x01\x02\0\x01\x03abc"  # "a" and "bc"
    values = [
        b"\0",
        b"\x04",
        b"\x0c\x7f",
        b"\x18" + bytes(8),
        b"\x20\x02" + bytes(4),
        b"\x09hi",
        b"\x40\x03\0\0\0xyz",
        b"\x03\x02\0\x02\x04\x0c\x01\x0c\x02",
        b"\x02\x02\0\x01\0\x02\x05\x0c\x07\x09hi",
        b"\x02\x01\x01\0\x09\x03\x02\0\x02\x04\x0c\x01\x0c\x02",
    ]
    for value in values:
        seed("variant", bytes([len(names)]) + names + value)


def deletion_vectors():
    """Vectors with each kind of Roaring container, by themselves and in a Puffin file."""
    low = [[], [0], [1, 5, 100000], range(0, 5000), range(0, 20000, 2), [*range(70000, 70100), *range(0, 9000, 3)], [2**32 - 1]]
    halves = [{0: positions} for positions in low] + [{}, {0: [1], 5: range(100)}]
    vectors = []
    for positions_by_half in halves:
        bitmap = struct.pack("<Q", len(positions_by_half))
        for half, positions in positions_by_half.items():
            inner = pyroaring.BitMap(positions)
            inner.run_optimize()
            bitmap += struct.pack("<I", half) + inner.serialize()
        checked = b"\xd1\xd3\x39\x64" + bitmap
        vectors.append(struct.pack(">I", len(checked)) + checked + struct.pack(">I", zlib.crc32(checked)))
        seed("deletion_vector", bitmap)
        seed("deletion_vector", vectors[-1])
    content, blobs = b"PFA1", []
    for vector in vectors[:3]:
        blob = {"type": "deletion-vector-v1", "fields": [2147483645], "snapshot-id": -1, "sequence-number": -1}
        blobs.append(blob | {"offset": len(content), "length": len(vector), "properties": {"cardinality": "1"}})
        content += vector
        footer = json.dumps({"blobs": blobs, "properties": {"created-by": "a test"}}).encode()
        seed("puffin", content + b"PFA1" + footer + struct.pack("<iI", len(footer), 0) + b"PFA1")


def main():
    shutil.rmtree(CORPUS, ignore_errors=True)
    rows_of_avro()
    variants()
    deletion_vectors()
    for path in (REPOSITORY / "src/iceberg/testdata").glob("*.metadata.json"):
        seed("table_metadata", path.read_bytes())
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-seeds-"))
    directory.chmod(0o755)
    server = PostgresServer(directory / "postgres", settings={"logical_decoding_work_mem": "64kB"}).start()
    try:
        with server.connect() as connection:
            connection.execute(TABLES)
            connection.execute("CREATE PUBLICATION seeds FOR ALL TABLES")
            connection.execute("SELECT pg_create_logical_replication_slot('seeds', 'pgoutput')")
            firn = Firn(directory / "firn", server.url("postgres"))
            for change in CHANGES:
                firn.catch_up()
                connection.execute(change)
                rows_of_copy(connection)
            firn.catch_up()
            messages_of_pgoutput(connection)
            values_of_types(connection)
        files_of_tables(firn.warehouse)
    finally:
        server.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
