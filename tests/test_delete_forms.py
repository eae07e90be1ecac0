"""Each form in which firn deletes rows, in both format versions, as the engines that can read it see it."""

import random

import pytest
from harness.lake import ENGINES
from test_changes import LARGE, STATEMENTS
from test_kill import TABLES, initialise
from test_metadata import live_entries, path_of, read_metadata

# PyIceberg refuses equality deletes, and DuckDB reads them wrong (README of the readers).
FORMS = {
    "position": ({"format_version": 2}, ENGINES),
    "vector": ({"format_version": 3}, ENGINES),
    "equality-v2": ({"format_version": 2, "deletes": "equality"}, ("iceberg-rust", "java")),
    "equality-v3": ({"format_version": 3, "deletes": "equality"}, ("iceberg-rust", "java")),
}
BY_PLACE = ("position", "vector")


@pytest.fixture(params=FORMS)
def form(request, pipeline):
    pipeline.configure(destination=FORMS[request.param][0])
    return request.param


def use(pipeline, form, **settings):
    pipeline.configure(destination=FORMS[form][0], **settings)


def expect_equal(pipeline, form, *tables):
    pipeline.expect_equal(*tables, engines=FORMS[form][1])


def make_table(pipeline, rows=100):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2))")
    pipeline.execute(f"INSERT INTO t SELECT n, 'name ' || n, n * 1.5 FROM generate_series(1, {rows}) n")


def delete_files(table):
    """The live delete files by kind."""
    kinds = {"position": [], "vector": [], "equality": []}
    for manifest, entry in live_entries(read_metadata(table)["snapshots"][-1]):
        file = entry["data_file"]
        if file["content"] == 2:
            kinds["equality"].append(file)
        elif file["content"] == 1:
            kinds["vector" if file["file_format"] == "PUFFIN" else "position"].append(file)
    return kinds


