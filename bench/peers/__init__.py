"""Others that copy a table from PostgreSQL, in the same rounds as firn: programs beside this file, each in an environment of its
own with what its .txt file pins, below build/bench/peers."""

import contextlib
import shutil
import subprocess
import sys

from harness.services import IcebergRest

from .. import REPOSITORY, contents, measure

PROGRAMS = REPOSITORY / "bench/peers"
ENVIRONMENTS = REPOSITORY / "build/bench/peers"


class Peer:
    """`copy` may be called again and again, and takes away what the copy before has made."""

    name = ""
    program = ""  # And its file of requirements; the name where it has one of its own.
    title = ""
    connections = 1  # That it reads with at once: it is set beside as many workers of firn.

    def __init__(self, directory):
        self.directory = directory / self.name
        self.program = self.program or self.name
        self._copies = 0

    def __enter__(self):
        install(self.program)
        return self

    def __exit__(self, *failure):
        shutil.rmtree(self.directory, ignore_errors=True)

    def target(self):
        """The folder of the latest copy."""
        return self.directory / f"copy_{self._copies}"

    def arguments(self):
        """What the program is told beside the source's URL and table."""
        return [self.target()]

    def prepare(self, table):
        self.target().mkdir(parents=True)

    def copy(self, database, table):
        shutil.rmtree(self.target(), ignore_errors=True)
        self._copies += 1
        self.prepare(table)
        python = ENVIRONMENTS / self.program / "bin/python"
        return measure.run([python, PROGRAMS / f"{self.program}_copy.py", database.url, table, *self.arguments()])

    def files(self):
        """What DuckDB finds the latest copy's files by."""
        return f"{self.target()}/**/*.parquet"

    def expect_equal(self, database, table):
        """That the latest copy has all that PostgreSQL has."""
        contents.expect_equal(database, {table: f"read_parquet('{self.files()}')"}, f"{self.name}'s")


class DuckDb(Peer):
    name = "duckdb"
    title = "DuckDB: postgres_scanner to Iceberg by REST, two connections"
    connections = 2

    def __enter__(self):
        super().__enter__()
        if subprocess.run([REPOSITORY / "scripts/install-service", "iceberg-rest"]).returncode != 0:
            raise RuntimeError("DuckDB's REST catalog can't be installed: mend what is told above, or leave DuckDB out by --peers ''")
        self._catalog = IcebergRest(self.directory, warehouse=self.directory)
        self._catalog.start()
        return self

    def __exit__(self, *failure):
        self._catalog.stop()
        super().__exit__(*failure)

    def prepare(self, table):
        # It makes no folders on a local disk.
        for folder in ("data", "metadata"):
            (self.target() / table / folder).mkdir(parents=True)

    def arguments(self):
        return [self._catalog.url, self.target().name, self.connections]


class DuckDbAlone(DuckDb):
    name = "duckdb-1"
    program = "duckdb"
    title = "DuckDB, one connection"
    connections = 1


class Adbc(Peer):
    name = "adbc"
    title = "ADBC and PyIceberg, a script"


class ConnectorX(Peer):
    name = "connectorx"
    title = "connectorx and PyIceberg, a script"


class Dlt(Peer):
    name = "dlt"
    title = "dlt, by connectorx to Parquet files"

    def files(self):
        # Its own folder of finished work has them a second time.
        return f"{self.target()}/lake/**/*.parquet"


class PySpark(Peer):
    name = "pyspark"
    title = "Spark: JDBC to Iceberg, two connections"
    connections = 2
    jars = ENVIRONMENTS / "pyspark/jars"

    def __enter__(self):
        super().__enter__()
        if not self.jars.exists():
            command = ["mvn", "--quiet", "--batch-mode", "-f", PROGRAMS / "pyspark-jars.xml", "dependency:copy-dependencies"]
            # Iceberg's runtime has all that it needs in it.
            subprocess.run([*command, f"-DoutputDirectory={self.jars}", "-DexcludeTransitive=true"], check=True)
        return self

    def arguments(self):
        return [self.target(), ",".join(map(str, sorted(self.jars.glob("*.jar"))))]


PEERS = {kind.name: kind for kind in (DuckDb, DuckDbAlone, Adbc, ConnectorX, Dlt, PySpark)}


@contextlib.contextmanager
def started(names, directory):
    """The peers of these names, ready to copy."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(PEERS[name](directory / "peers")) for name in names]


def install(name):
    """Makes a peer's environment, where there is none with just what it wants."""
    wanted = (PROGRAMS / f"{name}.txt").read_text()
    environment = ENVIRONMENTS / name
    installed = environment / "installed"
    if installed.exists() and installed.read_text() == wanted:
        return
    print(f"  installing {name} into {environment}", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "-r", PROGRAMS / f"{name}.txt"], check=True)
    installed.write_text(wanted)
