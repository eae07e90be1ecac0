"""Tokens and credentials that live for seconds, while firn streams for longer."""

import time

import pytest
from harness.faulty_proxy import latency
from harness.waiting import wait_until


# PyIceberg takes what the catalog vends to it, and it is slower than that lives.
BY_METADATA_FILE = ("iceberg-rust", "duckdb", "java")


def start(pipeline, **settings):
    pipeline.configure(writer={"commit_interval_ms": 200}, **settings)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'copied' FROM generate_series(1, 200) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)


def stream_for(pipeline, seconds, **options):
    ends = time.monotonic() + seconds
    n = 0
    while time.monotonic() < ends:
        n += 1
        pipeline.execute("UPDATE t SET v = %s WHERE id %% 10 = %s", [f"round {n}", n % 10])
        pipeline.firn.expect_running()
        time.sleep(0.3)
    pipeline.firn.stop()
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


@pytest.mark.parametrize("tells_expiry", [True, False], ids=["told when", "not told when"])
def test_vended_credentials_are_renewed(deploy, tells_expiry):
    pipeline = deploy("rest-moto", credential_seconds=4, tells_expiry=tells_expiry)
    start(pipeline)
    stream_for(pipeline, 14, engines=BY_METADATA_FILE)
    expiry = pipeline.deployment.expiry
    assert len(expiry.used) >= 3
    if not tells_expiry:
        assert expiry.refused > 0


def test_credentials_that_expire_in_the_middle_of_a_file_lose_nothing(deploy):
    """The parts of one upload take longer than its credentials live."""
    pipeline = deploy("rest-moto", credential_seconds=5, tells_expiry=False)
    proxy = pipeline.deployment.store_proxy
    parts = proxy.add(latency(0.8), method="PUT", path="partNumber=")
    pipeline.configure(
        source={"copy_workers": 1},
        writer={"commit_interval_ms": 200, "compression": "none"},
        retry={"max_retries": 30, "base_delay_ms": 50, "max_delay_ms": 500},
    )
    # Some 64 MB that are one file.
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT n, (SELECT string_agg(md5((n * 1000 + i)::text), '') FROM generate_series(1, 64) i)
          FROM generate_series(1, 32000) n
        """
    )
    pipeline.firn.start()
    wait_until(lambda: pipeline.firn.expect_running() or parts.used >= 4, "parts are uploaded", 120)
    pipeline.firn.wait_streaming(timeout_s=240)
    pipeline.firn.stop()
    assert pipeline.deployment.expiry.refused > 0, "no credentials expired on the way"
    pipeline.expect_equal("t", engines=BY_METADATA_FILE)
