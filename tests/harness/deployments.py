"""Where tables live: a catalog and a store, each as firn, PyIceberg, DuckDB, iceberg-rust and Java are told of it.

`DEPLOYMENTS` names them, with the servers that each needs. A test asks for `servers.deploy(name, …)`; with `faulty`, firn's
requests to the catalog and to the store go through proxies of its own, which the readers do not.
"""

import contextlib
import dataclasses
import os
import uuid

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.catalog.rest import RestCatalog

from . import services
from .expiring_tokens import ExpiringTokens, WhoAsks
from .faulty_proxy import HttpProxy, TcpProxy
from .glue_versions import VersionGuard
from .lake import sql_catalog
from .services import REGION, Unavailable

BUCKET = "lake"
OAUTH_CLIENT = ("firn-tests", "a-secret-of-the-client")

# Name: the servers that it needs, as scripts/install-service has them.
DEPLOYMENTS = {
    "sqlite-local": (),
    "sqlite-versitygw": ("versitygw",),
    "sqlite-moto": ("moto",),
    "sqlite-gcs": ("fake-gcs",),
    "sqlite-azurite": ("azurite",),
    "postgres-versitygw": ("versitygw",),
    "postgres-minio": ("minio",),
    "rest-local": ("iceberg-rest",),
    "rest-versitygw": ("iceberg-rest", "versitygw"),
    "rest-minio": ("iceberg-rest", "minio"),
    "rest-moto": ("iceberg-rest", "moto"),
    "rest-gcs": ("iceberg-rest", "fake-gcs"),
    "rest-azurite": ("iceberg-rest", "azurite"),
    "glue-moto": ("moto",),
    "postgres-local": (),
    "nessie-moto": ("nessie", "moto"),
    "nessie-minio": ("nessie", "minio"),
    "nessie-keycloak": ("nessie", "moto", "keycloak"),
}


@dataclasses.dataclass
class Store:
    """A place for files. `address` is its server's, host:port."""

    warehouse: str
    address: str | None = None
    firn: dict = dataclasses.field(default_factory=dict)  # The section `storage`.
    pyiceberg: dict = dataclasses.field(default_factory=dict)
    java: dict = dataclasses.field(default_factory=dict)  # Properties of a FileIO, io-impl among them.
    duckdb: str | None = None  # What makes DuckDB reach it; None: it can't.
    rust: dict | None = None  # iceberg-rust's FileIO properties; None: it can't.
    java_reads: bool = True

    def firn_through(self, address):
        """firn's section with another address of the server."""
        return {
            name: {key: value.replace(self.address, address) if isinstance(value, str) else value for key, value in kind.items()}
            for name, kind in self.firn.items()
        }


def s3_store(service, warehouse):
    keys = {"s3.endpoint": service.url, "s3.access-key-id": service.access_key_id, "s3.secret-access-key": service.secret_access_key}
    return Store(
        warehouse,
        service.address,
        firn={
            "s3": {
                "endpoint": service.url,
                "region": REGION,
                "access_key_id": service.access_key_id,
                "secret_access_key": service.secret_access_key,
                "path_style": True,
            }
        },
        pyiceberg=keys | {"s3.region": REGION},
        java=keys
        | {
            "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            "s3.path-style-access": "true",
            "client.region": REGION,
        },
        duckdb=f"CREATE SECRET s3 (TYPE s3, KEY_ID '{service.access_key_id}', SECRET '{service.secret_access_key}',"
        f" REGION '{REGION}', ENDPOINT '{service.address}', URL_STYLE 'path', USE_SSL false)",
        rust=keys | {"s3.region": REGION, "s3.path-style-access": "true"},
    )


