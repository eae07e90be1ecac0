"""A mixed load on real servers while everything breaks, again and again: at the end both sides are equal.

FIRN_CHAOS_SECONDS says for how long (`make chaos MINUTES=10`); FIRN_CHAOS_SEED chooses the faults and the load. Which faults
meet which step of firn is a matter of time, so a seed makes a failure likely to come again, not certain.
"""

import os
import random
import shutil
import threading
import time

import psycopg
import pytest
from conftest import SETTINGS, Pipeline
from harness.faulty_proxy import TcpProxy
from harness.lake import ENGINES, Lake, sql_catalog
from harness.mixed_load import TABLES, MixedLoad
from harness.postgres_server import PostgresServer
from test_failpoints import BEFORE, NAMES

SECONDS = float(os.environ.get("FIRN_CHAOS_SECONDS", "30"))


class Load(threading.Thread):
    """Transactions all along, through crashes of the server: what it has lost is not done again."""

    def __init__(self, server, database, seed):
        super().__init__(daemon=True)
        self._server = server
        self._database = database
        self._load = MixedLoad(None, seed)
        self._pause = random.Random(seed)
        self._end = threading.Event()
        self.transactions = 0
        self.unexpected = None

    def run(self):
        try:
            while not self._end.is_set():
                try:
                    with self._server.connect(self._database, connect_timeout=2) as self._load.connection:
                        self._work()
                except psycopg.OperationalError:
                    self._end.wait(0.1)
        except Exception as error:
            self.unexpected = error

    def _work(self):
        while not self._end.wait(self._pause.uniform(0, 0.2)):
            try:
                self._load.step()
                self.transactions += 1
            except psycopg.errors.DeadlockDetected:  # With a COPY of firn's.
                self._load.connection.execute("ROLLBACK")

    def stop(self):
        self._end.set()
        self.join(60)
        assert not self.is_alive(), "the load hangs"
        if self.unexpected:
            raise self.unexpected


class Chaos:
    """One fault after the other. firn is started again whenever it has ended."""

    def __init__(self, pipeline, server, proxy, catalog_proxy, seed):
        self.pipeline = pipeline
        self.server = server
        self.proxy = proxy
        self.catalog_proxy = catalog_proxy
        self.dice = random.Random(seed)
        self.starts = 0

    def go_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.keep_running()
            self.pipeline.firn.ended_within(self.dice.uniform(0.2, 3))
            if self.pipeline.firn.running():
                of_process = [self.kill, self.kill, self.pause, self.lose_state]
                of_source = [self.cut, self.be_down, self.be_slow, self.crash_server]
                of_catalog = [self.cut_catalog, self.cut_in_commit, self.catalog_down, self.catalog_slow]
                fault = self.dice.choice(of_process + of_source + of_catalog)
                print(f"{end - time.monotonic():6.1f} s left: {fault.__name__}", flush=True)
                fault()

    def keep_running(self):
        """With a failpoint that ends it or has a step fail, now and then."""
        if self.pipeline.firn.running():
            return
        point = None
        if self.dice.random() < 0.5:
            kill = self.dice.random() < 0.5
            name, action = (self.dice.choice(NAMES), "kill") if kill else (self.dice.choice(BEFORE), "error")
            point = f"{name}={action}@{self.dice.randint(1, 5)}"
        self.starts += 1
        print(f"         start {self.starts}: {point or 'no failpoint'}", flush=True)
        self.pipeline.firn.start({"FIRN_FAILPOINTS": point} if point else {})

    def kill(self):
        self.pipeline.firn.kill()

    def pause(self):
        self.pipeline.firn.pause()
        time.sleep(self.dice.uniform(0.1, 3))
        self.pipeline.firn.resume()

    def cut(self):
        self.proxy.cut()

    def be_down(self):
        self.proxy.down(self.dice.uniform(0.1, 3))

    def be_slow(self):
        self.proxy.latency_s = self.dice.uniform(0.001, 0.05)
        time.sleep(self.dice.uniform(0.5, 2))
        self.proxy.latency_s = 0

    def cut_catalog(self):
        self.catalog_proxy.cut()

    def cut_in_commit(self):
        """The catalog gets the COMMIT, or does not; firn doesn't learn which."""
        self.catalog_proxy.cut_when(rb"(?i)\bcommit\b", forward=self.dice.random() < 0.5)
        time.sleep(self.dice.uniform(0.2, 1))

    def catalog_down(self):
        self.catalog_proxy.down(self.dice.uniform(0.1, 3))

    def catalog_slow(self):
        self.catalog_proxy.latency_s = self.dice.uniform(0.001, 0.1)
        time.sleep(self.dice.uniform(0.5, 2))
        self.catalog_proxy.latency_s = 0

    def crash_server(self):
        self.server.stop()
        self.server.start()
        self.proxy.lead_to(f"127.0.0.1:{self.server.port}")
        self.proxy.cut()

    def lose_state(self):
        self.pipeline.firn.kill()
        shutil.rmtree(self.pipeline.directory / "state", ignore_errors=True)


