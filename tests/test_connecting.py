"""How firn connects: TLS with certificates of an authority of the test's own, SCRAM, password files; and that no output of a
run that fails has a secret in it."""

import os
import pathlib
import shutil
import subprocess
import urllib.parse

import pytest
from conftest import SETTINGS, Pipeline
from harness.firn_process import run_firn
from harness.postgres_server import PostgresServer, free_port, identifier
from harness.waiting import wait_until

DONE, FAILED = 0, 1
PASSWORD = "s3same:open/door@night"


def openssl(*arguments, directory):
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """Signs certificates for servers."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.certificate = self.directory / "ca.pem"
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"),
            directory=self.directory,
        )

    def sign(self, name, alternative_names):
        """Key and certificate, NAME.key and NAME.pem."""
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
            directory=self.directory,
        )
        (self.directory / "names").write_text(f"subjectAltName={alternative_names}\n")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"),
            *("-extfile", "names", "-out", f"{name}.pem"),
            directory=self.directory,
        )
        return self.directory / f"{name}.key", self.directory / f"{name}.pem"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="module")
def secure_postgres(postgres_directory, authority):
    """A server that lets role `secure` in over TLS alone, by SCRAM."""
    directory = postgres_directory / "secure"
    directory.mkdir()
    key, certificate = authority.sign("localhost", "DNS:localhost")
    for file in (key, certificate):
        shutil.copy(file, directory / file.name)
        os.chmod(directory / file.name, 0o600)
        if os.geteuid() == 0:
            shutil.chown(directory / file.name, "postgres", "postgres")
    tls = {"ssl": "on", "ssl_cert_file": str(directory / certificate.name), "ssl_key_file": str(directory / key.name)}
    lines = ["hostssl all secure 127.0.0.1/32 scram-sha-256", "host all secure 127.0.0.1/32 reject"]
    server = PostgresServer(directory, SETTINGS | tls | {"password_encryption": "scram-sha-256"}, hba_lines=lines).start()
    with server.connect() as connection:
        connection.execute(f"CREATE ROLE secure LOGIN REPLICATION SUPERUSER PASSWORD '{PASSWORD}'")
    yield server
    server.stop()


@pytest.fixture
def pipeline(binary, secure_postgres, java, request, tmp_path):
    pipeline = Pipeline(secure_postgres, secure_postgres.create_database(identifier("t_" + request.node.name)), tmp_path, java)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 100) n")
    yield pipeline
    pipeline.close()


def secure_url(pipeline, host="localhost", password="", **parameters):
    secret = f":{urllib.parse.quote(password, safe='')}" if password else ""
    return f"postgresql://secure{secret}@{host}:{pipeline.postgres.port}/{pipeline.database}?{urllib.parse.urlencode(parameters)}"


def use(pipeline, url):
    pipeline.configure(source={"url": url}, log={"level": "debug"})


@pytest.fixture
def password_file(pipeline, tmp_path, monkeypatch):
    """What PGPASSFILE names."""
    file = tmp_path / "passwords"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"localhost:{pipeline.postgres.port}:*:secure:{escaped}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    return file


def test_verified_tls_with_scram_and_a_password_file(pipeline, authority, password_file):
    use(pipeline, secure_url(pipeline, sslmode="verify-full", sslrootcert=authority.certificate, channel_binding="require"))
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    sessions = pipeline.execute(
        "SELECT count(*) FILTER (WHERE s.ssl), count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE usename = 'secure'"
    ).fetchone()
    assert sessions[0] == sessions[1] > 0, "the replication connection, too"
    pipeline.execute("UPDATE t SET v = 'w' WHERE id < 50")
    verified = pipeline.firn.command("verify")
    assert verified.returncode == DONE, verified.stdout + verified.stderr
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=("pyiceberg",))
    assert PASSWORD not in pipeline.firn.log_text()


def expect_refused(pipeline, *texts):
    for command in ("check", "run", "status"):
        done = pipeline.firn.command(command)
        assert done.returncode == FAILED, done.stderr
        assert any(text in done.stdout + done.stderr for text in texts), done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr


def test_a_server_that_is_not_who_it_should_be_is_refused(pipeline, authority, password_file, tmp_path):
    other = Authority(tmp_path / "other")
    use(pipeline, secure_url(pipeline, sslmode="verify-full", sslrootcert=other.certificate))
    expect_refused(pipeline, "certificate verify failed")
    # The certificate is for localhost, and not for the address.
    use(pipeline, secure_url(pipeline, host="127.0.0.1", password=PASSWORD, sslmode="verify-full", sslrootcert=authority.certificate))
    expect_refused(pipeline, "does not match host name")
    use(pipeline, secure_url(pipeline, sslmode="disable"))
    expect_refused(pipeline, "pg_hba.conf")


def test_a_missing_and_a_wrong_password(pipeline, authority, monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    use(pipeline, secure_url(pipeline, sslmode="verify-full", sslrootcert=authority.certificate))
    expect_refused(pipeline, "needs a password: put it into ~/.pgpass")
    wrong = PASSWORD[::-1]
    use(pipeline, secure_url(pipeline, password=wrong, sslmode="verify-full", sslrootcert=authority.certificate))
    expect_refused(pipeline, "check the user of source.url and its password")
    assert wrong not in pipeline.firn.command("check").stdout


SECRETS = {
    "password": PASSWORD,
    "catalog password": "c4talog-pass/word",
    "s3 key": "s3cr3tS3cr3tS3cr3t/key+0",
    "session token": "t0ken-of-a-session",
    "client": "cl13nt-secret",
    "bearer": "b3arer-of-good-news",
    "header": "h3ader-value",
    "basic": "b4sic-of-a-url",
}


def forms_of(secret):
    """As it is, and as a URL has it."""
    return {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret)}


def expect_no_secrets(*texts):
    for text in texts:
        for name, secret in SECRETS.items():
            for form in forms_of(secret):
                assert form not in (text or ""), f"the {name} is in\n{text}"


def failing_settings(pipeline, authority):
    """Configurations that can't work, each with secrets."""
    nobody = free_port()
    source = {"url": secure_url(pipeline, password=PASSWORD, sslmode="verify-full", sslrootcert=authority.certificate)}
    s3 = {"s3": {"endpoint": f"http://127.0.0.1:{nobody}", "region": "r", "access_key_id": "id", "secret_access_key": SECRETS["s3 key"], "session_token": SECRETS["session token"], "path_style": True}}
    password = urllib.parse.quote(SECRETS["catalog password"], safe="")
    return {
        "no such database": {"source": {"url": source["url"].replace(pipeline.database, "nowhere")}},
        "nobody there": {"source": {"url": f"postgresql://secure:{urllib.parse.quote(PASSWORD, safe='')}@127.0.0.1:{nobody}/x"}},
        "malformed": {"source": {"url": f"postgresql://secure:{PASSWORD}@127.0.0.1:{nobody}/x"}},
        "catalog down": {"source": source, "catalog": {"uri": f"postgresql://who:{password}@127.0.0.1:{nobody}/catalog"}},
        "store down": {"source": source, "storage": s3, "catalog": {"warehouse": "s3://lake/shop", "uri": f"sqlite://{pipeline.firn.directory}/c.db"}},
        "rest down": {"source": source, "catalog": {"type": "rest", "uri": f"http://127.0.0.1:{nobody}", "credential": f"id:{SECRETS['client']}", "headers": {"X-Secret": SECRETS["header"]}}},
        "rest by a password": {"source": source, "catalog": {"type": "rest", "uri": f"http://who:{SECRETS['basic']}@127.0.0.1:{nobody}"}},
        "rest refuses": {"source": source, "catalog": {"type": "rest", "uri": f"http://127.0.0.1:{nobody}/x?y", "token": SECRETS["bearer"]}},
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_output_of_a_failing_run_has_a_secret(pipeline, authority, log_format):
    for settings in failing_settings(pipeline, authority).values():
        retry = {"max_retries": 1, "base_delay_ms": 10, "max_delay_ms": 20}
        pipeline.configure(**settings, log={"level": "debug", "format": log_format}, retry=retry)
        for arguments in (["run", "--until-caught-up"], ["check"], ["status", "--json"], ["verify", "--wait", "1"], ["cleanup"]):
            done = pipeline.firn.command(*arguments)
            expect_no_secrets(done.stdout, done.stderr)
            if arguments[0] in ("run", "check"):
                assert done.returncode != DONE, f"{settings} was to fail"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_page_or_log_of_a_run_that_comes_to_fail_has_a_secret(pipeline, authority, log_format):
    """Both sides' passwords change while firn runs, and its connections break."""
    with pipeline.postgres.connect() as admin:
        admin.execute("DROP ROLE IF EXISTS cataloger")
        admin.execute(f"CREATE ROLE cataloger LOGIN SUPERUSER PASSWORD '{SECRETS['catalog password']}'")
    password = urllib.parse.quote(SECRETS["catalog password"], safe="")
    catalog = {"uri": f"postgresql://cataloger:{password}@127.0.0.1:{pipeline.postgres.port}/{pipeline.database}"}
    url = secure_url(pipeline, password=PASSWORD, sslmode="verify-full", sslrootcert=authority.certificate)
    pipeline.configure(
        source={"url": url, "tables": ["public.t"]},
        catalog=catalog,
        log={"level": "debug", "format": log_format},
        retry={"max_retries": 1000, "base_delay_ms": 50, "max_delay_ms": 200},
    )
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    with pipeline.postgres.connect() as admin:
        admin.execute("ALTER ROLE cataloger NOLOGIN")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('cataloger', 'secure')")
        pipeline.execute("UPDATE t SET v = 'x'")
        wait_until(lambda: not pipeline.firn.running() or "is not permitted to log in" in pipeline.firn.log_text(), "the catalog is missed")
        pages = [pipeline.firn.get("/status"), pipeline.firn.get("/metrics")] if pipeline.firn.running() else []
        told = pipeline.firn.command("status", "--json")
        pipeline.firn.kill()
        admin.execute("DROP OWNED BY cataloger")
    expect_no_secrets(pipeline.firn.log_text(), told.stdout, told.stderr, *pages)


def test_secrets_of_the_environment_are_not_in_the_configuration_that_is_shown():
    for arguments in (["config", "example"], ["config", "schema"]):
        done = run_firn(*arguments, environment={"FIRN_SOURCE_URL": f"postgresql://u:{SECRETS['bearer']}@h/d"})
        expect_no_secrets(done.stdout, done.stderr)
