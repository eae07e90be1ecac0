"""Tables with `sort_by`: the Iceberg table's order, rows that compaction sorts by it while they change, files of ranges."""

import pyarrow.parquet
import pytest
from harness.waiting import wait_until
from test_partitions import COLUMNS, ROWS

FORMS = {"position": {"format_version": 2}, "vector": {"format_version": 3, "deletes": "vector"}}
ORDER = ["region desc nulls last", "v"]


def sorted_by(pipeline, terms, table="t", **settings):
    pipeline.configure(tables={f"public.{table}": {"sort_by": terms}}, **settings)


def order_of(pipeline, table="t"):
    """The table's default order as PyIceberg reads it, as in "region desc nulls-last"."""
    metadata = pipeline.lake.table("public", table)
    order = metadata.sort_order()
    names = {field.field_id: field.name for field in metadata.schema().fields}
    return [
        f"{names[field.source_id] if str(field.transform) == 'identity' else f'{field.transform}({names[field.source_id]})'}"
        f" {field.direction.value} {field.null_order.value}"
        for field in order.fields
    ]


def data_files(pipeline, table="t"):
    return [task.file for task in pipeline.lake.table("public", table).scan().plan_files()]


def rows_in(file, columns):
    """In the order of the file, those that are deleted too."""
    table = pyarrow.parquet.ParquetFile(file.file_path.removeprefix("file://")).read(columns=columns)
    return [tuple(row[column] for column in columns) for row in table.to_pylist()]


def key_of(row):
    """What ORDER sorts by, of (region, v)."""
    region, v = row
    return (region is None, tuple(-byte for byte in (region or "").encode()) + (1,), v is not None, v)


def expect_in_order(pipeline, table="t"):
    """The files that say so; their first and last rows."""
    order = pipeline.lake.table("public", table).sort_order().order_id
    assert order > 0
    ranges = {}
    for file in data_files(pipeline, table):
        if file.sort_order_id != order:
            assert file.sort_order_id == 0
            continue
        keys = [key_of(row) for row in rows_in(file, ["region", "v"])]
        assert keys == sorted(keys)
        ranges.setdefault(str(file.partition), []).append((keys[0], keys[-1]))
    return ranges


def fill(pipeline, rounds=6, rows=200, pad=0):
    """Regions of several bytes a letter, and none."""
    for number in range(rounds):
        first = number * rows + 1
        pipeline.execute(
            f"""INSERT INTO t SELECT n, (ARRAY['eu', 'us', NULL, 'österreich', 'eu-west', '🧊'])[n % 6 + 1], nullif(n * 7919 % 100003, 0),
                (SELECT string_agg(md5((n * 100 + m)::text), '') FROM generate_series(1, {pad}) m)
                FROM generate_series({first}, {first + rows - 1}) n"""
        )
        pipeline.execute(f"UPDATE t SET v = v + 1 WHERE id % 7 = {number % 7}; DELETE FROM t WHERE id % 31 = {number}")
        pipeline.catch_up()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("partition_by", [[], ["bucket(2, id)"]], ids=["unpartitioned", "partitioned"])
