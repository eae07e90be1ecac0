"""dlt copies a table into Parquet files, reading it by connectorx: dlt_copy.py POSTGRES_URL TABLE FOLDER."""

import os
import sys

url, table, folder = sys.argv[1:]
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": f"{folder}/state", "DLT_PROJECT_DIR": folder}

import dlt  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402

rows = sql_table(url, table, backend="connectorx", backend_kwargs={"return_type": "arrow_stream", "batch_size": 100_000})
lake = dlt.destinations.filesystem(f"file://{folder}/lake")
pipeline = dlt.pipeline("peer", pipelines_dir=f"{folder}/state", destination=lake, dataset_name="public")
pipeline.run(rows, loader_file_format="parquet")
