"""What is in the tables of a deployment, as independent engines read them from its catalog and its store."""

from .lake import JavaReader, read_with_duckdb, read_with_iceberg_rust, to_rows
from .services import SERVICES


class ServiceLake:
    """As `lake.Lake`: a table's schema in PostgreSQL says nothing, since all are in the deployment's namespace."""

    def __init__(self, deployment, java_readers):
        self.deployment = deployment
        self._java_readers = java_readers

    def catalog(self):
        return self.deployment.catalog()

    def table(self, _, name):
        return self.catalog().load_table((self.deployment.namespace, name))

    @property
    def engines(self):
        """Those that can read from this store."""
        store = self.deployment.store
        able = {"pyiceberg": True, "iceberg-rust": store.rust is not None, "duckdb": store.duckdb, "java": store.java and store.java_reads}
        return tuple(engine for engine, can in able.items() if can)

    def rows(self, table, engine):
        store = self.deployment.store
        match engine:
            case "pyiceberg":
                return to_rows(table.scan().to_arrow())
            case "iceberg-rust":
                return read_with_iceberg_rust(table.metadata_location, store.rust)
            case "duckdb":
                return read_with_duckdb(table.metadata_location, store.duckdb)
            case "java":
                return self._java_readers.reader(store.java).rows(table.metadata_location)


class JavaReaders:
    """One JVM for each store."""

    def __init__(self, directory):
        self._directory = directory
        self._readers = {}

    def reader(self, properties):
        key = tuple(sorted(properties.items()))
        if key not in self._readers:
            rest = SERVICES / "iceberg-rest"
            # Iceberg itself is the newer one of build/java/lib, which stands first.
            libraries = [rest / "classes", *sorted(rest.glob("lib/*.jar"))]
            log = self._directory / f"java-{len(self._readers)}.log"
            self._readers[key] = JavaReader(log, properties, libraries)
        return self._readers[key]

    def stop(self):
        for reader in self._readers.values():
            reader.stop()
