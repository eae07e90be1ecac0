"""Several pipelines in one process: firn run --config FOLDER (docs/pipelines.md)."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from harness.firn_process import BINARY, Firn, run_firn
from harness.lake import Lake
from harness.postgres_server import identifier
from harness.waiting import end_with_parent, wait_until

NAMES = ("shop", "stock")


class Folder:
    """Two pipelines of two databases, whose files are in one folder; the Firn of each is for its settings and its port."""

    def __init__(self, postgres, directory, java):
        self.path = directory / "pipelines"
        self.path.mkdir()
        self.log = directory / "firn.log"
        self.connections, self.firns, self.lakes, self.databases = {}, {}, {}, {}
        for name in NAMES:
            database = postgres.create_database(identifier(f"{directory.name}_{name}"))
            self.databases[name] = database
            self.connections[name] = postgres.connect(database)
            self.connections[name].execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
            self.connections[name].execute("INSERT INTO t SELECT i, i FROM generate_series(1, 100) i")
            firn = self.firns[name] = Firn(directory / name, postgres.url(database), slot=database)
            self.lakes[name] = Lake(firn.warehouse, java)
            self.write(name)
        self._process = None

    def write(self, name, **sections):
        settings = json.loads(self.firns[name].config.read_text())
        for section, values in sections.items():
            settings[section] = settings.get(section, {}) | values
        (self.path / f"{name}.yaml").write_text(json.dumps(settings, indent=2))

    def start(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "run", "--config", self.path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: end_with_parent(signal.SIGKILL),
            )
        for firn in self.firns.values():  # Whose process it is: for what asks it.
            firn._process = self._process

    def stop(self):
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def rows(self, name):
        return sorted((row["id"], row["v"]) for row in self.lakes[name].rows(self.lakes[name].table("public", "t"), "pyiceberg"))

    def expect_equal(self, *names):
        for name in names:
            assert self.rows(name) == self.connections[name].execute("SELECT id, v FROM t ORDER BY id").fetchall(), name

    def close(self, postgres):
        self.kill()
        for name in NAMES:
            self.connections[name].close()
            postgres.drop_database(self.databases[name])


@pytest.fixture
def folder(postgres, tmp_path, java):
    folder = Folder(postgres, tmp_path, java)
    yield folder
    folder.close(postgres)


def test_each_file_is_a_pipeline_of_its_own(folder):
    folder.start()
    for name, firn in folder.firns.items():
        firn.wait_streaming()
        assert firn.status()["pipeline"] == folder.databases[name]
    for name in NAMES:
        folder.connections[name].execute("UPDATE t SET v = -v WHERE id % 3 = 0; DELETE FROM t WHERE id = 7")
    assert run_firn("health", "--ready", "--config", folder.path).returncode == 0
    committed = [f"committed pipeline={database} table=public.t " for database in folder.databases.values()]
    wait_until(lambda: all(line in folder.log.read_text() for line in committed), "the log tells of a commit of each")
    assert folder.stop() == 0
    caught_up = run_firn("run", "--until-caught-up", "--config", folder.path)
    assert caught_up.returncode == 0, caught_up.stderr
    folder.expect_equal(*NAMES)
    assert run_firn("health", "--config", folder.path).returncode == 1
    status = run_firn("status", "--config", folder.path)
    assert status.returncode == 0 and all(f"{name}.yaml:" in status.stderr for name in NAMES)


def test_one_that_fails_leaves_the_others_alone_and_starts_again(folder):
    # Where its state is to be, there is a file.
    blocked = pathlib.Path(json.loads(folder.firns["shop"].config.read_text())["state_dir"])
    blocked.write_text("")
    folder.start()
    folder.firns["stock"].wait_streaming()
    failed = rf"the pipeline failed and starts again pipeline={folder.databases['shop']} "
    wait_until(lambda: len(re.findall(failed, folder.log.read_text())) >= 2, "it is tried again")
    folder.connections["stock"].execute("UPDATE t SET v = -v WHERE id % 3 = 0")
    blocked.unlink()
    folder.firns["shop"].wait_streaming()
    assert folder.stop() == 0
    assert run_firn("run", "--until-caught-up", "--config", folder.path).returncode == 0
    folder.expect_equal(*NAMES)


def test_the_exit_code_tells_that_one_was_down(folder):
    blocked = pathlib.Path(json.loads(folder.firns["shop"].config.read_text())["state_dir"])
    blocked.write_text("")
    folder.start()
    folder.firns["stock"].wait_streaming()
    wait_until(lambda: "starts again" in folder.log.read_text(), "the other one fails")
    assert folder.stop() == 1
    assert "1 of 2 pipelines failed" in folder.log.read_text()
    # A job that is to catch up tries each once.
    caught_up = run_firn("run", "--until-caught-up", "--config", folder.path)
    assert caught_up.returncode == 1
    assert "shop.yaml: " in caught_up.stderr and "stock.yaml: " not in caught_up.stderr.split("pipelines failed")[1]
    folder.expect_equal("stock")


def test_pipelines_that_would_be_in_each_others_way_are_refused(folder):
    folder.write("shop", source={"slot": folder.databases["stock"]})
    refused = run_firn("run", "--config", folder.path)
    assert refused.returncode == 2
    assert f"stock.yaml: source.slot: '{folder.databases['stock']}' is that of" in refused.stderr
    assert run_firn("resync", "--table", "public.t", "--config", folder.path).returncode == 2
    assert os.listdir(folder.firns["shop"].directory) == ["firn.yaml"]
