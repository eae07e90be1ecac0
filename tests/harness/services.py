"""Real catalogs and stores on free ports of 127.0.0.1, from what scripts/install-service has put into build/services.

Each is a context manager that waits until the server answers, and ends it afterwards:

    with Minio(directory) as minio:
        minio.make_bucket("lake")
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.error
import urllib.request

from .postgres_server import free_port
from .waiting import end_with_parent, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SERVICES = REPOSITORY / "build/services"
REGION = "us-east-1"


class Unavailable(Exception):
    """Why a server can't run on this machine, and what to do."""


def installed(name):
    """The folder of a server."""
    folder = SERVICES / name
    if not (folder / "installed").exists():
        raise Unavailable(f"{name} is not installed: scripts/install-service {name}")
    return folder


def java_at_least(version):
    """A java program of that version or newer: $JAVA_HOME's, that in PATH, or one of Debian's places."""
    places = [pathlib.Path(os.environ["JAVA_HOME"]) / "bin/java"] if "JAVA_HOME" in os.environ else []
    places += [pathlib.Path("/usr/bin/java"), *sorted(pathlib.Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)]
    for java in places:
        if java.exists():
            told = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
            found = re.search(r'version "(\d+)', told)
            if found and int(found.group(1)) >= version:
                return java
    raise Unavailable(f"Java {version} or newer is not on this machine: install a JDK and set JAVA_HOME")


class Service:
    """A server process. `command()` is given anew for each attempt to start, as another process may take a port."""

    name = ""  # As scripts/install-service has it.
    ports = 1
    ready_within_s = 120

    def __init__(self, directory):
        self.directory = pathlib.Path(directory) / self.name
        self.log = self.directory / "server.log"
        self.port = None
        self._process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def prepare(self):
        """Before the start."""

    def answers(self):
        """Whether it is ready."""
        return http_answers(f"http://127.0.0.1:{self.port}/")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def start(self):
        self.program = installed(self.name)
        self.directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(3):
            self.port, *self.other_ports = [free_port() for _ in range(self.ports)]
            self.prepare()
            self._launch()
            try:
                wait_until(self._ready, f"{self.name} answers", self.ready_within_s, interval_s=0.1)
                return self
            except (RuntimeError, TimeoutError):
                self.stop()
                if attempt == 2:
                    raise

    def _launch(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self.command()],
                cwd=self.directory,
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(signal.SIGKILL),
            )

    def _ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at start:\n{self.log.read_text(errors='replace')[-3000:]}")
        return self.answers()

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        self.stop()


def http_answers(url):
    """Whether a server answers there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class S3Service(Service):
    """What all S3 servers have in common."""

    access_key_id = "admin"
    secret_access_key = "admin-secret"

    def client(self, kind="s3", **options):
        import boto3

        return boto3.client(
            kind,
            **{
                "endpoint_url": self.url,
                "region_name": REGION,
                "aws_access_key_id": self.access_key_id,
                "aws_secret_access_key": self.secret_access_key,
            }
            | options,
        )

    def make_bucket(self, name):
        self.client().create_bucket(Bucket=name)


class Moto(S3Service):
    """S3, Glue and STS; takes any secret, and a Glue table's stale VersionId."""

    name = "moto"

    def command(self):
        return [self.program / "venv/bin/python", "-m", "moto.server", "-H", "127.0.0.1", "-p", self.port]

    def answers(self):
        return http_answers(f"{self.url}/moto-api/data.json")


class Versitygw(S3Service):
    name = "versitygw"

    def command(self):
        return [self.program / "versitygw", "--port", self.address, "posix", self.directory / "data"]

    def environment(self):
        return {"ROOT_ACCESS_KEY": self.access_key_id, "ROOT_SECRET_KEY": self.secret_access_key}

    def prepare(self):
        (self.directory / "data").mkdir(exist_ok=True)


class Minio(S3Service):
    name = "minio"
    ports = 2

    def command(self):
        console = f"127.0.0.1:{self.other_ports[0]}"
        return [self.program / "minio", "server", "--address", self.address, "--console-address", console, self.directory / "data"]

    def environment(self):
        return {
            "MINIO_ROOT_USER": self.access_key_id,
            "MINIO_ROOT_PASSWORD": self.secret_access_key,
            **{f"MINIO_{what}": "off" for what in ("UPDATE", "CALLHOME_ENABLE", "BROWSER")},
        }

    def answers(self):
        """It calls itself ready before it takes the first request."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client().list_buckets()
            return True
        except (BotoCoreError, ClientError):
            return False


class FakeGcs(Service):
    """Google Cloud Storage's JSON interface. `public_url`: what it calls itself in the addresses of resumable uploads."""

    name = "fake-gcs"

    def __init__(self, directory):
        super().__init__(directory)
        self.public_url = None

    def command(self):
        return [
            *(self.program / "fake-gcs-server", "-scheme", "http", "-host", "127.0.0.1", "-port", self.port),
            *("-backend", "filesystem", "-filesystem-root", self.directory / "data"),
            *("-public-host", self.address, "-external-url", self.url),
        ]

    def prepare(self):
        (self.directory / "data").mkdir(exist_ok=True)

    def announce(self, url):
        """What the server calls itself from now on in the addresses that it gives for resumable uploads."""
        request = urllib.request.Request(
            f"{self.url}/_internal/config",
            data=json.dumps({"externalUrl": url}).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=10).close()

    def make_bucket(self, name):
        request = urllib.request.Request(
            f"{self.url}/storage/v1/b?project=test",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()


class Azurite(Service):
    """Azure's blob interface, which has all that is needed of the one of Data Lake Storage in a flat account."""

    name = "azurite"
    account = "devstoreaccount1"
    # Known to everybody: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
    account_key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def command(self):
        return [
            *(self.program / "node_modules/.bin/azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", self.port),
            *("-l", self.directory / "data", "--silent", "--skipApiVersionCheck", "--disableTelemetry"),
        ]

    def answers(self):
        return http_answers(f"{self.url}/{self.account}?comp=list")

    @property
    def blob_url(self):
        return f"{self.url}/{self.account}"

    @property
    def connection_string(self):
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.account_key};"
            f"BlobEndpoint={self.blob_url};"
        )

    def make_bucket(self, name):
        from pyarrow.fs import AzureFileSystem

        AzureFileSystem(
            self.account,
            account_key=self.account_key,
            blob_storage_authority=self.address,
            blob_storage_scheme="http",
            dfs_storage_authority=self.address,
            dfs_storage_scheme="http",
        ).create_dir(name)


