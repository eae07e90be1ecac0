"""ADBC reads a table as Arrow batches, PyIceberg writes them: adbc_copy.py POSTGRES_URL TABLE FOLDER."""

import sys

import adbc_driver_postgresql.dbapi as adbc
import iceberg_lake
import pyarrow as pa

url, table, folder = sys.argv[1:]
with adbc.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute(f"SELECT * FROM {table}")
    batches = cursor.fetch_record_batch()
    # ADBC gives numeric as texts of a type that it calls opaque; all of these tables' are numeric(10,2).
    numerics = [field.name for field in batches.schema if isinstance(field.type, pa.OpaqueType)]
    plain = pa.schema([field.with_type(pa.string()) if field.name in numerics else field for field in batches.schema])
    texts = pa.RecordBatchReader.from_batches(
        plain, (pa.record_batch([c.storage if isinstance(c, pa.ExtensionArray) else c for c in batch.columns], plain) for batch in batches)
    )
    iceberg_lake.write(folder, table, iceberg_lake.with_types(texts, {name: pa.decimal128(10, 2) for name in numerics}))
