"""`firn maintain`: tables of few large files with the same rows, while firn streams too, and nothing that a snapshot needs is
removed."""

import json
import os
import pathlib
import random
import time

import pytest
from harness.waiting import wait_until
from pyiceberg.table.statistics import StatisticsFile

FORMS = {"position": {"format_version": 2}, "vector": {"format_version": 3, "deletes": "vector"}}


def make_table(pipeline, form, **settings):
    pipeline.configure(destination=FORMS[form], **settings)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, region text, v int)")
    pipeline.execute("INSERT INTO t SELECT n, 'region ' || n % 3, 0 FROM generate_series(1, 300) n")
    pipeline.catch_up()


def change_often(pipeline, rounds=8):
    """Many small commits: files of few rows, and deletes in most of them."""
    for number in range(rounds):
        pipeline.execute(f"INSERT INTO t SELECT n, 'region ' || n % 3, 0 FROM generate_series({1000 + number * 50}, {1040 + number * 50}) n")
        pipeline.execute(f"UPDATE t SET v = v + 1 WHERE id % 7 = {number % 7}; DELETE FROM t WHERE id % 31 = {number}")
        pipeline.catch_up()


def data_files(pipeline):
    return [task.file for task in pipeline.lake.table("public", "t").scan().plan_files()]


def files_on_disk(pipeline):
    folder = pathlib.Path(pipeline.firn.warehouse)
    return {str(path) for path in folder.rglob("*") if path.is_file() and "catalog.db" not in path.name}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("partition_by", [[], ["region", "bucket(2, id)"]], ids=["unpartitioned", "partitioned"])
def test_compacts_to_few_files_with_the_same_rows(pipeline, form, partition_by):
    make_table(pipeline, form, tables={"public.t": {"partition_by": partition_by}} if partition_by else {})
    change_often(pipeline)
    before = len(data_files(pipeline))
    done = pipeline.firn.command("maintain", "compact", "--table", "public.t", check=True)
    assert "public.t" in done.stdout
    partitions = 6 if partition_by else 1
    assert before > partitions and len(data_files(pipeline)) == partitions
    pipeline.expect_equal("t")

    # firn finds the rows in their new files.
    pipeline.execute("UPDATE t SET v = -1 WHERE id % 5 = 0; DELETE FROM t WHERE id % 11 = 0; INSERT INTO t VALUES (5000, 'new', 1)")
    pipeline.catch_up()
    pipeline.expect_equal("t")


@pytest.mark.parametrize("form", FORMS)
def test_compacts_while_firn_streams_and_is_killed(pipeline, form):
    moments = random.Random(form)
    make_table(pipeline, form, writer={"commit_interval_ms": 100})
    end = time.monotonic() + 10
    pipeline.firn.start()
    number = 0
    compacted = 0
    while time.monotonic() < end:
        number += 1
        pipeline.execute(f"UPDATE t SET v = {number} WHERE id % 10 = {number % 10}")
        pipeline.execute(f"INSERT INTO t VALUES ({10_000 + number}, 'new', 0); DELETE FROM t WHERE id = {number % 300}")
        if moments.random() < 0.1:
            # A compaction that meets too many commits of firn says so and leaves the table as it is.
            done = pipeline.firn.command("maintain", "compact")
            compacted += done.returncode == 0
            assert done.returncode in (0, 1), done.stderr
        if moments.random() < 0.02:
            pipeline.firn.kill()
            pipeline.firn.start()
        pipeline.firn.expect_running()
    pipeline.firn.kill()
    assert compacted
    pipeline.catch_up()
    pipeline.expect_equal("t")


