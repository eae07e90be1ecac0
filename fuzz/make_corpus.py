"""Makes the fuzzers' seeds, fuzz/corpus/NAME, from what PostgreSQL sends and what firn writes.

    .venv/bin/python fuzz/make_corpus.py

Needs build/release/firn. Only to be run again when a format gains something that the seeds should show.
"""

import hashlib
import io
import json
import pathlib
import shutil
import sys
import tempfile

import fastavro

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


def files_of_tables(warehouse):
    for path in warehouse.rglob("*.avro"):
        content = path.read_bytes()
        name = "manifest_list" if path.name.startswith("snap-") else "manifest"
        seed(name, uncompressed(content))
        seed("avro_container", uncompressed(content))
        seed("avro_container", content)
    for path in warehouse.rglob("*.metadata.json"):
        seed("table_metadata", path.read_bytes())


def main():
    shutil.rmtree(CORPUS, ignore_errors=True)
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
        files_of_tables(firn.warehouse)
    finally:
        server.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