def test_compaction_sorts(pipeline, form, partition_by):
    table = {"sort_by": ORDER} | ({"partition_by": partition_by} if partition_by else {})
    pipeline.configure(destination=FORMS[form], tables={"public.t": table})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, region text, v int, pad text)")
    fill(pipeline)
    assert order_of(pipeline) == ["region desc nulls-last", "v asc nulls-first"]
    assert {file.sort_order_id for file in data_files(pipeline)} == {0}
    done = pipeline.firn.command("maintain", "compact", check=True)
    assert "region desc, v" in done.stdout
    ranges = expect_in_order(pipeline)
    assert {len(of_files) for of_files in ranges.values()} == {1} and len(ranges) == (2 if partition_by else 1)
    pipeline.expect_equal("t")
    snapshot = pipeline.lake.table("public", "t").current_snapshot().snapshot_id
    pipeline.firn.command("maintain", "compact", check=True)
    assert pipeline.lake.table("public", "t").current_snapshot().snapshot_id == snapshot, "nothing is left to be done"

    # firn finds the rows in their new places.
    pipeline.execute("UPDATE t SET v = -v WHERE id % 5 = 0; DELETE FROM t WHERE id % 11 = 0; INSERT INTO t VALUES (5000, 'new', 1, '')")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_each_file_has_a_range(pipeline):
    """More than fits into the memory for sorting, and into a file."""
    sorted_by(pipeline, ORDER, writer={"target_file_size_bytes": 2 << 20, "memory_limit_bytes": 2 << 20})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, region text, v int, pad text)")
    fill(pipeline, rows=2000, pad=30)
    before = len(data_files(pipeline))
    pipeline.firn.command("maintain", "compact", check=True)
    (of_files,) = expect_in_order(pipeline).values()
    assert 2 < len(of_files) == len(data_files(pipeline)) <= before, (before, len(of_files))
    of_files.sort()
    for (_, last), (first, _) in zip(of_files, of_files[1:], strict=False):
        assert last < first
    # What readers prune by.
    table = pipeline.lake.table("public", "t")
    region = table.schema().find_field("region").field_id
    bounds = sorted((file.lower_bounds[region], file.upper_bounds[region]) for file in data_files(pipeline) if region in file.lower_bounds)
    for (_, upper), (lower, _) in zip(bounds, bounds[1:], strict=False):
        assert upper <= lower
    (temporary,) = (pipeline.firn.directory / "state").rglob("tmp")
    assert list(temporary.iterdir()) == []
    pipeline.expect_equal("t")


def test_types_are_sorted_as_postgresql_does(pipeline):
    columns = ["i", "l", "dec", "d", "ts", "tz", "tm", "s", "u", "b", "flag", "f", "r"]
    pipeline.configure(
        tables={
            f"public.by_{column}": {"sort_by": [f"{column} {direction}", "id"]}
            for column, direction in zip(columns, ["", "desc", "nulls last", "desc nulls first"] * 4, strict=False)
        }
    )
    for column in columns:
        pipeline.execute(f"CREATE TABLE by_{column} ({COLUMNS})")
    for first in (1, 41, 81):
        for column in columns:
            pipeline.execute(f"INSERT INTO by_{column} {ROWS.format(first=first, last=first + 39)}")
        for column in ("f", "r"):
            pipeline.execute(f"UPDATE by_{column} SET {column} = (ARRAY['NaN', 'Infinity', '-Infinity', '-1.5'])[id % 4 + 1]::float8 WHERE id % 3 = 0 AND id >= {first}")
        pipeline.catch_up()
    pipeline.firn.command("maintain", "compact", check=True)
    directions = ["ASC NULLS FIRST", "DESC NULLS LAST", "ASC NULLS LAST", "DESC NULLS FIRST"] * 4
    for column, direction in zip(columns, directions, strict=False):
        (file,) = data_files(pipeline, f"by_{column}")
        assert file.sort_order_id == 1
        collated = f'{column} COLLATE "C"' if column == "s" else column
        expected = [row[0] for row in pipeline.connection.execute(f"SELECT id FROM by_{column} ORDER BY {collated} {direction}, id")]
        assert [row[0] for row in rows_in(file, ["id"])] == expected, column
    pipeline.expect_equal(*(f"by_{column}" for column in columns if column != "u"))
    pipeline.expect_equal("by_u")


