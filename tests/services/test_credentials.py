"""Tokens and credentials that live for seconds, while firn streams for longer."""

import time

import pytest
from harness.faulty_proxy import latency


# PyIceberg takes what the catalog vends to it, and it is slower than that lives.
BY_METADATA_FILE = ("iceberg-rust", "duckdb", "java")


def start(pipeline, **settings):
    pipeline.configure(writer={"commit_interval_ms": 200}, **settings)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'copied' FROM generate_series(1, 200) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)


def make_large_table(pipeline, rows):
    """4 kB a row, in one file where there is one worker."""
    pipeline.execute(
        f"""
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT n, (SELECT string_agg(md5((n * 1000 + i)::text), '') FROM generate_series(1, 128) i)
          FROM generate_series(1, {rows}) n
        """
    )


def stream_for(pipeline, seconds, **options):
    ends = time.monotonic() + seconds
    n = 0
    while time.monotonic() < ends:
        n += 1
        pipeline.execute("UPDATE t SET v = %s WHERE id %% 10 = %s", [f"round {n}", n % 10])
        pipeline.firn.expect_running()
        time.sleep(0.3)
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t", **options)


@pytest.mark.parametrize("name", ["rest-versitygw", "rest-moto"])
def test_oauth2_tokens_are_renewed_before_they_expire(deploy, name):
    pipeline = deploy(name)
    start(pipeline)
    stream_for(pipeline, 3 * pipeline.deployment.TOKEN_SECONDS)
    proxy = pipeline.deployment.catalog_proxy
    assert proxy.asked("POST", "/oauth/tokens") >= 3
    refused = [asked for asked in proxy.log if asked[2] == 401]
    assert not refused, "firn used tokens that had expired"


def test_tokens_of_keycloak_are_renewed(deploy):
    pipeline = deploy("nessie-keycloak")
    start(pipeline)
    stream_for(pipeline, 3 * pipeline.deployment.TOKEN_SECONDS)


def test_files_go_up_with_credentials_of_a_real_sts(deploy):
    """Whole files, and one in parts: MinIO checks each signature."""
    pipeline = deploy("nessie-minio", watched=True)
    pipeline.configure(writer={"commit_interval_ms": 200, "compression": "none"}, source={"copy_workers": 1})
    make_large_table(pipeline, rows=6000)
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=240)
    pipeline.execute("UPDATE t SET v = 'changed' WHERE id % 10 = 0; DELETE FROM t WHERE id % 10 = 1")
    pipeline.firn.stop()
    pipeline.catch_up()
    who_asks = pipeline.deployment.who_asks
    assert who_asks.parts >= 2
    assert all(has_token for _, has_token in who_asks.seen)
    assert "admin" not in {key for key, _ in who_asks.seen}
    pipeline.expect_equal("t", engines=BY_METADATA_FILE)


@pytest.mark.parametrize("tells_expiry", [True, False], ids=["told when", "not told when"])
def test_vended_credentials_are_renewed(deploy, tells_expiry):
    pipeline = deploy("rest-moto", credential_seconds=4, tells_expiry=tells_expiry)
    start(pipeline)
    stream_for(pipeline, 14, engines=BY_METADATA_FILE)
    expiry = pipeline.deployment.expiry
    assert len(expiry.used) >= 3
    if not tells_expiry:
        assert expiry.refused > 0


@pytest.mark.parametrize("tells_expiry", [True, False], ids=["told when", "not told when"])
def test_an_upload_goes_on_with_fresh_credentials(deploy, tells_expiry):
    """The parts of one file take longer than the credentials of any of them live."""
    pipeline = deploy("rest-moto", credential_seconds=4, tells_expiry=tells_expiry)
    proxy = pipeline.deployment.store_proxy
    expiry = pipeline.deployment.expiry
    slow = proxy.add(latency(2.5), method="PUT", path="partNumber=")
    pipeline.configure(
        source={"copy_workers": 1},
        writer={"commit_interval_ms": 200, "compression": "none"},
        retry={"max_retries": 30, "base_delay_ms": 50, "max_delay_ms": 500},
    )
    # More parts than go up at once.
    make_large_table(pipeline, rows=12000)
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=240)
    pipeline.firn.stop()
    assert slow.used >= 5
    assert max(map(len, expiry.of_upload.values())) > 1, "no upload outlived its first credentials"
    assert len(expiry.of_upload) == 1, "a file was uploaded more than once"
    if not tells_expiry:
        assert expiry.refused > 0
    pipeline.expect_equal("t", engines=BY_METADATA_FILE)
