"""How far firn is stays known whatever others do with a table's snapshots: a property tells it when firn's own have expired, and
that the table was rolled back."""

import pytest
from harness.waiting import wait_until

COPIED_AGAIN = "somebody rolled the Iceberg table back"


@pytest.fixture
def changed(pipeline):
    """A table with a commit behind its copy."""
    pipeline.configure(writer={"commit_interval_ms": 100}, maintenance={"compact": "off", "expire": "off"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)")
    pipeline.execute("INSERT INTO t SELECT n, 'a' FROM generate_series(1, 100) n")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 'b' WHERE id < 10; INSERT INTO t VALUES (1000, 'x')")
    pipeline.catch_up()
    return pipeline


def roll_back(pipeline):
    table = pipeline.lake.table("public", "t")
    table.manage_snapshots().rollback_to_snapshot(table.snapshots()[0].snapshot_id).commit()
    assert pipeline.lake.table("public", "t").scan().to_arrow().num_rows == 100


def expire_firns_snapshots(pipeline):
    """Leaves the compaction's alone."""
    pipeline.firn.command("maintain", "compact", check=True)
    table = pipeline.lake.table("public", "t")
    current = table.current_snapshot()
    assert "firn.lsn" not in current.summary.additional_properties
    table.maintenance.expire_snapshots().by_ids(
        [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id != current.snapshot_id]
    ).commit()


def test_a_table_that_was_rolled_back_is_copied_again(changed):
    roll_back(changed)
    changed.execute("INSERT INTO t VALUES (1001, 'y')")
    assert COPIED_AGAIN in changed.firn.command("run", "--until-caught-up", check=True).stderr
    changed.expect_equal("t")


def test_a_table_that_is_rolled_back_while_firn_runs_is_copied_again_and_others_go_on(changed):
    changed.firn.start()
    roll_back(changed)
    changed.execute("INSERT INTO t VALUES (1001, 'y')")
    changed.execute("INSERT INTO other VALUES (1)")
    wait_until(lambda: COPIED_AGAIN in changed.firn.log_text(), "firn has seen it")
    wait_until(lambda: changed.lake.table("public", "t").scan().to_arrow().num_rows == 102, "it is copied again")
    changed.firn.stop()
    changed.catch_up()
    changed.expect_equal("t", "other")


@pytest.mark.parametrize("running", [True, False], ids=["running", "down"])
def test_progress_outlives_the_snapshots_that_others_expire(changed, running):
    if running:
        changed.firn.start()
    expire_firns_snapshots(changed)
    changed.execute("INSERT INTO t VALUES (1001, 'y'); UPDATE t SET v = 'c' WHERE id = 50")
    if running:
        wait_until(lambda: changed.lake.table("public", "t").scan().to_arrow().num_rows == 102, "it goes on")
        changed.firn.stop()
    changed.catch_up()
    assert len(changed.lake.table("public", "t").snapshots()) == 2, "no copy came in between"
    changed.expect_equal("t")
