"""What breaks between firn and its catalog or its store, one fault after the other, while firn streams: it goes on by itself,
nothing is lost and nothing is there twice."""

import os
import re
import time

import pytest
from harness.faulty_proxy import (
    answer,
    aws_json_error,
    black_hole,
    half_answer,
    latency,
    reset_answer,
    reset_request,
    rest_error,
    s3_error,
)
from harness.waiting import wait_until

TABLES = ("t", "u")
# Short pauses, and retries for more than a minute.
RETRY = {"max_retries": 200, "base_delay_ms": 50, "max_delay_ms": 400}
DOWN_S = 8

# On any HTTP server.
TRANSPORT = {
    "latency": latency(0.4),
    "reset in the request": reset_request(),
    "reset in the answer, done": reset_answer(),
    "reset in the middle of the answer, done": reset_answer(0.5),
    "half an answer, done": half_answer(),
    "swallowed": black_hole(2),
}
REST = TRANSPORT | {
    "503": rest_error(503, "ServiceUnavailableException"),
    "500, done": rest_error(500, "InternalServerError", processed=True),
    "502, done": answer(502, "<html>bad gateway</html>", processed=True),
    "504, done": rest_error(504, "GatewayTimeout", processed=True),
    "429": rest_error(429, "TooManyRequestsException", headers=[("Retry-After", "1")]),
    "401": rest_error(401, "NotAuthorizedException"),
    "419": rest_error(419, "AuthenticationTimeoutException"),
}
REFUSED_TOKEN = ("401", "419")
# Where no token is asked for, none can be renewed.
WITHOUT_TOKENS = {name: fault for name, fault in REST.items() if name not in REFUSED_TOKEN}
GLUE = TRANSPORT | {
    "500": aws_json_error(500, "InternalServiceException"),
    "500, done": aws_json_error(500, "InternalServiceException", processed=True),
    "throttled": aws_json_error(400, "ThrottlingException"),
    "conflict": aws_json_error(400, "ConcurrentModificationException"),
}
# What writes a file is answered without a body, so there is no half of it.
STORE = {name: fault for name, fault in TRANSPORT.items() if not name.startswith("half")}
S3 = STORE | {
    "500": s3_error(500, "InternalError"),
    "slow down": s3_error(503, "SlowDown", [("Retry-After", "1")]),
}
PLAIN_STORE = STORE | {"503": answer(503), "500": answer(500), "429": answer(429, headers=[("Retry-After", "1")])}

CATALOG_FAULTS = {
    "rest-local": (REST, {"method": "POST", "path": r"/tables/|/transactions/commit"}),
    "nessie-moto": (WITHOUT_TOKENS, {"method": "POST", "path": r"/tables/|/transactions/commit"}),
    "glue-moto": (GLUE, {"header": ("X-Amz-Target", "UpdateTable")}),
}
STORE_FAULTS = {
    "sqlite-versitygw": (S3, {"method": "PUT"}),
    "postgres-minio": (S3, {"method": "PUT"}),
    "sqlite-gcs": (PLAIN_STORE, {"method": "POST", "path": "/upload/"}),
    "sqlite-azurite": (PLAIN_STORE, {"method": "PUT"}),
}
# Google's and Azure's clients try requests of streams again by themselves, and tell nobody.
COUNTS_RETRIES = ("sqlite-versitygw", "postgres-minio")