def gcs_store(service, warehouse):
    return Store(
        warehouse,
        service.address,
        firn={"gcs": {"endpoint": service.url, "anonymous": True}},
        # It takes any token, and PyIceberg asks Google for one where it is given none.
        pyiceberg={
            "gcs.service.host": service.url,
            "gcs.oauth2.token": "any",
            "gcs.oauth2.token-expires-at": str(4_102_444_800_000),
        },
        java={"io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO", "gcs.service.host": service.url, "gcs.no-auth": "true"},
        java_reads=False,  # It reads on behind a file's last byte, where fake-gcs-server begins again.
        rust={"gcs.service.host": service.url, "gcs.no-auth": "true", "gcs.allow-anonymous": "true", "gcs.disable-vm-metadata": "true"},
    )


def azure_store(service, warehouse):
    return Store(
        warehouse,
        service.address,
        firn={"azure": {"endpoint": service.blob_url, "account": service.account, "account_key": service.account_key}},
        pyiceberg={
            "py-io-impl": "harness.azure_file_io.AzureFileIO",
            "adls.account-name": service.account,
            "adls.account-key": service.account_key,
            "adls.blob-storage-authority": service.address,
            "adls.blob-storage-scheme": "http",
            "adls.dfs-storage-authority": service.address,
            "adls.dfs-storage-scheme": "http",
        },
        java={"io-impl": "org.apache.iceberg.rest.BlobFileIO", "blob.connection-string": service.connection_string},
    )


class Servers:
    """The servers of a test session, each started when it is first asked for."""

    def __init__(self, directory, postgres):
        self.directory = directory
        self.postgres = postgres
        self._stack = contextlib.ExitStack()
        self._running = {}

    def close(self):
        self._stack.close()

    def get(self, key, make):
        """The server `key`, started at the first call; one that can't run is not tried again."""
        if key not in self._running:
            try:
                service = self._stack.enter_context(make())
                if hasattr(service, "make_bucket"):
                    service.make_bucket(BUCKET)
                self._running[key] = service
            except Unavailable as why:
                self._running[key] = why
        if isinstance(self._running[key], Unavailable):
            raise self._running[key]
        return self._running[key]

    def simple(self, kind):
        return self.get(kind.name, lambda: kind(self.directory))

    def deploy(self, name, namespace, *, faulty=False, **options):
        """A deployment, empty, whose tables are in `namespace`. Unavailable where a server can't run."""
        missing = [server for server in DEPLOYMENTS[name] if not allowed(server)]
        if missing:
            raise Unavailable(f"not asked for: {', '.join(missing)} (scripts/test-services runs all)")
        catalog, _, store = name.partition("-")
        return _KINDS[catalog](self, store, namespace, faulty, **options)

    def store(self, name, path):
        match name:
            case "local":
                folder = self.directory / path
                folder.mkdir(parents=True, exist_ok=True)
                return Store(f"file://{folder}", duckdb="SELECT 1", rust={}, java={"io-impl": "org.apache.iceberg.hadoop.HadoopFileIO"})
            case "moto":
                return s3_store(self.simple(services.Moto), f"s3://{BUCKET}/{path}")
            case "versitygw":
                return s3_store(self.simple(services.Versitygw), f"s3://{BUCKET}/{path}")
            case "minio":
                return s3_store(self.simple(services.Minio), f"s3://{BUCKET}/{path}")
            case "gcs":
                return gcs_store(self.simple(services.FakeGcs), f"gs://{BUCKET}/{path}")
            case "azurite":
                azurite = self.simple(services.Azurite)
                return azure_store(azurite, f"abfss://{BUCKET}@{azurite.account}.dfs.core.windows.net/{path}")


def allowed(server):
    """FIRN_SERVICES chooses servers; without it all that are installed are taken."""
    chosen = os.environ.get("FIRN_SERVICES")
    return chosen is None or server in chosen.split()


