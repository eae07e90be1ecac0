"""Spark with Iceberg's runtime: the engine that the specification's authors test against."""

import os
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
JARS = REPOSITORY / "build/spark/jars"


class SparkReader:
    """One Spark in this process, started by the first read (some 20 s). Each warehouse has a session of its own, since
    the catalog's name in it must be firn's."""

    def __init__(self):
        self._spark = None
        self._sessions = {}

    def rows(self, warehouse, table):
        """The rows of `table` = (namespace, name) as dicts."""
        return self.session(warehouse).table(quoted("firn", *table)).toArrow().to_pylist()

    def session(self, warehouse):
        """A session whose catalog `firn` is the embedded one of this warehouse."""
        warehouse = pathlib.Path(warehouse)
        if warehouse not in self._sessions:
            session = self._start().newSession()
            for name, value in {
                "": "org.apache.iceberg.spark.SparkCatalog",
                ".type": "jdbc",
                ".uri": f"jdbc:sqlite:{warehouse}/catalog.db",
                ".jdbc.schema-version": "V1",
                ".warehouse": f"file://{warehouse}",
                ".cache-enabled": "false",
            }.items():
                session.conf.set(f"spark.sql.catalog.firn{name}", value)
            self._sessions[warehouse] = session
        return self._sessions[warehouse]

    def forget(self, warehouse):
        """To be called when a warehouse goes."""
        self._sessions.pop(pathlib.Path(warehouse), None)

    def _start(self):
        if self._spark is None:
            from pyspark.sql import SparkSession

            jars = sorted(map(str, JARS.glob("*.jar")))
            assert jars, f"{JARS} is empty: run scripts/install-dependencies conformance"
            os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
            builder = SparkSession.builder.master("local[2]").appName("firn")
            for name, value in {
                "spark.jars": ",".join(jars),
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1",
                "spark.driver.memory": "1g",
                "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
                "spark.sql.session.timeZone": "UTC",
                "spark.sql.shuffle.partitions": "2",
                "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            }.items():
                builder = builder.config(name, value)
            self._spark = builder.getOrCreate()
            self._spark.sparkContext.setLogLevel("OFF")
        return self._spark

    def stop(self):
        if self._spark is not None:
            self._spark.stop()


def quoted(*names):
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)