class Load:
    """Transactions over two tables, each of which changes rows in both."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.count = 0
        pipeline.execute(
            """
            CREATE TABLE t (id int PRIMARY KEY, round int, v text);
            INSERT INTO t SELECT n, 0, 'copied' FROM generate_series(1, 500) n;
            CREATE TABLE u (id int PRIMARY KEY, round int);
            INSERT INTO u SELECT n, 0 FROM generate_series(1, 100) n;
            """
        )

    def change(self):
        self.count += 1
        n = self.count
        self.pipeline.execute(
            f"""
            BEGIN;
            UPDATE t SET round = {n} WHERE id % 10 = {n} % 10;
            INSERT INTO t VALUES ({1000 + n}, {n}, 'new');
            DELETE FROM t WHERE id = {n};
            UPDATE u SET round = {n} WHERE id = 1 OR id % 7 = {n} % 7;
            COMMIT;
            """
        )

    def committed(self):
        """Whether the lake has the latest change of both tables."""
        catalog = self.pipeline.lake.catalog()
        namespace = self.pipeline.deployment.namespace
        for table in TABLES:
            rows = catalog.load_table((namespace, table)).scan(row_filter=f"round = {self.count}").to_arrow()
            if not rows.num_rows:
                return False
        return True

    def wait(self, what, timeout_s=60):
        def there():
            self.pipeline.firn.expect_running()
            return self.committed()

        wait_until(there, what, timeout_s, interval_s=0.2)


def start(pipeline, retry=None):
    pipeline.configure(writer={"commit_interval_ms": 100}, retry=RETRY if retry is None else retry)
    load = Load(pipeline)
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=120)
    return load


def finish(pipeline):
    """Both sides are equal, and no row came twice on the way."""
    pipeline.firn.expect_running()
    pipeline.firn.stop()
    pipeline.expect_equal(*TABLES)


def retries(pipeline):
    """Of everything, by the metrics."""
    counted = re.findall(r"^firn_retries_total(?:{[^}]*})? (\S+)$", pipeline.firn.get("/metrics"), re.MULTILINE)
    return sum(map(float, counted))


def is_told(name):
    """Whether a fault is one that firn tries again. A commit that is done and found is not."""
    return name != "latency" and name not in REFUSED_TOKEN and not name.endswith("done")


def go_through(pipeline, proxy, faults, when, told=is_told):
    """Meets each fault in the middle of commits."""
    load = start(pipeline)
    for name, fault in faults.items():
        before = retries(pipeline)
        # A second refusal, of a fresh token, is no fault: then the client is not allowed to.
        rule = proxy.add(fault, times=1 if name in REFUSED_TOKEN else 2, **when)
        load.change()
        wait_until(lambda: rule.used, f"{name}: a request meets it", 30)
        load.wait(f"{name}: the change is committed")
        proxy.clear()
        if told(name):
            assert retries(pipeline) > before, f"{name}: nothing tells of the retry\n{pipeline.firn.log_text()[-3000:]}"
    finish(pipeline)


@pytest.mark.parametrize("name", CATALOG_FAULTS)
def test_goes_through_every_fault_of_the_catalog(deploy, name):
    pipeline = deploy(name, faulty=True)
    faults, when = CATALOG_FAULTS[name]
    go_through(pipeline, pipeline.deployment.catalog_proxy, faults, when)


@pytest.mark.parametrize("name", STORE_FAULTS)
def test_goes_through_every_fault_of_the_store(deploy, name):
    pipeline = deploy(name, faulty=True)
    faults, when = STORE_FAULTS[name]
    told = (lambda fault: fault != "latency") if name in COUNTS_RETRIES else (lambda fault: False)
    go_through(pipeline, pipeline.deployment.store_proxy, faults, when, told)


@pytest.mark.parametrize(
    "name, part",
    [
        ("rest-local", "catalog"),
        ("glue-moto", "catalog"),
        ("postgres-versitygw", "catalog"),
        ("sqlite-versitygw", "store"),
        ("sqlite-gcs", "store"),
        ("sqlite-azurite", "store"),
    ],
)
def test_waits_for_what_is_down_for_a_while(deploy, name, part):
    """Shorter than in life, and so are the pauses between retries."""
    go_through_outage(deploy(name, faulty=True), part, RETRY, DOWN_S)


def test_waits_a_minute_as_it_is_installed(deploy):
    """With the retries that firn has without a word in its configuration."""
    go_through_outage(deploy("rest-local", faulty=True), "catalog", {}, 60)


def go_through_outage(pipeline, part, retry, seconds):
    load = start(pipeline, retry)
    proxy = pipeline.deployment.catalog_proxy if part == "catalog" else pipeline.deployment.store_proxy
    proxy.down(seconds)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        load.change()
        pipeline.firn.expect_running()
        time.sleep(0.5)
    load.wait("what was changed meanwhile is committed", timeout_s=120)
    assert retries(pipeline) > 0
    finish(pipeline)


def test_the_answer_to_a_commit_in_postgresql_is_lost(deploy):
    """The connection to the catalog's database breaks behind COMMIT: whether it is in has to be found out."""
    pipeline = deploy("postgres-versitygw", faulty=True)
    load = start(pipeline)
    proxy = pipeline.deployment.catalog_proxy
    for forward in (True, False, True):
        proxy.cut_when(rb"(?i)\bcommit\b", forward=forward)
        made = proxy.cuts_made
        load.change()
        wait_until(lambda: proxy.cuts_made > made, "a connection is cut", 30)
        load.wait("the change is committed")
    finish(pipeline)


def start_again(pipeline):
    """As who supervises it does: what breaks before it streams is an error for the operator, and ends it."""
    for _ in range(20):
        pipeline.firn.start()
        try:
            pipeline.firn.wait_streaming(timeout_s=60)
            return
        except AssertionError:
            assert not pipeline.firn.running()
    pipeline.firn.expect_running()


@pytest.mark.parametrize("name, catalog_faults", [("rest-versitygw", REST), ("glue-moto", GLUE)])
def test_random_faults_of_both_sides_and_kills(deploy, name, catalog_faults):
    """Every request may break, and now and then firn is killed. FIRN_FAULT_SEED chooses other faults."""
    seed = int(os.environ.get("FIRN_FAULT_SEED", "1"))
    pipeline = deploy(name, faulty=True)
    load = start(pipeline)
    rules = []
    for proxy, faults in ((pipeline.deployment.catalog_proxy, catalog_faults), (pipeline.deployment.store_proxy, S3)):
        for number, (kind, fault) in enumerate(faults.items()):
            # Refused twice in a row a token is no longer a fault.
            if kind != "swallowed" and kind not in REFUSED_TOKEN:
                rules.append(proxy.add(fault, probability=0.02, seed=100 * seed + number))
    n = 0
    # On a busy machine fewer requests are made in the same time.
    while n < 24 or sum(rule.used for rule in rules) <= 5:
        n += 1
        assert n < 400, "hardly any request met a fault"
        load.change()
        time.sleep(0.25)
        if n % 8 == 0:
            pipeline.firn.kill()
            start_again(pipeline)
        pipeline.firn.expect_running()
    pipeline.deployment.catalog_proxy.clear()
    pipeline.deployment.store_proxy.clear()
    load.wait("all changes are committed", 120)
    finish(pipeline)
