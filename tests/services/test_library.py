"""An application of its own data: the library writes into every catalog and store by the sections of a configuration file."""

import json

import pyarrow as pa
import pytest
from harness.c_library import DELETE, INSERT, UPSERT, Destination
from harness.deployments import DEPLOYMENTS

COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string())])


def batch(*rows):
    return pa.RecordBatch.from_pylist([{"id": number, "name": name} for number, name in rows], schema=COLUMNS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_an_application_writes_into(deploy, library, tmp_path, name):
    pipeline = deploy(name)
    settings = pipeline.deployment.settings
    sections = {"catalog": {key: value for key, value in settings["catalog"].items() if value is not None}}
    sections |= {key: value for key, value in settings.items() if key == "storage"}
    name_space = pipeline.deployment.namespace.encode()

    def opened():
        options = (f"configuration={json.dumps(sections)}", f"state_directory={tmp_path / 'application'}")
        return Destination(library, *options, name_space=name_space)

    with opened() as lake:
        lake.define(COLUMNS)
        lake.add(INSERT, batch((1, "a"), (2, "b"), (3, "c")))
        lake.commit(1)
        lake.add(UPSERT, batch((2, "changed"), (4, "d")))
        lake.commit(2)
    with opened() as lake:
        assert lake.position() == 2
        lake.add(DELETE, batch((1, None)))
        lake.add(UPSERT, batch((3, "again")))
        lake.commit(3)
    table = pipeline.lake.table(None, "t")
    for engine in pipeline.lake.engines:
        rows = sorted((row["id"], row["name"]) for row in pipeline.lake.rows(table, engine))
        assert rows == [(2, "changed"), (3, "again"), (4, "d")], engine
