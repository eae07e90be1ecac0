"""Spark copies a table by JDBC over two connections into an Iceberg table: pyspark_copy.py POSTGRES_URL TABLE FOLDER JARS."""

import os
import sys
import urllib.parse

from pyspark.sql import SparkSession

url, table, folder, jars = sys.argv[1:]
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
source = urllib.parse.urlsplit(url)
jdbc = {
    "url": f"jdbc:postgresql://{source.hostname}:{source.port}{source.path}",
    "user": source.username,
    "driver": "org.postgresql.Driver",
    "fetchsize": "10000",
    "preferTimestampNTZ": "true",  # timestamp stays without a zone.
}
builder = SparkSession.builder.master("local[2]").appName("peer")
for name, value in {
    "spark.jars": jars,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lake.type": "hadoop",
    "spark.sql.catalog.lake.warehouse": f"file://{folder}",
}.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
pages = spark.read.format("jdbc").options(**jdbc, query=f"SELECT relpages FROM pg_class WHERE oid = '{table}'::regclass").load().first()[0]
properties = {name: value for name, value in jdbc.items() if name != "url"}
halves = [f"ctid < '({pages // 2},0)'", f"ctid >= '({pages // 2},0)'"]
spark.read.jdbc(jdbc["url"], table, predicates=halves, properties=properties).writeTo(f"lake.public.{table}").using("iceberg").create()
spark.stop()
