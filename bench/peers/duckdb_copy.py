"""DuckDB copies a table into an Iceberg table of a REST catalog: duckdb_copy.py POSTGRES_URL TABLE CATALOG_URL NAMESPACE THREADS.

Each of its threads reads with a connection of its own.
"""

import sys
import sysconfig

import duckdb

url, table, catalog, namespace, threads = sys.argv[1:]
settings = {"threads": threads, "autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
connection = duckdb.connect(config=settings)
for name in ("httpfs", "avro", "iceberg", "postgres_scanner"):
    folder = f"{sysconfig.get_paths()['purelib']}/duckdb_extension_{name}/extensions/v{duckdb.__version__}"
    connection.execute(f"LOAD '{folder}/{name}.duckdb_extension'")
connection.execute(f"ATTACH '{url}' AS source (TYPE postgres, READ_ONLY)")
connection.execute(f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{catalog}', AUTHORIZATION_TYPE 'none')")
connection.execute(f"CREATE SCHEMA lake.{namespace}")
connection.execute(f"CREATE TABLE lake.{namespace}.{table} AS SELECT * FROM source.public.{table}")