class IcebergRest(Service):
    """The REST catalog of Iceberg's own tests, with its tables in SQLite; tests/java/rest_server says what `settings` are."""

    name = "iceberg-rest"

    def __init__(self, directory, **settings):
        super().__init__(directory)
        self.settings = settings

    def command(self):
        settings = {
            "port": self.port,
            "uri": f"jdbc:sqlite:{self.directory}/catalog.db",
            # SQLite has one writer: one connection, and nobody meets a lock.
            "clients": 1,
        } | self.settings
        return [
            *("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"),
            f"{self.program}/classes:{self.program}/lib/*",
            "org.apache.iceberg.rest.RestServer",
            *(f"{key}={value}" for key, value in settings.items()),
        ]

    def answers(self):
        return "READY" in self.log.read_text(errors="replace")


class Keycloak(Service):
    """An OAuth2 server with the realm `iceberg` and its one client."""

    name = "keycloak"
    ports = 2
    ready_within_s = 240
    client_id = "iceberg-client"
    client_secret = "s3cr3t"

    def __init__(self, directory, token_seconds=60):
        super().__init__(directory)
        self._token_seconds = token_seconds

    def prepare(self):
        # It writes where it is installed: a copy for each server, of links where that is enough.
        home = self.directory / "home"
        if not home.exists():
            subprocess.run(["cp", "-a", "--reflink=auto", self.program, home], check=True)
        folder = home / "data/import"
        folder.mkdir(parents=True, exist_ok=True)
        client = {
            "clientId": self.client_id,
            "secret": self.client_secret,
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "optionalClientScopes": ["catalog"],
        }
        realm = {
            "realm": "iceberg",
            "enabled": True,
            "sslRequired": "none",
            "accessTokenLifespan": self._token_seconds,
            "clientScopes": [{"name": "catalog", "protocol": "openid-connect"}],
            "clients": [client],
        }
        (folder / "iceberg.json").write_text(json.dumps(realm))

    def command(self):
        return [
            *(self.directory / "home/bin/kc.sh", "start-dev", "--import-realm", "--cache=local"),
            *("--http-host=127.0.0.1", f"--http-port={self.port}"),
            *(f"--http-management-port={self.other_ports[0]}", "--http-management-scheme=http"),
        ]

    def environment(self):
        return {
            "JAVA_HOME": str(java_at_least(21).resolve().parents[1]),
            "JAVA_OPTS_KC_HEAP": "-Xmx512m",
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": "admin",
        }

    def answers(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(self.issuer, timeout=5).status == 200
        return False

    @property
    def issuer(self):
        return f"{self.url}/realms/iceberg"

    @property
    def token_url(self):
        return f"{self.issuer}/protocol/openid-connect/token"


class Nessie(Service):
    """A REST catalog whose warehouse `wh` is in an S3 store, for which it vends credentials of that store's STS."""

    name = "nessie"
    ports = 2
    ready_within_s = 240

    def __init__(self, directory, store, warehouse, *, store_url=None, issuer=None, session_seconds=None):
        super().__init__(directory)
        self._store = store
        self._store_url = store_url or store.url
        self._warehouse = warehouse
        self._issuer = issuer
        self._session_seconds = session_seconds

    def command(self):
        s3 = "nessie.catalog.service.s3.default-options"
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.port,
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": self.other_ports[0],
            "quarkus.otel.sdk.disabled": "true",
            "nessie.version.store.type": "IN_MEMORY",
            "nessie.catalog.default-warehouse": "wh",
            "nessie.catalog.warehouses.wh.location": self._warehouse,
            f"{s3}.endpoint": self._store_url,
            f"{s3}.path-style-access": "true",
            f"{s3}.region": REGION,
            f"{s3}.access-key": "urn:nessie-secret:quarkus:firn.s3",
            "firn.s3.name": self._store.access_key_id,
            "firn.s3.secret": self._store.secret_access_key,
            f"{s3}.client-iam.enabled": "true",
            f"{s3}.client-iam.assume-role": "arn:aws:iam::000000000000:role/firn",
            f"{s3}.sts-endpoint": self._store_url,
        }
        if self._session_seconds:
            settings[f"{s3}.client-iam.session-duration"] = f"PT{self._session_seconds}S"
        if self._issuer:
            settings |= {
                "nessie.server.authentication.enabled": "true",
                "quarkus.oidc.enabled": "true",
                "quarkus.oidc.auth-server-url": self._issuer,
                "quarkus.oidc.client-id": Keycloak.client_id,
            }
        return [
            *(java_at_least(21), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"-D{key}={value}" for key, value in settings.items()),
            *("-jar", self.program / "nessie.jar"),
        ]

    def answers(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.other_ports[0]}/q/health/ready", timeout=5).status == 200
        return False

    @property
    def iceberg_url(self):
        return f"{self.url}/iceberg"
