"""Tables that firn writes from a real PostgreSQL, each made once and read by every engine."""

import pytest
from conftest import Pipeline
from harness.engines import mark_limits
from harness.postgres_server import identifier
from harness.spark import SparkReader


@pytest.fixture(scope="session")
def spark():
    reader = SparkReader()
    yield reader
    reader.stop()


@pytest.fixture(scope="session")
def make_pipeline(binary, postgres, java, spark, tmp_path_factory):
    """Gives pipelines, each with a database and a lake of its own, that live until `close`."""

    def make(name):
        name = identifier("c_" + name)
        directory = tmp_path_factory.mktemp(name)
        return Pipeline(postgres, postgres.create_database(name), directory, java, spark)

    return make


@pytest.fixture
def within_limits(request):
    """Call it with an engine and what the table has, before reading."""
    return lambda engine, features: mark_limits(request, engine, features)
