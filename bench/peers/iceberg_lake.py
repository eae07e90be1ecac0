"""What programs that read Arrow batches share: an Iceberg table by PyIceberg, in a catalog in SQLite."""

import pathlib

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog


def write(folder, table, batches):
    """Makes the table below `folder` of a pyarrow.RecordBatchReader."""
    folder = pathlib.Path(folder)
    catalog = SqlCatalog("peer", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("public")
    catalog.create_table(("public", table), batches.schema).append(batches)


def with_types(batches, types):
    """The same batches with other types for some columns: name → type."""
    schema = pa.schema([field.with_type(types[field.name]) if field.name in types else field for field in batches.schema])
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches))
