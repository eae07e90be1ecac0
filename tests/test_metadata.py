"""The tables' metadata: right by the Iceberg spec and by what it counts."""

import json
import pathlib

import fastavro
import pytest
from pyiceberg.table.metadata import TableMetadataUtil


@pytest.fixture
def changed(pipeline):
    """A table with several rounds of changes behind it."""
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text, large text)")
    pipeline.execute("INSERT INTO t SELECT n, 'v', repeat(md5(n::text), 100) FROM generate_series(1, 1000) n")
    pipeline.catch_up()
    for n in range(6):
        pipeline.execute(f"UPDATE t SET v = 'round {n}' WHERE id % 7 = {n}; DELETE FROM t WHERE id % 50 = {n}")
        pipeline.execute(f"INSERT INTO t SELECT {n + 1} * 10000 + i, 'new', NULL FROM generate_series(1, 50) i")
        pipeline.catch_up()
    return pipeline


def path_of(location):
    """Of a file that firn wrote, or Spark, which puts it file:/path."""
    assert location.startswith("file:/"), f"{location} is no URI"
    return pathlib.Path("/" + location.removeprefix("file:").lstrip("/"))


def read_metadata(table):
    return json.loads(path_of(table.metadata_location).read_text())


def read_avro(location):
    with open(path_of(location), "rb") as file:
        reader = fastavro.reader(file)
        return reader.metadata, list(reader)


def live_entries(snapshot):
    """The entries of a snapshot's manifests that are not deleted, with inherited sequence numbers filled in."""
    for manifest in read_avro(snapshot["manifest-list"])[1]:
        for entry in read_avro(manifest["manifest_path"])[1]:
            if entry["status"] != 2:
                number = entry["sequence_number"]
                yield manifest, entry | {"sequence_number": manifest["sequence_number"] if number is None else number}


def test_metadata_is_read_by_the_strict_models(changed):
    table = changed.lake.table("public", "t")
    parsed = TableMetadataUtil.parse_raw(path_of(table.metadata_location).read_text())
    assert parsed.format_version == 2
    _, plan = changed.java.read(table.metadata_location)
    assert plan["rows"] == changed.execute("SELECT count(*) FROM t").fetchone()[0]


def test_every_location_is_a_full_uri(changed):
    table = changed.lake.table("public", "t")
    snapshots = read_metadata(table)["snapshots"]
    locations = {table.metadata_location, table.location(), *(snapshot["manifest-list"] for snapshot in snapshots)}
    for manifest, entry in live_entries(snapshots[-1]):
        locations |= {manifest["manifest_path"], entry["data_file"]["file_path"]}
    assert all(location.startswith("file:///") for location in locations), locations


def test_metadata_agrees_with_itself(changed):
    metadata = read_metadata(changed.lake.table("public", "t"))
    numbers = [snapshot["sequence-number"] for snapshot in metadata["snapshots"]]
    assert numbers == sorted(set(numbers))
    assert metadata["last-sequence-number"] == numbers[-1]
    assert metadata["current-snapshot-id"] == metadata["snapshots"][-1]["snapshot-id"]
    assert metadata["refs"]["main"] == {"snapshot-id": metadata["current-snapshot-id"], "type": "branch"}
    assert [entry["snapshot-id"] for entry in metadata["snapshot-log"]] == [s["snapshot-id"] for s in metadata["snapshots"]]
    parents = [snapshot.get("parent-snapshot-id") for snapshot in metadata["snapshots"]]
    assert parents == [None] + [snapshot["snapshot-id"] for snapshot in metadata["snapshots"][:-1]]
    assert all(path_of(entry["metadata-file"]).exists() for entry in metadata["metadata-log"])
    field_ids = [field["id"] for field in metadata["schemas"][0]["fields"]]
    assert len(set(field_ids)) == len(field_ids) and metadata["last-column-id"] == max(field_ids)


def test_each_data_file_has_at_most_one_live_delete_file(changed):
    table = changed.lake.table("public", "t")
    _, plan = changed.java.read(table.metadata_location)
    assert plan["delete_files_per_data_file_max"] == 1
    for snapshot in read_metadata(table)["snapshots"]:
        targets = [
            entry["data_file"]["referenced_data_file"]
            for manifest, entry in live_entries(snapshot)
            if manifest["content"] == 1
        ]
        assert None not in targets
        assert len(targets) == len(set(targets))