@pytest.mark.parametrize("form", FORMS)
def test_expires_what_is_old_and_keeps_what_is_needed(pipeline, form):
    make_table(pipeline, form, maintenance={"snapshot_retention": "0s", "orphan_grace": "0s"})
    change_often(pipeline)
    pipeline.firn.command("maintain", "compact", check=True)
    on_disk = files_on_disk(pipeline)
    snapshots = len(pipeline.lake.table("public", "t").snapshots())
    pipeline.firn.command("maintain", "expire", check=True)
    table = pipeline.lake.table("public", "t")
    # The current one, and firn's last, which knows how far it is.
    assert len(table.snapshots()) == 2 < snapshots
    assert files_on_disk(pipeline) < on_disk | {table.metadata_location.removeprefix("file://")}
    pipeline.expect_equal("t")

    # Whatever is left and not needed is an orphan; nothing else is.
    orphan = pathlib.Path(table.location().removeprefix("file://")) / "data" / "left-behind.parquet"
    orphan.write_bytes(b"x")
    os.utime(orphan, (0, 0))
    shown = pipeline.firn.command("maintain", "orphans", check=True)
    assert str(orphan) in shown.stdout and orphan.exists()
    pipeline.firn.command("maintain", "orphans", "--delete", check=True)
    assert not orphan.exists()
    for snapshot in pipeline.lake.table("public", "t").snapshots():
        assert pipeline.lake.table("public", "t").scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows > 0
    pipeline.execute("UPDATE t SET v = -2 WHERE id % 3 = 0")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_deletes_no_files_that_other_tables_may_need(pipeline):
    make_table(pipeline, "position", maintenance={"snapshot_retention": "0s", "orphan_grace": "0s", "interval": "1s"})
    with pipeline.lake.table("public", "t").transaction() as transaction:
        transaction.set_properties({"gc.enabled": "false"})
    change_often(pipeline)
    orphan = pathlib.Path(pipeline.lake.table("public", "t").location().removeprefix("file://")) / "data" / "left-behind.parquet"
    orphan.write_bytes(b"x")
    os.utime(orphan, (0, 0))
    on_disk = files_on_disk(pipeline)
    snapshots = len(pipeline.lake.table("public", "t").snapshots())

    asked = pipeline.firn.command("maintain", "expire", "--table", "public.t")
    assert asked.returncode != 0 and "gc.enabled is false" in asked.stderr and "Set it to true" in asked.stderr
    every = pipeline.firn.command("maintain", "expire", check=True)
    assert "table public.t: no snapshot is expired" in every.stdout
    for table in (["--table", "public.t"], []):
        deleted = pipeline.firn.command("maintain", "orphans", "--delete", *table)
        assert (deleted.returncode == 0) == (not table) and "no orphan is deleted" in deleted.stdout + deleted.stderr
    pipeline.firn.start()
    wait_until(lambda: "snapshots are not expired" in pipeline.firn.log_text(), "firn leaves the table's snapshots")
    pipeline.firn.stop()
    assert len(pipeline.lake.table("public", "t").snapshots()) >= snapshots
    assert on_disk <= files_on_disk(pipeline)

    # Compaction deletes nothing.
    before = len(data_files(pipeline))
    done = pipeline.firn.command("maintain", check=True)
    assert "table public.t: no snapshot is expired" in done.stdout
    assert len(data_files(pipeline)) <= before and on_disk <= files_on_disk(pipeline)
    pipeline.expect_equal("t")
    with pipeline.lake.table("public", "t").transaction() as transaction:
        transaction.set_properties({"gc.enabled": "true"})
    pipeline.firn.command("maintain", "expire", "--table", "public.t", check=True)
    assert len(pipeline.lake.table("public", "t").snapshots()) < snapshots


def test_expires_statistics_with_their_snapshots(pipeline):
    make_table(pipeline, "position", maintenance={"snapshot_retention": "0s"})
    files = []
    for value in (1, 2):
        if value == 2:
            pipeline.execute("UPDATE t SET v = 2 WHERE id = 1")
            pipeline.catch_up()
        table = pipeline.lake.table("public", "t")
        file = pathlib.Path(table.location().removeprefix("file://")) / "metadata" / f"{value}.stats"
        file.write_bytes(b"x")
        files.append(file)
        statistics = StatisticsFile(
            snapshot_id=table.current_snapshot().snapshot_id,
            statistics_path=f"file://{file}",
            file_size_in_bytes=1,
            file_footer_size_in_bytes=1,
            blob_metadata=[],
        )
        table.update_statistics().set_statistics(statistics).commit()
    pipeline.firn.command("maintain", "expire", check=True)
    table = pipeline.lake.table("public", "t")
    kept = {snapshot.snapshot_id for snapshot in table.snapshots()}
    assert {entry.snapshot_id for entry in table.metadata.statistics} == kept == {table.current_snapshot().snapshot_id}
    assert [file.exists() for file in files] == [False, True]


def test_young_files_are_no_orphans(pipeline):
    make_table(pipeline, "position")
    young = pathlib.Path(pipeline.lake.table("public", "t").location().removeprefix("file://")) / "data" / "in-flight.parquet"
    young.write_bytes(b"x")
    pipeline.firn.command("maintain", "orphans", "--delete", check=True)
    assert young.exists()


def test_says_what_is_wrong(pipeline):
    missing = pipeline.firn.command("maintain", "compact")
    assert missing.returncode == 1 and "there is no catalog" in missing.stderr
    make_table(pipeline, "position")
    unknown = pipeline.firn.command("maintain", "compact", "--table", "public.nowhere")
    assert unknown.returncode == 2 and "public.nowhere" in unknown.stderr and "public.t" in unknown.stderr
    assert pipeline.firn.command("maintain", "tidy").returncode == 2
    assert json.loads(pipeline.firn.command("status", "--json", check=True).stdout)["tables"][0]["state"] == "streaming"
