"""What is in the Iceberg tables, as engines that share no code with firn read it."""

import contextlib
import datetime
import decimal
import functools
import importlib.metadata
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sysconfig
import uuid

import duckdb
import pyarrow as pa
from datafusion import SessionContext
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable
from pyiceberg_core.datafusion import IcebergDataFusionTable
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def sql_catalog(uri, **properties):
    """The SQL catalog at `uri`, by PyIceberg: it creates the two tables if they are missing, and fails where firn is faster."""
    for _ in range(2):
        try:
            return SqlCatalog("firn", uri=uri, **properties)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if "already exists" not in str(error):
                raise
    return SqlCatalog("firn", uri=uri, **properties)


class Lake:
    """The warehouse of a pipeline with its embedded catalog."""

    def __init__(self, warehouse, java, spark=None):
        self.warehouse = pathlib.Path(warehouse)
        self._java = java
        self._spark = spark

    def catalog(self):
        database = self.warehouse / "catalog.db"
        assert database.exists(), f"{database} is missing"
        return sql_catalog(f"sqlite:///{database}", warehouse=f"file://{self.warehouse}")

    def tables(self):
        catalog = self.catalog()
        return {t for namespace in catalog.list_namespaces() for t in catalog.list_tables(namespace)}

    def table(self, namespace, name):
        return self.catalog().load_table((namespace, name))

    def metadata_location(self, namespace, name):
        """As the catalog has it: for tables that PyIceberg can't load."""
        with contextlib.closing(sqlite3.connect(self.warehouse / "catalog.db")) as database:
            query = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?"
            return database.execute(query, [namespace, name]).fetchone()[0]

    def rows(self, table, engine):
        """The table's rows at its current snapshot, as dicts of the engine's own Python values."""
        if engine == "spark":
            return self._spark.rows(self.warehouse, table.name())
        return {
            "pyiceberg": read_with_pyiceberg,
            "iceberg-rust": read_with_iceberg_rust,
            "duckdb": read_with_duckdb,
            "java": self._java.rows,
            "firn": read_with_firn,
        }[engine](table.metadata_location)


ENGINES = ("pyiceberg", "iceberg-rust", "duckdb", "java")


def read_with_pyiceberg(metadata_location, snapshot_id=None):
    return to_rows(StaticTable.from_metadata(metadata_location).scan(snapshot_id=snapshot_id).to_arrow())


def read_with_iceberg_rust(metadata_location, file_io_properties=None):
    provider = IcebergDataFusionTable(
        identifier=["lake", "t"], metadata_location=metadata_location, file_io_properties=file_io_properties or {}
    )
    context = SessionContext()
    context.register_table("t", provider)
    return to_rows(context.sql("SELECT * FROM t").to_arrow_table())