class Deployment:
    """`settings` are sections of firn's configuration; `catalog()` is what PyIceberg opens."""

    def __init__(self, servers, store, namespace, faulty):
        self.namespace = namespace
        self.store = store
        self.catalog_proxy = None
        self.store_proxy = None
        self._proxies = []
        self.settings = {"destination": {"namespace": namespace}}
        if faulty and store.address:
            self.store_proxy = self._proxy(HttpProxy(store.address))
        if store.firn:
            self.settings["storage"] = store.firn_through(self.store_proxy.address) if self.store_proxy else store.firn

    def _proxy(self, proxy):
        self._proxies.append(proxy.start())
        return proxy

    def close(self):
        for proxy in self._proxies:
            proxy.stop()

    def catalog(self):
        raise NotImplementedError


class SqliteDeployment(Deployment):
    def __init__(self, servers, store, namespace, faulty):
        super().__init__(servers, servers.store(store, namespace), namespace, faulty)
        self._path = servers.directory / f"{namespace}-{store}.db"
        self.settings["catalog"] = {"type": "sql", "uri": f"sqlite://{self._path}", "warehouse": self.store.warehouse}

    def catalog(self):
        return sql_catalog(f"sqlite:///{self._path}", warehouse=self.store.warehouse, **self.store.pyiceberg)


class PostgresDeployment(Deployment):
    """A catalog in a database of its own, on the server that has the source's as well."""

    def __init__(self, servers, store, namespace, faulty):
        super().__init__(servers, servers.store(store, namespace), namespace, faulty)
        self._postgres = servers.postgres
        self._database = servers.postgres.create_database(f"catalog_{uuid.uuid4().hex[:12]}")
        url = servers.postgres.url(self._database)
        if faulty:
            address = f"127.0.0.1:{servers.postgres.port}"
            self.catalog_proxy = self._proxy(TcpProxy(address))
            url = url.replace(address, self.catalog_proxy.address)
        self.settings["catalog"] = {"type": "sql", "uri": url, "warehouse": self.store.warehouse}

    def catalog(self):
        uri = self._postgres.url(self._database).replace("postgresql://", "postgresql+psycopg://")
        return sql_catalog(uri, warehouse=self.store.warehouse, **self.store.pyiceberg)

    def close(self):
        super().close()
        self._postgres.drop_database(self._database)


class RestDeployment(Deployment):
    """Iceberg's REST fixture with OAuth2, whose tokens live for some seconds. Where the store is S3 the catalog vends its settings
    and firn is told nothing of it, unless `faulty`: what is vended would lead past the proxy.

    `credential_seconds`: the catalog vends session tokens that the store, behind a proxy, takes for that long alone; with
    `tells_expiry` the catalog says so."""

    TOKEN_SECONDS = 5

    def __init__(self, servers, store, namespace, faulty, credential_seconds=None, tells_expiry=True):
        self._server = None
        super().__init__(servers, servers.store(store, f"rest-{store}"), namespace, faulty)
        vended = not faulty and store in ("moto", "versitygw", "minio")
        if credential_seconds:
            self.expiry = ExpiringTokens(credential_seconds)
            self.store_proxy = self._proxy(HttpProxy(self.store.address, self.expiry))
            extra = {"vend.s3.endpoint": self.store_proxy.url, "vend-token.s3.session-token": ExpiringTokens.PREFIX}
            if tells_expiry:
                extra["vend-expiry.s3.session-token-expires-at-ms"] = credential_seconds
            server = self._server = self._make_server(servers.directory / f"rest-{namespace}", vended, extra).start()
        else:
            server = servers.get(
                f"iceberg-rest {store} {vended}",
                lambda: self._make_server(servers.directory / f"rest-{store}-{'vended' if vended else 'plain'}", vended),
            )
        self._url = server.url
        # Also where nothing is faulty: it counts what is asked.
        self.catalog_proxy = self._proxy(HttpProxy(server.address))
        self.settings["catalog"] = {
            "type": "rest",
            "uri": self.catalog_proxy.url,
            "warehouse": self.store.warehouse,
            "credential": ":".join(OAUTH_CLIENT),
        }
        if vended:
            del self.settings["storage"]

    def _make_server(self, directory, vended, extra=None):
        settings = {"warehouse": self.store.warehouse, "oauth": ":".join(OAUTH_CLIENT), "token-seconds": self.TOKEN_SECONDS}
        if vended:
            settings |= {f"vend.{key}": value for key, value in self.store.java.items() if key != "io-impl"}
        return services.IcebergRest(directory, **self.store.java, **settings | (extra or {}))

    def catalog(self):
        # What is vended to PyIceberg is its own matter: it is told of the store, but the catalog's word counts more.
        return RestCatalog("firn", uri=self._url, credential=":".join(OAUTH_CLIENT), **self.store.pyiceberg)

    def close(self):
        super().close()
        if self._server:
            self._server.stop()


