"""firn ends, or a step of it fails, at every point where it is about to change something or has just done so: afterwards nothing
is missing and nothing is there twice.

The points are those of src/base/failpoint.h. One that is never reached fails its test.
"""

import random
import re
import shutil
import time

import pytest
from conftest import Pipeline
from harness.firn_process import REPOSITORY
from harness.mixed_load import TABLES, MixedLoad
from harness.waiting import wait_until

NAMES = re.findall(r'^    "([a-z_.]+)",$', (REPOSITORY / "src/base/failpoint.h").read_text(), re.MULTILINE)
BEFORE = [name for name in NAMES if name.endswith(".before")]
# Steps of a pipeline's beginning, which come once.
AT_THE_START = ("publication.", "slot.", "table.create.", "copy.")
# Those of a copy that goes on where it was.
OF_BROKEN_COPY = "copy.keys."
# Steps that come only with an index that is built from its table.
WITHOUT_INDEX = ("index.load.", "index.reset.")
ENGINES = ("pyiceberg", "duckdb", "iceberg-rust")
SETTINGS = {
    # Tables of more than a page are copied in ranges, which are remembered.
    "source": {"copy_range_bytes": 8192},
    "writer": {"commit_interval_ms": 100, "memory_limit_bytes": 2 << 20},
    "retry": {"base_delay_ms": 20, "max_delay_ms": 200},
    # Files are rewritten all the time.
    "maintenance": {"interval": "0s", "max_bytes_per_second": 0},
}


def test_names_are_known():
    assert len(NAMES) > 40
    assert len(set(NAMES)) == len(NAMES)
    source = "".join(path.read_text() for path in (REPOSITORY / "src").rglob("*.cc"))
    for name in NAMES:
        point = "Failpoint::k" + "".join(part.capitalize() for part in re.split("[._]", name))
        assert re.search(point + r"\b", source), f"nothing passes {name}"
    assert {name.rpartition(".")[0] for name in BEFORE} == {name.rpartition(".")[0] for name in NAMES if name not in BEFORE}


class Source:
    """A pipeline with its load; a new one where a test has left the old one in an unknown state."""

    def __init__(self, postgres, java, tmp_path_factory, worker):
        self._postgres = postgres
        self._java = java
        self._tmp_path_factory = tmp_path_factory
        self._name = f"failpoints_{worker}"
        self.pipeline = None
        self.load = None
        self.is_sound = False
        self.redefines = False

    def prepare(self):
        """Copied, and streamed up to here; what a test does next makes it unsound until it has been compared."""
        if not self.is_sound:
            self.close()
            self.begin()
            self.pipeline.catch_up()
        self.is_sound = False

    def begin(self):
        """Not copied yet."""
        self.pipeline = Pipeline(
            self._postgres, self._postgres.create_database(self._name), self._tmp_path_factory.mktemp("failpoints"), self._java
        )
        self.pipeline.configure(**SETTINGS)
        self.load = MixedLoad(self.pipeline.connection, seed=self._name)
        self.load.set_up()

    def compare(self, dice):
        self.pipeline.catch_up()
        self.pipeline.expect_equal(*TABLES, engines=[dice.choice(ENGINES)])
        assert not list((self.pipeline.directory / "state").glob("*/spool/*")), "spool files are left"
        self.is_sound = True

    def close(self):
        if self.pipeline:
            self.pipeline.close()
        self.pipeline = None


@pytest.fixture(scope="module")
def shared_source(binary, postgres, java, tmp_path_factory, request):
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    source = Source(postgres, java, tmp_path_factory, worker)
    yield source
    source.close()


def is_at_the_start(name):
    return name.startswith(AT_THE_START)


def start_with(source, name, action):
    """firn runs, and the point is armed."""
    if is_at_the_start(name):
        source.close()
        source.begin()
        source.is_sound = False
    else:
        source.prepare()
    source.redefines = name.startswith("schema.")
    if name.startswith(OF_BROKEN_COPY):
        source.pipeline.firn.start({"FIRN_FAILPOINTS": "copy.checkpoint.after=kill"})
        assert source.pipeline.firn.ended_within(60), source.pipeline.firn.log_text()[-3000:]
    if name.startswith(WITHOUT_INDEX):
        shutil.rmtree(source.pipeline.directory / "state")
    source.pipeline.firn.start({"FIRN_FAILPOINTS": f"{name}={action}"})


def keep_changing(source, is_over, timeout_s=240):
    """Transactions of every kind, until it is over: some, and when firn has committed them some more."""
    deadline = time.monotonic() + timeout_s
    while not is_over():
        assert time.monotonic() < deadline, "the point was never reached:\n" + source.pipeline.firn.log_text()[-3000:]
        source.load.every_kind()
        if source.redefines:
            source.load.run(source.load.redefine())
        for _ in range(5):
            source.load.step()
        position = source.pipeline.current_lsn()
        wait_until(
            lambda: is_over() or source.pipeline.has_acknowledged(position), "firn comes to its end or is caught up", timeout_s
        )


@pytest.mark.parametrize("name", NAMES)
def test_killed(shared_source, name):
    dice = random.Random(name)
    time_reached = 1 if is_at_the_start(name) else dice.randint(1, 3)
    start_with(shared_source, name, f"kill@{time_reached}")
    firn = shared_source.pipeline.firn
    keep_changing(shared_source, lambda: firn.ended_within(0.02))
    assert firn.exit_code == -9, firn.log_text()[-3000:]
    shared_source.load.step()
    shared_source.compare(dice)


@pytest.mark.parametrize("name", BEFORE)
def test_a_step_fails_once(shared_source, name):
    """firn goes on by itself, but where nothing had run yet: then it says what is wrong and ends. Where the disk loses what was
    written, it ends, too: only from the start can it know again what is there."""
    dice = random.Random(name)
    # Before it begins, firn tries whether it can write to the warehouse.
    start_with(shared_source, name, "error@2" if name == "store.write.before" else "error")
    firn = shared_source.pipeline.firn
    is_write = name in ("store.write.before", "store.sync.before", "spool.write.before")
    what = "Input/output error" if is_write else f"failpoint {name} "
    keep_changing(shared_source, lambda: what in firn.log_text() or firn.ended_within(0.02))
    assert what in firn.log_text()
    # A definition that changed before the start is followed before anything runs.
    may_end = is_at_the_start(name) or shared_source.redefines
    if name == "store.sync.before":
        assert firn.ended_within(30)
        assert firn.exit_code == 1 and "Start firn again" in firn.log_text()
    elif may_end and firn.ended_within(2):
        assert firn.exit_code == 1 and "streaming changes" not in firn.log_text()
    else:
        firn.wait_streaming(timeout_s=120)
        firn.stop(timeout_s=120)
    shared_source.compare(dice)


@pytest.mark.parametrize("name", ["store.write.before", "spool.write.before"])
def test_full_disk(shared_source, name):
    """Its error says which file found no room; when there is some again firn goes on."""
    start_with(shared_source, name, "enospc@2")
    firn = shared_source.pipeline.firn
    keep_changing(shared_source, lambda: "no space left on the disk" in firn.log_text() or firn.ended_within(0.02))
    line = next(line for line in firn.log_text().splitlines() if "no space left" in line)
    assert str(shared_source.pipeline.directory) in line
    firn.wait_streaming(timeout_s=120)
    firn.stop(timeout_s=120)
    shared_source.compare(random.Random(name))


def test_a_wrong_name_is_refused(pipeline):
    done = pipeline.firn.command("run", environment={"FIRN_FAILPOINTS": "nowhere=kill"})
    assert done.returncode == 2
    assert "nowhere" in done.stderr