def connect_duckdb():
    """DuckDB with its Iceberg extension from PyPI, so that it downloads nothing."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    version = importlib.metadata.version("duckdb")
    for name in ("httpfs", "avro", "iceberg"):
        folder = f"{sysconfig.get_paths()['purelib']}/duckdb_extension_{name}/extensions/v{version}"
        connection.execute(f"LOAD '{folder}/{name}.duckdb_extension'")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


@functools.cache
def shared_duckdb():
    """Loading the extensions takes longer than reading a small table. It keeps nothing of the files that it has read."""
    connection = connect_duckdb()
    connection.execute("SET enable_external_file_cache = false; SET enable_object_cache = false")
    return connection


def read_with_duckdb(metadata_location, setup=None):
    """`setup`: a statement that makes DuckDB reach the files."""
    with contextlib.closing(connect_duckdb() if setup else shared_duckdb().cursor()) as connection:
        if setup:
            connection.execute(setup)
        path = metadata_location.removeprefix("file://").replace("'", "''")
        return to_rows(connection.execute(f"SELECT * FROM iceberg_scan('{path}')").to_arrow_table())


def to_rows(table):
    """An Arrow table as dicts of Python values; where Python has no date for one (before year 1, after 9999), dates are
    days and timestamps microseconds since 1970."""
    try:
        return table.to_pylist()
    except (ValueError, OverflowError):
        fields = [field.with_type(_counted(field.type)) for field in table.schema]
        return table.cast(pa.schema(fields)).to_pylist()


def _counted(arrow_type):
    if pa.types.is_date32(arrow_type):
        return pa.int32()
    if pa.types.is_timestamp(arrow_type):
        assert arrow_type.unit == "us", arrow_type
        return pa.int64()
    if pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type):
        element = arrow_type.value_field
        return pa.list_(element.with_type(_counted(element.type)))
    return arrow_type


def _days(text):
    """Days since 1970 of a date of any year as Java prints it: +12024-01-01, -0043-03-15."""
    year, month, day = re.fullmatch(r"([+-]?\d+)-(\d\d)-(\d\d)", text).groups()
    # The calendar repeats every 400 years, which are 146097 days.
    eras = (int(year) - 2000) // 400
    known = datetime.date(int(year) - eras * 400, int(month), int(day))
    return eras * 146_097 + (known - datetime.date(1970, 1, 1)).days


def _date(text):
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return _days(text)


def _timestamp(text):
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        day, time = text.removesuffix("Z").split("T")
        since_midnight = datetime.datetime.fromisoformat(f"1970-01-01T{time}") - datetime.datetime(1970, 1, 1)
        return _days(day) * 86_400_000_000 + since_midnight // datetime.timedelta(microseconds=1)


def read_with_firn(metadata_location, row_lineage=False):
    """firn's own reader. With `row_lineage`, rows have _row_id and _last_updated_sequence_number too."""
    program = REPOSITORY / "build/release/tests/tools/firn_read_table"
    assert program.exists(), f"{program} is missing: run scripts/build release firn_read_table"
    command = [program, *(["--row-lineage"] if row_lineage else []), metadata_location]
    lines = subprocess.run(command, capture_output=True, text=True)
    assert lines.returncode == 0, f"firn can't read {metadata_location}: {lines.stderr}"
    return [json.loads(line, object_hook=_typed_json_value) for line in lines.stdout.splitlines()]


def _typed_json_value(members):
    """The reverse of ReadTable.java's and firn_read_table's objects of one member."""
    if len(members) != 1:
        return members
    ((kind, text),) = members.items()
    if kind == "struct" and isinstance(text, dict):
        return text
    decoders = {
        "float": float,
        "decimal": decimal.Decimal,
        "uuid": uuid.UUID,
        "hex": bytes.fromhex,
        "date": _date,
        "time": datetime.time.fromisoformat,
        "timestamp": _timestamp,
        "timestamptz": _timestamp,
        "variant": lambda text: json.loads(text, parse_float=decimal.Decimal),
    }
    if kind == "map" and isinstance(text, list):
        return dict(text)
    return decoders[kind](text) if kind in decoders and isinstance(text, str) else members


class JavaReader:
    """Iceberg's Java reader: one JVM that reads a table per request; local files, or with the FileIO that `properties` name,
    which is found in `libraries`."""

    def __init__(self, log, properties=None, libraries=()):
        self._log = log
        self._properties = properties or {}
        self._libraries = libraries
        self._process = None

    def rows(self, metadata_location):
        return self.read(metadata_location)[0]

    def read(self, metadata_location):
        """Rows, and what the reader's scan plan tells: rows, data_files, delete_files_per_data_file_max. "lineage " before
        the location gives each row _row_id and _last_updated_sequence_number as well."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._process.stdin.write(metadata_location + "\n")
        self._process.stdin.flush()
        rows = []
        for line in self._process.stdout:
            row = json.loads(line, object_hook=_typed_json_value)
            if row.keys() == {"end"} and isinstance(row["end"], dict) and "delete_files_per_data_file_max" in row["end"]:
                return rows, row["end"]
            if row.keys() == {"error"} and not rows:
                raise AssertionError(f"Java can't read {metadata_location}: {row['error']}")
            rows.append(row)
        raise AssertionError(f"the Java reader ended; see {self._log}")

    def _start(self):
        libraries = REPOSITORY / "build/java/lib"
        assert libraries.is_dir(), f"{libraries} is missing: run scripts/install-dependencies test"
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [
                    *("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"),
                    *("-cp", ":".join([f"{libraries}/*", *map(str, self._libraries)]), REPOSITORY / "tests/java/ReadTable.java"),
                    *(f"{key}={value}" for key, value in self._properties.items()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"LC_ALL": "C.UTF-8"},
            )

    def stop(self):
        if self._process is not None:
            self._process.stdin.close()
            self._process.kill()
            self._process.wait()
