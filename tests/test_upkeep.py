"""`firn run` keeps its tables small by itself, while rows change and firn is killed: the rows stay what they are, and the stream
goes on without building its index anew."""

import random
import time

import pyarrow.parquet
import pytest
from harness.waiting import wait_until
from test_cdc_modes import LARGE_STATEMENTS, MODES, Watched, postgres  # noqa: F401 (a server that keeps commit times)
from test_cdc_modes import LARGE as LARGE_VALUE
from test_page import TOKEN, act

ALWAYS = {"interval": "0s", "max_bytes_per_second": 0}
# PyIceberg refuses equality deletes, and DuckDB reads them wrong (README of the readers).
BY_PLACE = ("pyiceberg", "duckdb", "iceberg-rust")
KEYED = "CREATE TABLE t (id int PRIMARY KEY, region text, v int)"
WHOLE_ROWS = "CREATE TABLE t (id int, region text, v int); ALTER TABLE t REPLICA IDENTITY FULL"
PARTITIONED = {"public.t": {"partition_by": ["region", "bucket(2, id)"]}}
SORTED = {"public.t": {"sort_by": ["v desc", "region"]}}
SORTED_PARTITIONED = {"public.t": {"sort_by": ["v desc"], "partition_by": ["region", "bucket(2, id)"]}}
CASES = {
    "position": (KEYED, {"destination": {"format_version": 2}}, BY_PLACE),
    "vector": (KEYED, {"destination": {"format_version": 3}}, BY_PLACE),
    "position-partitioned": (KEYED, {"destination": {"format_version": 2}, "tables": PARTITIONED}, BY_PLACE),
    "vector-partitioned": (KEYED, {"destination": {"format_version": 3}, "tables": PARTITIONED}, BY_PLACE),
    "equality": (KEYED, {"destination": {"format_version": 2, "deletes": "equality"}}, ("iceberg-rust", "java")),
    "position-sorted": (KEYED, {"destination": {"format_version": 2}, "tables": SORTED}, BY_PLACE),
    "vector-sorted-partitioned": (KEYED, {"destination": {"format_version": 3}, "tables": SORTED_PARTITIONED}, BY_PLACE),
    "equality-sorted": (KEYED, {"destination": {"format_version": 2, "deletes": "equality"}, "tables": SORTED}, ("iceberg-rust", "java")),
    "whole-rows-sorted": (WHOLE_ROWS, {"destination": {"format_version": 3}, "tables": SORTED}, BY_PLACE),
    "whole-rows": (WHOLE_ROWS, {"destination": {"format_version": 3}}, BY_PLACE),
}
BUILT = "built the index from the table"
MOVED = "found moved rows in their new files"
COMPACTED = "compacted files"


def whole_log(pipeline):
    return pipeline.firn.log.read_text(errors="replace")


def make_table(pipeline, case, **maintenance):
    definition, settings, engines = CASES[case]
    pipeline.configure(**settings, writer={"commit_interval_ms": 100}, maintenance=ALWAYS | maintenance)
    pipeline.execute(definition)
    pipeline.execute("INSERT INTO t SELECT n, 'region ' || n % 3, 0 FROM generate_series(1, 300) n")
    pipeline.catch_up()
    return engines


class Load:
    """Transactions that come without end: each leaves a file, and deletes rows of older ones."""

    def __init__(self, pipeline, seed):
        self.pipeline = pipeline
        self.dice = random.Random(seed)
        self.number = 0

    def steps(self, count):
        """Each of them committed by firn before the next."""
        for _ in range(count):
            self.step()
            position = self.pipeline.current_lsn()
            wait_until(lambda position=position: self.pipeline.has_acknowledged(position), "it is committed")

    def step(self):
        self.number += 1
        first = 1000 + self.number * 10
        statements = [f"INSERT INTO t SELECT n, 'region ' || n % 3, 0 FROM generate_series({first}, {first + 9}) n"]
        statements.append(f"UPDATE t SET v = v + 1 WHERE id % 13 = {self.dice.randrange(13)}")
        if self.dice.random() < 0.5:
            statements.append(f"DELETE FROM t WHERE id % 37 = {self.dice.randrange(37)}")
        if self.dice.random() < 0.2:
            statements.append(f"UPDATE t SET region = 'region ' || {self.dice.randrange(3)} WHERE id % 29 = 0")
        self.pipeline.execute("; ".join(statements))
        time.sleep(0.05)