def test_the_order_follows_configuration_and_columns(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, region text, v int, pad text)")
    history = []
    for terms, order in [
        (None, []),
        (["region desc"], ["region desc nulls-last"]),
        (["bucket(4, id)", "region nulls last"], ["bucket[4](id) asc nulls-first", "region asc nulls-last"]),
        ([], []),
        (["region desc nulls last"], ["region desc nulls-last"]),
        (None, ["region desc nulls-last"]),  # Without the key it stays as it is.
    ]:
        pipeline.configure(**({} if terms is None else {"tables": {"public.t": {"sort_by": terms}}}))
        pipeline.catch_up()
        assert order_of(pipeline) == order
        history.append(pipeline.lake.table("public", "t").metadata.default_sort_order_id)
        pipeline.execute(f"INSERT INTO t VALUES ({len(history)}, 'r', 0, '')")
    assert history == [0, 1, 2, 0, 1, 1]

    sorted_by(pipeline, ["region desc", "v"])
    pipeline.catch_up()
    pipeline.execute("ALTER TABLE t RENAME region TO area; INSERT INTO t VALUES (100, 'a', 0, '')")
    pipeline.catch_up()
    assert order_of(pipeline) == ["area desc nulls-last", "v asc nulls-first"]
    pipeline.execute("ALTER TABLE t DROP area; INSERT INTO t VALUES (101, 1, '')")
    followed = pipeline.catch_up()
    assert order_of(pipeline) == ["v asc nulls-first"]
    assert 'sort_by names column "region", which is gone' in followed.stderr
    pipeline.firn.command("maintain", "compact", check=True)
    assert {file.sort_order_id for file in data_files(pipeline)} == {pipeline.lake.table("public", "t").sort_order().order_id}
    pipeline.expect_equal("t", extra_columns=["area"])
    # The last column, of an order that nothing is said of any more.
    pipeline.configure()
    pipeline.execute("ALTER TABLE t DROP v; INSERT INTO t VALUES (102, '')")
    pipeline.catch_up()
    assert order_of(pipeline) == []
    pipeline.expect_equal("t", extra_columns=["area", "v"])


def test_says_what_is_wrong_before_anything_is_made(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, d date, tags text[])")
    for terms, message in [
        (["gone"], 'sort_by \'gone\': the table has no column "gone"'),
        (["tags"], 'column "tags" is stored as list<string>, which has no order and no partitions'),
        (["d last"], "tables.public.t.sort_by: 'd last': write `nulls first` or `nulls last`"),
        (["d", "d desc"], "sort_by 'd' stands there twice"),
    ]:
        sorted_by(pipeline, terms)
        for command in (["run", "--until-caught-up"], ["check"]):
            done = pipeline.firn.command(*command)
            assert done.returncode != 0
            assert message in done.stdout + done.stderr
    pipeline.configure(tables={"public.t": {"sort_by": ["d"], "cdc_mode": "append"}})
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode != 0 and "changes of one transaction are told apart by the order of their rows" in done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_history_is_sorted_too(pipeline, form):
    sorted_by(pipeline, ["v desc", "id"], destination=FORMS[form], cdc={"mode": "history"}, writer={"commit_interval_ms": 100}, maintenance={"interval": "0s"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    pipeline.execute("INSERT INTO t SELECT n, n % 10 FROM generate_series(1, 100) n")
    pipeline.firn.start()
    for number in range(40):
        pipeline.execute(f"UPDATE t SET v = v + 7 WHERE id % 9 = {number % 9}; DELETE FROM t WHERE id = {number + 1}; INSERT INTO t VALUES ({1000 + number}, 3)")
        position = pipeline.current_lsn()
        wait_until(lambda position=position: pipeline.has_acknowledged(position), "it is committed")
    wait_until(lambda: "sorted_by=\"v desc, id\"" in pipeline.firn.log_text(), "files are compacted")
    pipeline.firn.stop()
    rows = pipeline.lake.table("public", "t").scan(row_filter="_firn_current = true").to_arrow().to_pylist()
    assert sorted((row["id"], row["v"]) for row in rows) == pipeline.execute("SELECT id, v FROM t ORDER BY id").fetchall()
    versions = pipeline.lake.table("public", "t").scan().to_arrow().to_pylist()
    # 100 copied, 40 inserted, and one for each update of a row that was there.
    assert len(versions) > 140 + 300
    assert sum(row["_firn_current"] is False for row in versions) == len(versions) - len(rows)