class CatalogInPostgres(Lake):
    """The warehouse of a pipeline whose catalog is a database."""

    def __init__(self, lake, url, java):
        super().__init__(lake.warehouse, java)
        self._url = url.replace("postgresql://", "postgresql+psycopg://")

    def catalog(self):
        return sql_catalog(self._url, warehouse=f"file://{self.warehouse}")


@pytest.fixture
def server(postgres_directory):
    server = PostgresServer(postgres_directory / "postgres-chaos", SETTINGS).start()
    yield server
    server.stop()


@pytest.fixture
def catalog_database(postgres):
    """On another server than the source's, which crashes."""
    name = postgres.create_database("chaos_catalog")
    yield name
    postgres.drop_database(name)


def test_chaos(binary, server, postgres, catalog_database, java, tmp_path):
    seed = int(os.environ.get("FIRN_CHAOS_SEED", random.randrange(1 << 32)))
    print(f"FIRN_CHAOS_SEED={seed}", flush=True)
    database = server.create_database("chaos")
    proxy = TcpProxy(f"127.0.0.1:{server.port}").start()
    catalog_proxy = TcpProxy(f"127.0.0.1:{postgres.port}").start()
    pipeline = Pipeline(server, database, tmp_path, java)
    try:
        pipeline.configure(
            catalog={"uri": f"postgresql://postgres@127.0.0.1:{catalog_proxy.port}/{catalog_database}"},
            source={"url": f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}"},
            writer={"commit_interval_ms": 200, "memory_limit_bytes": 4 << 20},
            retry={"base_delay_ms": 50, "max_delay_ms": 500},
        )
        pipeline.lake = CatalogInPostgres(pipeline.lake, postgres.url(catalog_database), java)
        MixedLoad(pipeline.connection, seed).set_up()
        pipeline.firn.start()
        pipeline.firn.wait_streaming(timeout_s=120)
        load = Load(server, database, seed)
        load.start()
        chaos = Chaos(pipeline, server, proxy, catalog_proxy, seed)
        chaos.go_on(SECONDS)
        load.stop()
        pipeline.firn.kill()
        # What is wrong before anything ran ends firn at once.
        for each in (proxy, catalog_proxy):
            each.up()
            each.latency_s = 0
        print(f"{load.transactions} transactions, {chaos.starts} starts", flush=True)
        assert load.transactions > SECONDS / 10
        pipeline.connection.close()
        pipeline.connection = server.connect(database)
        pipeline.firn.start()
        pipeline.firn.wait_streaming(timeout_s=120)
        verified = pipeline.firn.command("verify", "--wait", "240", timeout_s=300)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        pipeline.firn.stop()
        pipeline.catch_up(timeout_s=240)
        pipeline.expect_equal(*TABLES, engines=ENGINES)
    finally:
        proxy.stop()
        catalog_proxy.stop()
        pipeline.close()