def expect_in_order(pipeline, case):
    """The rows of files that say that they are sorted. Of a sorted case some were written, which may have lost all rows since."""
    files = [file for file in pipeline.lake.table("public", "t").inspect.data_files().to_pylist() if file["sort_order_id"]]
    assert ('sorted_by="v desc' in whole_log(pipeline)) == ("sorted" in case) and (not files or "sorted" in case)
    for file in files:
        values = pyarrow.parquet.ParquetFile(file["file_path"].removeprefix("file://")).read(columns=["v"])["v"].to_pylist()
        assert values == sorted(values, reverse=True)


def data_files(pipeline):
    return len(list(pipeline.lake.table("public", "t").inspect.data_files().to_pylist()))


@pytest.mark.parametrize("case", CASES)
def test_stays_small_while_rows_change(pipeline, case):
    engines = make_table(pipeline, case)
    load = Load(pipeline, case)
    pipeline.firn.start()
    end = time.monotonic() + 15
    while time.monotonic() < end or whole_log(pipeline).count(COMPACTED) < 5:
        assert time.monotonic() < end + 120, whole_log(pipeline)[-3000:]
        load.step()
        pipeline.firn.expect_running()
    position = pipeline.current_lsn()
    wait_until(lambda: pipeline.has_acknowledged(position), "all is committed")
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=engines)
    log = whole_log(pipeline)
    if not case.startswith("equality"):
        # Once, when the first row was looked for.
        assert log.count(BUILT) == 1 and log.count(MOVED) >= 4, (log.count(BUILT), log.count(MOVED))
    partitions = 6 if "partitioned" in case else 1
    expect_in_order(pipeline, case)
    commits = log.count(" committed ")
    assert commits > 30
    assert data_files(pipeline) <= 20 * partitions < commits * partitions


@pytest.mark.parametrize("case", CASES)
def test_stays_right_when_killed(pipeline, case):
    engines = make_table(pipeline, case)
    load = Load(pipeline, case)
    moments = random.Random(case)
    end = time.monotonic() + 20
    starts = 0
    while time.monotonic() < end or whole_log(pipeline).count(COMPACTED) < 5:
        assert time.monotonic() < end + 240, whole_log(pipeline)[-3000:]
        pipeline.firn.start()
        starts += 1
        alive_until = time.monotonic() + moments.uniform(0.5, 4)
        while time.monotonic() < alive_until:
            load.step()
            pipeline.firn.expect_running()
        pipeline.firn.kill()
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=engines)
    expect_in_order(pipeline, case)
    assert starts > 3


