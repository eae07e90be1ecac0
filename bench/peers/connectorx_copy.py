"""connectorx reads a table as Arrow batches, PyIceberg writes them: connectorx_copy.py POSTGRES_URL TABLE FOLDER."""

import sys

import connectorx
import iceberg_lake

url, table, folder = sys.argv[1:]
batches = connectorx.read_sql(url, f"SELECT * FROM {table}", protocol="binary", return_type="arrow_stream", batch_size=100_000)
iceberg_lake.write(folder, table, batches)
