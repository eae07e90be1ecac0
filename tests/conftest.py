"""Fixtures: a PostgreSQL server per worker, and for each test a database, a pipeline and a lake of its own."""

import pathlib
import shutil
import tempfile

import psycopg
import pytest
from harness import compare
from harness.c_library import load_library
from harness.firn_process import BINARY, Firn
from harness.lake import ENGINES, REPOSITORY, JavaReader, Lake
from harness.postgres_server import PostgresServer, identifier
from harness.thorough import is_thorough, unknown_names

# Small, so that transactions of a few hundred rows are streamed before they commit. And with the commit times that the models
# of change modes need.
SETTINGS = {"logical_decoding_work_mem": "64kB", "track_commit_timestamp": "on"}


def pytest_addoption(parser):
    parser.addoption("--short", action="store_true", help="leave out what harness/thorough.py names")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("--short"):
        return
    names = [item.nodeid for item in items]
    if unknown := unknown_names(names):
        raise pytest.UsageError(f"harness/thorough.py names what is not there: {', '.join(unknown)}")
    left_out = [item for item in items if is_thorough(item.nodeid)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_thorough(item.nodeid)]


@pytest.fixture(scope="session")
def binary():
    assert BINARY.exists(), f"{BINARY} is missing: run make"
    return BINARY


@pytest.fixture(scope="session")
def library(binary):
    return load_library()


@pytest.fixture(scope="session")
def postgres_directory():
    """A place that PostgreSQL's own user can reach, which a checkout below a home directory may not be."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_directory):
    server = PostgresServer(
        postgres_directory / "postgres", SETTINGS, hba_lines=["host all locked 127.0.0.1/32 scram-sha-256"]
    ).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres18(postgres_directory):
    """A server of the newest version."""
    installed = REPOSITORY / "build/postgres-18"
    assert installed.is_dir(), f"{installed} is missing: run scripts/install-dependencies test"
    programs = shutil.copytree(installed, postgres_directory / "postgres-18-programs", symlinks=True)
    server = PostgresServer(postgres_directory / "postgres-18", SETTINGS, programs=programs / "bin").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def java(tmp_path_factory):
    reader = JavaReader(tmp_path_factory.mktemp("java") / "java.log")
    yield reader
    reader.stop()


class Pipeline:
    """A source database, the firn that replicates it, and its lake."""

    def __init__(self, postgres, database, directory, java, spark=None):
        self.postgres = postgres
        self.database = database
        self.url = postgres.url(database)
        self.connection = postgres.connect(database)
        self.directory = directory
        self.java = java
        self.spark = spark
        self.firn = None
        self.configure()

    def configure(self, **settings):
        """Makes the configuration file anew: `settings` are its sections."""
        self.firn = Firn(self.directory, self.url, slot=identifier(self.database), settings=settings)
        self.lake = Lake(self.firn.warehouse, self.java, self.spark)

    def execute(self, statements, parameters=None):
        """Each call is one transaction, or as many as the text has where it has its own BEGIN and COMMIT."""
        return self.connection.execute(statements, parameters)

    def catch_up(self, **options):
        return self.firn.catch_up(**options)

    def current_lsn(self):
        """Behind all that was written in PostgreSQL so far."""
        return self.connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]

    def has_acknowledged(self, lsn):
        """Whether firn has told PostgreSQL that everything before it is in Iceberg."""
        found = self.connection.execute(
            "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s", [lsn, identifier(self.database)]
        ).fetchone()
        return bool(found and found[0])

    def rows(self, table, engine="pyiceberg"):
        return self.lake.rows(self.lake.table(*split_name(table)), engine)

    def expect_equal(self, *tables, engines=ENGINES, extra_columns=(), source=None):
        """Every engine reads the rows that PostgreSQL has, in the table `source` where that is another one. A name without
        a schema is in public."""
        assert tables
        for name in map(split_name, tables):
            table = self.lake.table(*name)
            for engine in engines:
                rows = self.lake.rows(table, engine)
                compare.expect_equal(
                    self.connection, split_name(source) if source else name, rows, table.schema(), engine, extra_columns
                )

    def close(self):
        self.firn.kill()
        if self.spark:
            self.spark.forget(self.firn.warehouse)
        self.connection.close()
        self.postgres.drop_database(self.database)


def split_name(name):
    return tuple(name.split(".", 1)) if "." in name else ("public", name)


@pytest.fixture
def database(postgres, request):
    """The name of an empty database; slots that are left in it go with it."""
    name = postgres.create_database(identifier("t_" + request.node.name))
    yield name
    postgres.drop_database(name)


@pytest.fixture
def pipeline(binary, postgres, database, java, tmp_path):
    pipeline = Pipeline(postgres, database, tmp_path, java)
    yield pipeline
    pipeline.close()


@pytest.fixture
def admin(postgres):
    """A superuser's connection to the server's own database."""
    with postgres.connect() as connection:
        yield connection