@MODES
def test_large_values_that_updates_leave_alone_survive_compactions(pipeline, cdc, model):
    watched = Watched(pipeline, **cdc, track_changes=True)
    watched.settings |= {"writer": {"commit_interval_ms": 100}, "maintenance": ALWAYS}
    watched.configure()
    watched.create("id int PRIMARY KEY, v text, n int", f"SELECT n, {LARGE_VALUE.format(n='n')}, 0 FROM generate_series(1, 20) n")
    pipeline.firn.start()
    for number in range(22):
        watched.execute(f"UPDATE t SET n = n + 1 WHERE id % 4 = {number % 4}")
        if number % 2 == 1:
            watched.execute(LARGE_STATEMENTS[number // 2])
        position = pipeline.current_lsn()
        wait_until(lambda position=position: pipeline.has_acknowledged(position), "it is committed")
    wait_until(lambda: COMPACTED in pipeline.firn.log_text(), "files are compacted")
    watched.execute("UPDATE t SET n = n + 1")
    pipeline.firn.stop()
    watched.catch_up()
    watched.expect(model(watched.copied, watched.copied_at(), watched.log()))


def test_expires_old_snapshots(pipeline):
    engines = make_table(pipeline, "vector", compact="off", snapshot_retention="0s")
    load = Load(pipeline, "expiry")
    pipeline.firn.start()
    load.steps(8)
    wait_until(lambda: len(pipeline.lake.table("public", "t").snapshots()) == 1, "old snapshots are gone")
    pipeline.firn.stop()
    assert COMPACTED not in whole_log(pipeline)
    pipeline.expect_equal("t", engines=engines)


def test_expires_the_oldest_beyond_the_maximum_without_waiting_for_its_interval(pipeline):
    engines = make_table(pipeline, "position", compact="off", interval="1h", max_snapshots=5)
    table = pipeline.lake.table("public", "t")
    tagged = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(tagged, "first").commit()
    pipeline.firn.start()
    for number in range(120):
        before = pipeline.lake.table("public", "t").metadata.current_snapshot_id
        pipeline.execute(f"UPDATE t SET v = v + 1 WHERE id = {number + 1}")
        wait_until(
            lambda before=before: pipeline.lake.table("public", "t").metadata.current_snapshot_id != before, "it is committed"
        )
    wait_until(lambda: "expired snapshots" in pipeline.firn.log_text(), "the oldest are gone")
    pipeline.firn.stop()
    snapshots = [snapshot.snapshot_id for snapshot in pipeline.lake.table("public", "t").snapshots()]
    assert tagged in snapshots and 6 <= len(snapshots) < 60, len(snapshots)
    pipeline.expect_equal("t", engines=engines)
    pipeline.firn.command("maintain", "expire", check=True)
    snapshots = [snapshot.snapshot_id for snapshot in pipeline.lake.table("public", "t").snapshots()]
    assert tagged in snapshots and len(snapshots) == 6
    pipeline.expect_equal("t", engines=engines)


def test_leaves_tables_alone_where_it_is_told_to(pipeline):
    make_table(pipeline, "position", compact="off", expire="off", snapshot_retention="0s")
    load = Load(pipeline, "off")
    pipeline.firn.start()
    load.steps(8)
    pipeline.firn.stop()
    log = whole_log(pipeline)
    assert COMPACTED not in log and "expired snapshots" not in log
    assert len(pipeline.lake.table("public", "t").snapshots()) > 8


def test_compacts_when_it_is_asked_to(pipeline):
    """By the page's action, also where it does nothing by itself."""
    pipeline.configure(writer={"commit_interval_ms": 100}, maintenance={"compact": "off", "expire": "off"}, http={"token": TOKEN})
    pipeline.execute(KEYED)
    load = Load(pipeline, "asked")
    pipeline.firn.start()
    load.steps(8)
    assert COMPACTED not in whole_log(pipeline)
    assert act(pipeline, "compact", {"table": "public.t"})[0] == 200
    wait_until(lambda: COMPACTED in pipeline.firn.log_text(), "the files are compacted")
    load.steps(2)
    pipeline.firn.stop()
    pipeline.expect_equal("t", engines=BY_PLACE)


def test_tells_of_its_work(pipeline):
    make_table(pipeline, "position")
    load = Load(pipeline, "metrics")
    pipeline.firn.start()
    while COMPACTED not in pipeline.firn.log_text():
        load.step()
    metrics = pipeline.firn.get("/metrics")
    for name in ("firn_compactions_total", "firn_compacted_files_total", "firn_compaction_written_bytes_total"):
        assert f'{name}{{table="public.t"}}' in metrics
    line = next(line for line in pipeline.firn.log_text().splitlines() if COMPACTED in line)
    for field in ("table=public.t", "files_before=", "files_after=", "bytes_before=", "bytes_after="):
        assert field in line