class GlueDeployment(Deployment):
    """firn always comes through the proxy, which refuses stale versions of tables where moto does not."""

    def __init__(self, servers, store, namespace, faulty):
        super().__init__(servers, servers.store(store, namespace), namespace, faulty)
        self._moto = servers.simple(services.Moto)
        self.versions = VersionGuard(self._moto.url)
        self.catalog_proxy = self._proxy(HttpProxy(self._moto.address, self.versions))
        self.settings["catalog"] = {
            "type": "glue",
            "uri": None,
            "warehouse": self.store.warehouse,
            "region": REGION,
            "endpoint": self.catalog_proxy.url,
            "access_key_id": self._moto.access_key_id,
            "secret_access_key": self._moto.secret_access_key,
        }

    def catalog(self):
        return GlueCatalog(
            "firn",
            **{
                "glue.endpoint": self.catalog_proxy.url,
                "glue.region": REGION,
                "glue.access-key-id": self._moto.access_key_id,
                "glue.secret-access-key": self._moto.secret_access_key,
                "warehouse": self.store.warehouse,
            },
            **self.store.pyiceberg,
        )


class NessieDeployment(Deployment):
    """Nessie, which vends credentials of the store's STS: firn is told nothing of the store. `store` "keycloak": moto, behind
    tokens of Keycloak, which live for some seconds. `watched`: `who_asks` sees the requests to the store."""

    TOKEN_SECONDS = 5

    def __init__(self, servers, store, namespace, faulty, watched=False):
        behind_keycloak = store == "keycloak"
        keycloak = None
        if behind_keycloak:
            keycloak = servers.get("keycloak", lambda: services.Keycloak(servers.directory, self.TOKEN_SECONDS))
        kind = services.Minio if store == "minio" else services.Moto
        super().__init__(servers, servers.store(kind.name, f"nessie-{store}"), namespace, faulty)
        store_url = None
        if watched:
            self.who_asks = WhoAsks()
            store_url = self._proxy(HttpProxy(self.store.address, self.who_asks)).url
        nessie = servers.get(
            f"nessie {store} {store_url}",
            lambda: services.Nessie(
                servers.directory / f"nessie-{store}{'-watched' if watched else ''}",
                servers.simple(kind),
                self.store.warehouse,
                store_url=store_url,
                issuer=keycloak.issuer if keycloak else None,
            ),
        )
        url = nessie.iceberg_url
        if faulty:
            self.catalog_proxy = self._proxy(HttpProxy(nessie.address))
            url = url.replace(nessie.address, self.catalog_proxy.address)
        self.settings["catalog"] = {"type": "rest", "uri": url, "warehouse": "wh"}
        self._reader = {"uri": nessie.iceberg_url, "warehouse": "wh"}
        if keycloak:
            client = {"credential": f"{keycloak.client_id}:{keycloak.client_secret}", "scope": "catalog"}
            self.settings["catalog"] |= client | {"oauth2_server_uri": keycloak.token_url}
            self._reader |= client | {"oauth2-server-uri": keycloak.token_url}
        if not faulty:
            del self.settings["storage"]

    def catalog(self):
        return RestCatalog("firn", **self._reader, **self.store.pyiceberg)


_KINDS = {
    "sqlite": SqliteDeployment,
    "postgres": PostgresDeployment,
    "rest": RestDeployment,
    "glue": GlueDeployment,
    "nessie": NessieDeployment,
}
