"""A SQL catalog that firn, Java's JdbcCatalog and PyIceberg's SqlCatalog use at the same time, in SQLite and in PostgreSQL."""

import contextlib
import sqlite3
import threading

import psycopg
import pytest
from harness import compare
from harness.java_catalog import JavaJdbcCatalog
from harness.lake import sql_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError


class SqliteDatabase:
    def __init__(self, directory):
        self.path = directory / "catalog.db"
        self.firn_uri = f"sqlite://{self.path}"
        self.pyiceberg_uri = f"sqlite:///{self.path}"
        self.jdbc_uri = f"jdbc:sqlite:{self.path}"

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def close(self):
        pass


class PostgresDatabase:
    def __init__(self, postgres, name):
        self._postgres, self._name = postgres, postgres.create_database(name)
        self.firn_uri = postgres.url(name)
        self.pyiceberg_uri = self.firn_uri.replace("postgresql://", "postgresql+psycopg://")
        self.jdbc_uri = f"jdbc:postgresql://127.0.0.1:{postgres.port}/{name}?user=postgres"

    def rows(self, sql):
        with psycopg.connect(self.firn_uri) as connection:
            return connection.execute(sql).fetchall()

    def close(self):
        self._postgres.drop_database(self._name)


class Shared:
    """One catalog as its three users see it."""

    def __init__(self, database, pipeline, directory):
        self.database = database
        self.pipeline = pipeline
        self.warehouse = f"file://{pipeline.firn.warehouse}"
        self._log = directory / "jdbc.log"
        pipeline.configure(catalog={"uri": database.firn_uri, "warehouse": self.warehouse})

    def java(self, schema_version="V1"):
        return JavaJdbcCatalog(self.database.jdbc_uri, self.warehouse, self._log, schema_version)

    def pyiceberg(self, **properties):
        return sql_catalog(self.database.pyiceberg_uri, warehouse=self.warehouse, **properties)

    def expect_equal(self, name):
        """PyIceberg, through the catalog, and Java, at the file that the catalog names, see PostgreSQL's rows."""
        table = self.pyiceberg().load_table(("public", name))
        for engine in ("pyiceberg", "java"):
            rows = self.pipeline.lake.rows(table, engine)
            compare.expect_equal(self.pipeline.connection, ("public", name), rows, table.schema(), engine, ())


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request, pipeline, postgres, tmp_path):
    if request.param == "sqlite":
        database = SqliteDatabase(tmp_path)
    else:
        database = PostgresDatabase(postgres, pipeline.database + "_lake")
    yield Shared(database, pipeline, tmp_path)
    database.close()


def test_java_and_pyiceberg_use_what_firn_makes(shared):
    pipeline = shared.pipeline
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 100) n")
    pipeline.catch_up()
    pyiceberg = shared.pyiceberg()
    with shared.java() as java:
        assert java.run("namespaces") == ["public"]
        assert java.run("tables", "public") == ["t"]
        assert pyiceberg.list_namespaces() == [("public",)]
        assert pyiceberg.list_tables("public") == [("public", "t")]
        shared.expect_equal("t")

        # Each commits on top of the others.
        assert java.run("set", "public", "t", "set.by", "java")["properties"]["set.by"] == "java"
        table = pyiceberg.load_table(("public", "t"))
        assert table.properties["set.by"] == "java"
        with table.transaction() as transaction:
            transaction.set_properties({"also.set.by": "pyiceberg"})
        pipeline.execute("UPDATE t SET v = 'changed' WHERE id % 3 = 0; DELETE FROM t WHERE id % 10 = 0")
        pipeline.catch_up()
        shared.expect_equal("t")
        loaded = java.run("load", "public", "t")
        assert (loaded["properties"]["set.by"], loaded["properties"]["also.set.by"]) == ("java", "pyiceberg")
        assert loaded["metadata_location"] == pyiceberg.load_table(("public", "t")).metadata_location

        rows = shared.database.rows("SELECT iceberg_type, previous_metadata_location FROM iceberg_tables")
        assert len(rows) == 1 and rows[0][0] == "TABLE" and rows[0][1]


@pytest.mark.parametrize("maker", ["java-V0", "java-V1", "pyiceberg"])
def test_firn_uses_what_others_make(shared, maker):
    pipeline = shared.pipeline
    version = "V0" if maker == "java-V0" else "V1"
    pipeline.firn.warehouse.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        if maker == "pyiceberg":
            shared.pyiceberg().create_namespace("public")
        java = stack.enter_context(shared.java(version))
        java.run("create", "theirs.nested", "old")
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        pipeline.catch_up()
        pipeline.execute("UPDATE t SET v = 'c' WHERE id = 2")
        pipeline.catch_up()
        shared.expect_equal("t")
        assert java.run("tables", "public") == ["t"]
        assert java.run("tables", "theirs.nested") == ["old"]
        java.run("set", "public", "t", "set.by", "java")
        java.run("rename", "theirs.nested", "old", "new")
        pyiceberg = shared.pyiceberg()
        assert pyiceberg.list_tables("theirs.nested") == [("theirs", "nested", "new")]
        assert pyiceberg.load_table(("public", "t")).properties["set.by"] == "java"
        java.run("drop", "theirs.nested", "new")
        with pytest.raises(NoSuchTableError):
            pyiceberg.load_table(("theirs", "nested", "new"))
        pipeline.execute("INSERT INTO t VALUES (3, 'd')")
        pipeline.catch_up()
        shared.expect_equal("t")


def test_commits_of_others_while_firn_streams_are_all_there(shared):
    """The optimistic lock holds between the three: each property that was acknowledged is there, and so is each row."""
    pipeline = shared.pipeline
    pipeline.configure(
        catalog={"uri": shared.database.firn_uri, "warehouse": shared.warehouse}, writer={"commit_interval_ms": 50}
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'first')")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    lost = []
    acknowledged = []

    def set_with_pyiceberg():
        catalog = shared.pyiceberg()
        for n in range(20):
            while True:
                try:
                    with catalog.load_table(("public", "t")).transaction() as transaction:
                        transaction.set_properties({f"pyiceberg.{n}": "yes"})
                    acknowledged.append(f"pyiceberg.{n}")
                    break
                except CommitFailedException:
                    lost.append(n)

    with shared.java() as java:
        java.run("set", "public", "t", "commit.retry.num-retries", "50")
        setter = threading.Thread(target=set_with_pyiceberg)
        setter.start()
        for n in range(40):
            pipeline.execute("INSERT INTO t VALUES (%s, 'row')", [n + 1])
            if n % 2 == 0:
                java.run("set", "public", "t", f"java.{n}", "yes")
                acknowledged.append(f"java.{n}")
        setter.join()
        pipeline.firn.stop()
        pipeline.catch_up()
        properties = java.run("load", "public", "t")["properties"]
    assert len(acknowledged) == 40
    assert set(acknowledged) <= set(properties)
    shared.expect_equal("t")