def test_sequence_numbers_let_each_delete_apply_to_its_data_file(changed):
    for snapshot in read_metadata(changed.lake.table("public", "t"))["snapshots"]:
        entries = list(live_entries(snapshot))
        data = {e["data_file"]["file_path"]: e["sequence_number"] for m, e in entries if m["content"] == 0}
        for manifest, entry in entries:
            assert 0 < entry["sequence_number"] <= snapshot["sequence-number"]
            assert manifest["min_sequence_number"] <= entry["sequence_number"]
            if manifest["content"] == 1:
                # Spec: a position delete applies where the data sequence number is less than or equal to its own.
                assert data[entry["data_file"]["referenced_data_file"]] <= entry["sequence_number"]


def test_manifests_count_what_they_hold(changed):
    for snapshot in read_metadata(changed.lake.table("public", "t"))["snapshots"]:
        for manifest in read_avro(snapshot["manifest-list"])[1]:
            header, entries = read_avro(manifest["manifest_path"])
            assert header["content"] == ("deletes" if manifest["content"] else "data")
            assert header["format-version"] == "2"
            assert path_of(manifest["manifest_path"]).stat().st_size == manifest["manifest_length"]
            for status, name in ((1, "added"), (0, "existing"), (2, "deleted")):
                found = [entry["data_file"] for entry in entries if entry["status"] == status]
                assert manifest[f"{name}_files_count"] == len(found)
                assert manifest[f"{name}_rows_count"] == sum(file["record_count"] for file in found)
            for entry in entries:
                if entry["status"] != 2:
                    assert path_of(entry["data_file"]["file_path"]).stat().st_size == entry["data_file"]["file_size_in_bytes"]


def test_summaries_count_the_truth(changed):
    for snapshot in read_metadata(changed.lake.table("public", "t"))["snapshots"]:
        entries = list(live_entries(snapshot))
        data = [entry["data_file"] for manifest, entry in entries if manifest["content"] == 0]
        deletes = [entry["data_file"] for manifest, entry in entries if manifest["content"] == 1]
        added = {
            content: [e["data_file"] for m, e in entries if m["content"] == content and e["status"] == 1 and e["snapshot_id"] in (None, snapshot["snapshot-id"])]
            for content in (0, 1)
        }
        summary = snapshot["summary"]
        assert int(summary["total-data-files"]) == len(data)
        assert int(summary["total-delete-files"]) == len(deletes)
        assert int(summary["total-records"]) == sum(file["record_count"] for file in data)
        assert int(summary["total-position-deletes"]) == sum(file["record_count"] for file in deletes)
        assert int(summary["total-equality-deletes"]) == 0
        assert int(summary["total-files-size"]) == sum(file["file_size_in_bytes"] for file in data + deletes)
        assert int(summary.get("added-records", 0)) == sum(file["record_count"] for file in added[0])
        assert int(summary.get("added-data-files", 0)) == len(added[0])
        assert int(summary.get("added-delete-files", 0)) == len(added[1])
        assert summary["operation"] == ("append" if not added[1] and not deletes else summary["operation"])


def test_snapshots_say_how_far_the_source_is_committed(changed, admin):
    snapshots = read_metadata(changed.lake.table("public", "t"))["snapshots"]
    system_identifier = admin.execute("SELECT system_identifier FROM pg_control_system()").fetchone()[0]
    lsns = []
    for snapshot in snapshots:
        summary = snapshot["summary"]
        assert summary["firn.pipeline"] == changed.database
        assert summary["firn.system-identifier"] == str(system_identifier)
        assert summary["firn.timeline"] == "1"
        lsns.append(admin.execute("SELECT %s::pg_lsn - '0/0'::pg_lsn", [summary["firn.lsn"]]).fetchone()[0])
    assert lsns == sorted(lsns)
    commit_ids = [snapshot["summary"]["firn.commit-id"] for snapshot in snapshots]
    assert len(set(commit_ids)) == len(commit_ids)
    acknowledged = admin.execute(
        "SELECT confirmed_flush_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", [changed.database]
    ).fetchone()[0]
    assert acknowledged >= lsns[-1]


def test_no_file_is_left_that_no_snapshot_knows(changed):
    table = changed.lake.table("public", "t")
    metadata = read_metadata(table)
    known = {path_of(table.metadata_location)} | {path_of(entry["metadata-file"]) for entry in metadata["metadata-log"]}
    for snapshot in metadata["snapshots"]:
        known.add(path_of(snapshot["manifest-list"]))
        for manifest in read_avro(snapshot["manifest-list"])[1]:
            known.add(path_of(manifest["manifest_path"]))
            known |= {path_of(entry["data_file"]["file_path"]) for entry in read_avro(manifest["manifest_path"])[1]}
    found = {path for path in path_of(metadata["location"]).rglob("*") if path.is_file()}
    assert found == known