def lineage(pipeline, table="t", key="id"):
    """Row id and last updated sequence number of each row, by key, as Iceberg's Java reader has them."""
    location = pipeline.lake.table("public", table).metadata_location
    rows, _ = pipeline.java.read("lineage " + location)
    found = {row[key]: (row["_row_id"], row["_last_updated_sequence_number"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_kind_of_change_arrives(form, pipeline):
    make_table(pipeline)
    pipeline.catch_up()
    for number, statements in enumerate(STATEMENTS.values()):
        pipeline.execute(statements)
        if number % 5 == 0:
            pipeline.catch_up()
            expect_equal(pipeline, form, "t")
        pipeline.execute("INSERT INTO t SELECT n, 'filled', n FROM generate_series(1, 120) n ON CONFLICT DO NOTHING")
        pipeline.execute("DELETE FROM t WHERE id NOT BETWEEN 1 AND 100")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_every_kind_of_change_arrives_while_firn_runs(form, pipeline):
    make_table(pipeline)
    pipeline.catch_up()
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    for statements in STATEMENTS.values():
        pipeline.execute(statements)
        pipeline.execute("INSERT INTO t SELECT n, 'filled', n FROM generate_series(1, 120) n ON CONFLICT DO NOTHING")
        pipeline.execute("DELETE FROM t WHERE id NOT BETWEEN 1 AND 100")
    pipeline.firn.stop()
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_deletes_are_of_the_form_that_was_asked_for(form, pipeline):
    make_table(pipeline)
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET name = 'x' WHERE id <= 10; DELETE FROM t WHERE id = 50")
    pipeline.catch_up()
    table = pipeline.lake.table("public", "t")
    kinds = delete_files(table)
    used = form.split("-")[0]
    assert {kind for kind, files in kinds.items() if files} == {used}
    summary = read_metadata(table)["snapshots"][-1]["summary"]
    counted = {"position": "added-position-delete-files", "vector": "added-dvs", "equality": "added-equality-delete-files"}
    assert int(summary[counted[used]]) == 1
    assert int(summary["added-delete-files"]) == 1
    assert int(summary["added-equality-deletes" if used == "equality" else "added-position-deletes"]) == 11
    assert table.metadata.format_version == FORMS[form][0]["format_version"]
    if used == "equality":
        assert kinds["equality"][0]["equality_ids"] == [1]


def test_each_vector_has_a_file_of_its_own(pipeline):
    use(pipeline, "vector")
    make_table(pipeline)
    pipeline.catch_up()
    for n in range(3):
        pipeline.execute(f"INSERT INTO t SELECT {n} * 1000 + 1000 + i, 'new', i FROM generate_series(1, 50) i")
        pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE id % 10 = 0")
    pipeline.catch_up()
    expect_equal(pipeline, "vector", "t")
    vectors = delete_files(pipeline.lake.table("public", "t"))["vector"]
    assert len(vectors) == 4
    assert len({vector["file_path"] for vector in vectors}) == 4
    assert len({vector["referenced_data_file"] for vector in vectors}) == 4
    for vector in vectors:
        content = path_of(vector["file_path"]).read_bytes()
        assert content.startswith(b"PFA1") and content.endswith(b"PFA1")
        blob = content[vector["content_offset"] :][: vector["content_size_in_bytes"]]
        assert int.from_bytes(blob[:4], "big") == len(blob) - 8
        assert blob[4:8] == b"\xd1\xd3\x39\x64"


@pytest.mark.parametrize("form", BY_PLACE)
def test_without_a_key_exactly_one_of_equal_rows_goes(pipeline, form):
    use(pipeline, form)
    pipeline.execute(
        """
        CREATE TABLE dup (a int, b text);
        ALTER TABLE dup REPLICA IDENTITY FULL;
        INSERT INTO dup SELECT n % 3, 'same' FROM generate_series(1, 30) n;
        """
    )
    pipeline.catch_up()
    pipeline.execute("DELETE FROM dup WHERE ctid = (SELECT min(ctid) FROM dup WHERE a = 1)")
    pipeline.execute("UPDATE dup SET b = 'other' WHERE ctid IN (SELECT ctid FROM dup WHERE a = 2 LIMIT 3)")
    pipeline.catch_up()
    expect_equal(pipeline, form, "dup")


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_large_values_that_an_update_leaves_alone_stay(form, pipeline, identity):
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, v int, large text); ALTER TABLE t REPLICA IDENTITY {identity}")
    pipeline.execute(f"INSERT INTO t SELECT n, 0, {LARGE.format(n='n')} FROM generate_series(1, 8) n")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 1 WHERE id = 1")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = 2 WHERE id <= 2; UPDATE t SET id = 30 WHERE id = 3; UPDATE t SET large = 'short' WHERE id = 4")
    pipeline.execute("UPDATE t SET v = 5 WHERE id = 5; UPDATE t SET id = 50 WHERE id = 5")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")
    # The row that holds the value is itself not committed yet.
    pipeline.execute(f"INSERT INTO t VALUES (100, 0, {LARGE.format(n=100)}); UPDATE t SET v = 1 WHERE id = 100")
    pipeline.execute("UPDATE t SET v = 2 WHERE id = 100; UPDATE t SET id = 101 WHERE id = 100; UPDATE t SET v = 3 WHERE id IN (101, 6)")
    pipeline.execute(f"DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 0, {LARGE.format(n=7000)}); UPDATE t SET v = 1 WHERE id = 7")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_a_transaction_that_is_written_in_parts(form, pipeline):
    """Rows of one commit that are superseded in the same commit: equality deletes don't reach those."""
    use(pipeline, form, writer={"memory_limit_bytes": 1 << 20, "commit_interval_ms": 500})
    make_table(pipeline)
    pipeline.catch_up()
    pipeline.execute(
        """
        BEGIN;
        INSERT INTO t SELECT n, repeat('a', 200), 0 FROM generate_series(101, 8000) n;
        UPDATE t SET name = repeat('b', 200);
        UPDATE t SET id = -id WHERE id % 7 = 0;
        DELETE FROM t WHERE id % 5 = 0;
        INSERT INTO t SELECT n, repeat('c', 200), 1 FROM generate_series(1, 8000) n WHERE n % 5 = 0;
        UPDATE t SET amount = 2 WHERE id % 3 = 0;
        COMMIT
        """
    )
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_keys_of_several_columns_and_types(form, pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (region text, day date, n numeric(12, 3), at timestamptz, v int, PRIMARY KEY (region, day, n, at));
        INSERT INTO t SELECT 'r' || i % 3, DATE '1969-12-30' + i, -i / 8.0, '2024-01-01 00:00:00.5+00', i FROM generate_series(1, 60) i;
        """
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = -v WHERE v % 2 = 0; DELETE FROM t WHERE region = 'r1' AND v < 30; UPDATE t SET n = n * 2 WHERE v > 50")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_rows_that_move_between_partitions(form, pipeline):
    """The key does not tell the old partition: an equality delete must reach every one."""
    use(pipeline, form, tables={"public.t": {"partition_by": ["truncate(1, name)", "bucket(3, amount)"]}})
    make_table(pipeline)
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET name = chr(97 + id % 5) || name WHERE id % 2 = 0; DELETE FROM t WHERE id % 9 = 0")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET name = NULL WHERE id % 7 = 0; UPDATE t SET id = id + 1000, amount = NULL WHERE id BETWEEN 11 AND 20")
    pipeline.execute("UPDATE t SET name = 'z' WHERE id % 5 = 0")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


def test_uuid_keys(form, pipeline):
    pipeline.execute("CREATE TABLE t (u uuid PRIMARY KEY, v int); INSERT INTO t SELECT md5(i::text)::uuid, i FROM generate_series(1, 20) i")
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET v = -v WHERE v % 2 = 0; DELETE FROM t WHERE v = 7")
    pipeline.catch_up()
    # iceberg-rust can't compare uuids of equality deletes.
    pipeline.expect_equal("t", engines=FORMS[form][1] if form in BY_PLACE else ("java",))


def test_one_commit_deletes_from_many_files(pipeline, form):
    pipeline.execute("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t SELECT i, 0 FROM generate_series(0, 999) i")
    pipeline.catch_up()
    for part in range(1, 4):
        pipeline.execute(f"INSERT INTO t SELECT i, {part} FROM generate_series({part}000, {part}999) i")
        pipeline.catch_up()
    # Other rows of each file.
    pipeline.execute("DELETE FROM t WHERE k % 7 = v")
    pipeline.catch_up()
    expect_equal(pipeline, form, "t")


@pytest.mark.parametrize("form", ["vector", "equality-v2", "equality-v3"])
def test_killed_under_load(pipeline, form):
    moments = random.Random(form)
    initialise(pipeline, 1)
    use(pipeline, form, writer={"commit_interval_ms": 200})
    load = pipeline.postgres.pgbench(pipeline.database, "-n", "-c", "2", "-T", "600")
    try:
        for _ in range(5):
            pipeline.firn.start()
            if pipeline.firn.ended_within(moments.uniform(0.05, 3.0)):
                pipeline.firn.expect_running()
            pipeline.firn.kill()
    finally:
        load.terminate()
        load.communicate(timeout=30)
    pipeline.catch_up(timeout_s=240)
    expect_equal(pipeline, form, *TABLES)


def test_forms_can_be_switched_between_starts(pipeline):
    make_table(pipeline)
    for number, form in enumerate(("position", "equality-v2", "position", "equality-v2", "equality-v3", "vector", "equality-v3")):
        use(pipeline, form)
        pipeline.catch_up()
        for step in range(2):
            pipeline.execute(f"UPDATE t SET name = '{form} {number}.{step}' WHERE id % 4 = {(number + step) % 4}")
            pipeline.execute(f"DELETE FROM t WHERE id = {number * 10 + step + 1}; INSERT INTO t VALUES ({1000 + number * 10 + step}, 'new', 0)")
            pipeline.execute(f"UPDATE t SET id = id + 2000 WHERE id = {number * 10 + step + 3}")
            pipeline.catch_up()
            # What equality deletes have removed stays removed in every later form.
            pipeline.expect_equal("t", engines=("iceberg-rust", "java"))


def test_an_upgrade_goes_on_from_position_deletes(pipeline):
    use(pipeline, "position")
    make_table(pipeline)
    pipeline.execute("CREATE TABLE quiet (id int PRIMARY KEY, v int); INSERT INTO quiet SELECT n, n FROM generate_series(1, 20) n")
    pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE id <= 10; DELETE FROM quiet WHERE id = 3; INSERT INTO t VALUES (500, 'new', 0)")
    pipeline.catch_up()
    use(pipeline, "vector")
    pipeline.catch_up()
    for name in ("t", "quiet"):
        metadata = read_metadata(pipeline.lake.table("public", name))
        assert metadata["format-version"] == 3 and metadata["next-row-id"] == 0
    expect_equal(pipeline, "vector", "t", "quiet")

    pipeline.execute("DELETE FROM t WHERE id = 20; INSERT INTO t VALUES (501, 'newer', 0)")
    pipeline.catch_up()
    expect_equal(pipeline, "vector", "t", "quiet")
    kinds = delete_files(pipeline.lake.table("public", "t"))
    assert [file["record_count"] for file in kinds["vector"]] == [11] and not kinds["position"]
    assert delete_files(pipeline.lake.table("public", "quiet"))["position"]
    ids = lineage(pipeline)
    assert len({row_id for row_id, _ in ids.values()}) == len(ids) and None not in {row_id for row_id, _ in ids.values()}
    pipeline.execute("UPDATE t SET name = 'x' WHERE id = 30; DELETE FROM quiet WHERE id = 4")
    pipeline.catch_up()
    expect_equal(pipeline, "vector", "t", "quiet")
    later = lineage(pipeline)
    assert {key: later[key] for key in later if key != 30} == {key: ids[key] for key in ids if key != 30}


def test_a_table_does_not_go_back_to_version_2(pipeline):
    use(pipeline, "vector")
    make_table(pipeline)
    pipeline.catch_up()
    use(pipeline, "position")
    refused = pipeline.firn.command("run", "--until-caught-up")
    assert refused.returncode != 0
    assert "can't go back to 2; set destination.format_version: 3" in refused.stderr


@pytest.mark.parametrize("form", ["vector", "equality-v3"])
def test_row_ids_are_unique_and_stay(pipeline, form):
    use(pipeline, form)
    make_table(pipeline)
    pipeline.catch_up()
    before = lineage(pipeline)
    assert sorted(row_id for row_id, _ in before.values()) == list(range(100))
    seen = {row_id for row_id, _ in before.values()}
    changes = (
        ("INSERT INTO t SELECT n, 'new', n FROM generate_series(101, 150) n", set()),
        ("DELETE FROM t WHERE id <= 20", set()),
        ("UPDATE t SET name = 'x' WHERE id BETWEEN 30 AND 40; INSERT INTO t VALUES (200, 'y', 0)", set(range(30, 41))),
        ("UPDATE t SET id = id + 1000 WHERE id = 50", set()),
        ("DELETE FROM t WHERE id BETWEEN 101 AND 150", set()),  # A whole data file goes.
        ("TRUNCATE t; INSERT INTO t SELECT n, 'again', n FROM generate_series(1, 10) n", set(range(1, 11))),
    )
    for statements, changed in changes:
        pipeline.execute(statements)
        pipeline.catch_up()
        expect_equal(pipeline, form, "t")
        after = lineage(pipeline)
        ids = [row_id for row_id, _ in after.values()]
        assert len(set(ids)) == len(ids)
        for key, (row_id, sequence_number) in after.items():
            if key in before and key not in changed:
                assert (row_id, sequence_number) == before[key]
            else:
                assert row_id not in seen
        seen |= set(ids)
        metadata = read_metadata(pipeline.lake.table("public", "t"))
        assert metadata["next-row-id"] > max(seen)
        starts = [snapshot["first-row-id"] for snapshot in metadata["snapshots"]]
        assert starts == sorted(starts)
        last = metadata["snapshots"][-1]
        assert last["first-row-id"] + last["added-rows"] == metadata["next-row-id"]
        before = after


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL", "equality needs a key"),
        ("CREATE TABLE t (a float8 PRIMARY KEY, b text)", "can't compare the key column"),
    ],
)
def test_tables_that_equality_deletes_cant_serve_are_refused(pipeline, table, message):
    pipeline.execute(table)
    use(pipeline, "equality-v2")
    for command in (["check"], ["run", "--until-caught-up"]):
        refused = pipeline.firn.command(*command)
        assert refused.returncode != 0
        assert message in refused.stdout + refused.stderr
    use(pipeline, "position")
    pipeline.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE a = 1")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_equality_deletes_of_a_table_without_deletes_are_none(pipeline):
    use(pipeline, "equality-v2")
    pipeline.execute("CREATE TABLE events (v int)")
    pipeline.catch_up()
    pipeline.execute("INSERT INTO events SELECT generate_series(1, 10)")
    pipeline.catch_up()
    pipeline.expect_equal("events")
    assert not any(delete_files(pipeline.lake.table("public", "events")).values())
