"""Pipelines into real catalogs and stores, which scripts/install-service installs. What can't run is skipped, and says why."""

import pytest
from conftest import Pipeline
from harness.deployments import Servers
from harness.service_lake import JavaReaders, ServiceLake
from harness.services import Unavailable


@pytest.fixture(scope="session")
def servers(postgres, tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("servers"), postgres)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def java_readers(tmp_path_factory):
    readers = JavaReaders(tmp_path_factory.mktemp("java-readers"))
    yield readers
    readers.stop()


class ServicePipeline(Pipeline):
    """A pipeline whose tables are in a deployment."""

    def __init__(self, postgres, database, directory, deployment, java_readers):
        self.deployment = deployment
        self._java_readers = java_readers
        super().__init__(postgres, database, directory, None)

    def configure(self, **settings):
        merged = dict(self.deployment.settings)
        for name, section in settings.items():
            merged[name] = merged.get(name, {}) | section if isinstance(section, dict) else section
        super().configure(**merged)
        self.lake = ServiceLake(self.deployment, self._java_readers)

    def expect_equal(self, *tables, **options):
        super().expect_equal(*tables, **({"engines": self.lake.engines} | options))

    def close(self):
        super().close()
        self.deployment.close()


@pytest.fixture
def deploy(binary, postgres, database, servers, java_readers, tmp_path):
    """deploy(name, faulty=…) gives a pipeline into that deployment, with a namespace of its own."""
    pipelines = []

    def deploy(name, **options):
        try:
            deployment = servers.deploy(name, database, **options)
        except Unavailable as why:
            pytest.skip(str(why))
        pipelines.append(ServicePipeline(postgres, database, tmp_path, deployment, java_readers))
        return pipelines[-1]

    yield deploy
    for pipeline in pipelines:
        pipeline.close()
