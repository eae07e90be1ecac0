"""Partitioned tables: every transform on every type that allows it, rows that move, specs that change, pruning."""

import contextlib
import datetime
import random

import pytest
from harness.lake import ENGINES, connect_duckdb
from harness.waiting import wait_until
from pyiceberg.table import StaticTable

COLUMNS = """
    id int8 PRIMARY KEY, i int4, l int8, dec numeric(12, 2), d date, ts timestamp, tz timestamptz, tm time,
    s text, u uuid, b bytea, flag bool, f float8, r float4
"""
# Around 1970-01-01 and far from it, NULL in every column in turn, strings of one to four bytes a letter.
ROWS = """
    SELECT n, nullif(n % 7 - 3, 0) * 11, (n - 60) * 10000000019, (n - 60) * 1.37,
           date '1970-01-01' + (n - 60) * 17, timestamp '1970-01-01' + (n - 60) * interval '7 days 5 hours 0.000001 seconds',
           CASE WHEN n % 9 > 0 THEN timestamptz '1970-01-01 00:00:00+00' + (n - 60) * interval '31 hours' END,
           time '00:00' + n * interval '11 minutes 0.000001 seconds',
           CASE WHEN n % 10 > 0 THEN (ARRAY['', 'a', 'grün', '日本語', '🧊🧊🧊', 'a/b=c d%&', 'ümlaut', ' '])[n % 8 + 1]
                || repeat('x', n % 3) END,
           md5((n % 20)::text)::uuid, decode(md5((n % 20)::text), 'hex'),
           nullif(n % 3, 2) = 0, (n % 5)::float8 / 4, nullif(n % 4, 0)::float4 / 2
    FROM generate_series({first}, {last}) n
"""
LEGAL = {
    "bool": ["flag"],
    "float": ["f", "r"],
    "int": ["i", "bucket(4, i)", "truncate(10, i)"],
    "long": ["bucket(5, l)", "truncate(2000000000, l)", "bucket(3, id)"],
    "decimal": ["bucket(4, dec)", "truncate(5000, dec)"],
    "date": ["bucket(4, d)", "year(d)", "month(d)", "day(d)"],
    "timestamp": ["bucket(4, ts)", "year(ts)", "month(ts)", "day(ts)", "hour(ts)"],
    "timestamptz": ["bucket(4, tz)", "year(tz)", "month(tz)", "day(tz)", "hour(tz)", "tz"],
    "time": ["bucket(4, tm)", "tm"],
    "string": ["s", "bucket(4, s)", "truncate(2, s)"],
    "uuid": ["u", "bucket(4, u)"],
    "binary": ["bucket(4, b)", "truncate(1, b)", "b"],
}
SEVERAL = ["year(d)", "bucket(3, id)", "flag", "truncate(1, s)"]


def partitioned(pipeline, table, terms, **settings):
    pipeline.configure(tables={f"public.{table}": {"partition_by": terms}}, **settings)


def spec_of(pipeline, table):
    """The fields of the table's default spec, as in "ts_day=day"."""
    return [f"{field.name}={field.transform}" for field in pipeline.lake.table("public", table).spec().fields]


def files_of(pipeline, table):
    return pipeline.lake.table("public", table).inspect.files().to_pylist()


def engines_of(terms):
    # iceberg-rust's Avro reader doesn't know a uuid of fixed 16 bytes, as the spec has it in manifests.
    return tuple(engine for engine in ENGINES if engine != "iceberg-rust" or "u" not in terms)


def test_every_transform_on_every_legal_type(pipeline):
    every = [[term] for terms in LEGAL.values() for term in terms] + [SEVERAL]
    names = {f"t{n}": terms for n, terms in enumerate(every)}
    for name in names:
        pipeline.execute(f"CREATE TABLE {name} ({COLUMNS})")
        pipeline.execute(f"INSERT INTO {name} " + ROWS.format(first=1, last=80))
    pipeline.configure(tables={f"public.{name}": {"partition_by": terms} for name, terms in names.items()})
    pipeline.catch_up()
    for name, terms in names.items():
        pipeline.expect_equal(name, engines=engines_of(terms))
    for name in names:
        pipeline.execute(f"INSERT INTO {name} " + ROWS.format(first=81, last=120))
        # Rows move to the partitions of others, and into and out of that of NULL.
        pipeline.execute(
            f"""
            UPDATE {name} t SET (i, l, dec, d, ts, tz, tm, s, u, b, flag, f, r) =
                (SELECT i, l, dec, d, ts, tz, tm, s, u, b, flag, f, r FROM {name} o WHERE o.id = t.id + 23)
            WHERE id % 4 = 0;
            DELETE FROM {name} WHERE id % 6 = 1;
            """
        )
    pipeline.catch_up()
    for name, terms in names.items():
        pipeline.expect_equal(name, engines=engines_of(terms))
        assert len(pipeline.lake.table("public", name).spec().fields) == len(terms)


# What is asked of the rows of ROWS, in the words of PostgreSQL, PyIceberg and DuckDB alike.
FILTERS = {
    "i": ["i = 11", "i < 0", "i >= 11 AND i < 33", "i IS NULL"],
    "l": ["l = 10000000019", "l <= -10000000019"],
    "dec": ["dec = 13.70", "dec > 40.00", "dec < -50.00"],
    "d": ["d = '1970-01-01'", "d < '1969-12-31'", "d >= '1970-06-01'", "d <> '1970-01-01'"],
    "ts": ["ts < '1970-01-01T00:00:00'", "ts >= '1970-03-01T00:00:00'"],
    "s": ["s = 'grün'", "s = 'a/b=c d%&xx'", "s > 'b'", "s IS NULL", "s IS NOT NULL"],
    "flag": ["flag = true", "flag IS NULL"],
    "id": ["id = 7", "id > 50 AND id < 60"],
}
PRUNED = [
    ("id", "bucket(3, id)"),
    *[("i", term) for term in LEGAL["int"]],
    *[("l", term) for term in LEGAL["long"][:2]],
    *[("dec", term) for term in LEGAL["decimal"]],
    *[("d", term) for term in LEGAL["date"]],
    *[("ts", term) for term in LEGAL["timestamp"]],
    *[("s", term) for term in LEGAL["string"]],
    ("flag", "flag"),
]


def test_filters_give_the_rows_that_they_should(pipeline):
    tables = {f"t{n}": pair for n, pair in enumerate(PRUNED)}
    for name in tables:
        pipeline.execute(f"CREATE TABLE {name} ({COLUMNS})")
        pipeline.execute(f"INSERT INTO {name} " + ROWS.format(first=1, last=120))
    pipeline.configure(tables={f"public.{name}": {"partition_by": [term]} for name, (_, term) in tables.items()})
    pipeline.catch_up()
    pipeline.execute("; ".join(f"UPDATE {name} SET f = 9 WHERE id % 10 = 0; DELETE FROM {name} WHERE id % 10 = 3" for name in tables))
    pipeline.catch_up()
    pruned = 0
    for name, (column, term) in tables.items():
        location = pipeline.lake.table("public", name).metadata_location
        path = location.removeprefix("file://")
        table = StaticTable.from_metadata(location)
        all_files = len(list(table.scan().plan_files()))
        for condition in FILTERS[column]:
            expected = sorted(row[0] for row in pipeline.execute(f"SELECT id FROM {name} WHERE {condition}").fetchall())
            scan = table.scan(row_filter=condition)
            assert sorted(scan.to_arrow().column("id").to_pylist()) == expected, f"{term}: {condition} by PyIceberg"
            rows = duckdb_query(f"SELECT id FROM iceberg_scan('{path}') WHERE {condition} ORDER BY id")
            assert [row[0] for row in rows] == expected, f"{term}: {condition} by DuckDB"
            pruned += len(list(scan.plan_files())) < all_files
    assert pruned > len(tables)  # Most conditions leave files out.


def test_filters_by_uuids_find_their_rows(pipeline):
    """Bounds of manifests hold for those who order uuids by their bytes as for Java, to which they are signed numbers."""
    uuids = [f"{first}0eebc99-9c0b-4ef8-{ninth}b6d-6bb9bd380a11" for first in "07f8" for ninth in "07f8"]
    pipeline.configure(tables={"public.t": {"partition_by": ["u"]}})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, u uuid)")
    for n, value in enumerate([*uuids, None]):
        pipeline.execute("INSERT INTO t VALUES (%s, %s), (%s, %s)", [n, value, n + 100, value])
    pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE id >= 100")
    pipeline.catch_up()
    path = pipeline.lake.metadata_location("public", "t").removeprefix("file://")
    for value in uuids:
        for operator in ("=", "<>", "<", "<=", ">", ">="):
            condition = f"u {operator} '{value}'"
            expected = pipeline.execute(f"SELECT id FROM t WHERE {condition} ORDER BY id").fetchall()
            assert duckdb_query(f"SELECT id FROM iceberg_scan('{path}') WHERE {condition} ORDER BY id") == expected, condition
    assert len(pipeline.lake.table("public", "t").current_snapshot().manifests(pipeline.lake.table("public", "t").io)) <= 10
    pipeline.expect_equal("t", engines=engines_of(["u"]))


def duckdb_query(query):
    with contextlib.closing(connect_duckdb()) as connection:
        return connection.execute(query).fetchall()


def test_files_lie_in_folders_of_their_partition(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, created_at timestamptz, region text);
        INSERT INTO t VALUES (1, '2024-01-30 22:00+00', 'eu west/1'), (2, '1969-12-31 23:59+00', NULL);
        """
    )
    partitioned(pipeline, "t", ["day(created_at)", "bucket(4, id)", "region"])
    pipeline.catch_up()
    assert spec_of(pipeline, "t") == ["created_at_day=day", "id_bucket=bucket[4]", "region=identity"]
    folders = sorted(file["file_path"].split("/data/")[1].rsplit("/", 1)[0] for file in files_of(pipeline, "t"))
    assert folders == [
        "created_at_day=1969-12-31/id_bucket=0/region=null",
        "created_at_day=2024-01-30/id_bucket=0/region=eu+west%2F1",
    ]
    partitions = [file["partition"] for file in sorted(files_of(pipeline, "t"), key=lambda file: file["file_path"])]
    assert partitions[0] == {"created_at_day": datetime.date(1969, 12, 31), "id_bucket": 0, "region": None}
    pipeline.expect_equal("t")


def test_rows_move_between_partitions(pipeline):
    """With unchanged TOAST values, which are read from the file of the row's old partition."""
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, region text, note text);
        ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
        INSERT INTO t SELECT n, 'r' || n % 5, repeat('note ' || n, 1000) FROM generate_series(1, 50) n;
        """
    )
    partitioned(pipeline, "t", ["region"])
    pipeline.catch_up()
    moves = [
        "UPDATE t SET region = 'r9' WHERE id <= 10",
        "UPDATE t SET region = NULL WHERE id BETWEEN 5 AND 15",
        "UPDATE t SET region = 'back' WHERE region IS NULL; UPDATE t SET region = 'r1' WHERE id = 7",
        "BEGIN; UPDATE t SET region = 'a'; UPDATE t SET region = 'b' WHERE id % 2 = 0; UPDATE t SET id = -id; COMMIT",
        "DELETE FROM t WHERE region = 'b'; INSERT INTO t VALUES (-2, 'c', 'new')",
        "TRUNCATE t; INSERT INTO t SELECT n, 'r' || n % 3, 'after' FROM generate_series(1, 9) n",
    ]
    for move in moves:
        pipeline.execute(move)
        pipeline.catch_up()
        pipeline.expect_equal("t")
    assert {file["partition"]["region"] for file in files_of(pipeline, "t")} == {"r0", "r1", "r2"}


def test_all_moves_in_one_commit(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, region text, note text);
        ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
        INSERT INTO t SELECT n, 'r' || n % 5, repeat('note ' || n, 1000) FROM generate_series(1, 50) n;
        """
    )
    partitioned(pipeline, "t", ["region", "bucket(2, id)"], writer={"commit_interval_ms": 60_000})
    pipeline.catch_up()
    for n in range(30):
        pipeline.execute("UPDATE t SET region = 'r' || (id + %s) %% 7 WHERE id %% 5 = %s", [n, n % 5])
        pipeline.execute("DELETE FROM t WHERE id = %s", [n])
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_table_without_a_key(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (day date, v int);
        ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT date '2024-01-01' + n % 3, n % 4 FROM generate_series(1, 60) n;
        """
    )
    partitioned(pipeline, "t", ["day(day)"])
    pipeline.catch_up()
    pipeline.execute("UPDATE t SET day = '2024-02-02' WHERE v = 1; DELETE FROM t WHERE v = 2; INSERT INTO t VALUES (NULL, NULL)")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_thousand_partitions_in_one_transaction(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, part int, v text)")
    partitioned(pipeline, "t", ["part"], writer={"max_open_files": 4, "memory_limit_bytes": 16 << 20})
    pipeline.catch_up()
    pipeline.execute("INSERT INTO t SELECT n, n % 1000, repeat('v', 100) FROM generate_series(1, 30000) n")
    pipeline.execute("UPDATE t SET part = (part + 1) % 1000 WHERE id % 3 = 0")
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=("pyiceberg", "java"))
    assert len({file["partition"]["part"] for file in files_of(pipeline, "t")}) == 1000


def test_a_copy_into_a_thousand_partitions(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, part int, v text)")
    pipeline.execute("INSERT INTO t SELECT n, n % 1000, repeat('v', 100) FROM generate_series(1, 100000) n")
    partitioned(pipeline, "t", ["part"], writer={"max_open_files": 4, "memory_limit_bytes": 16 << 20})
    pipeline.catch_up()
    pipeline.expect_equal("t", engines=("pyiceberg", "java"))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_under_load(pipeline, seed):
    moments = random.Random(seed)
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, at timestamp, region text, n int);
        INSERT INTO t SELECT n, timestamp '1970-01-01' + (n - 500) * interval '5 hours', 'r' || n % 4, 0
        FROM generate_series(1, 1000) n;
        """
    )
    partitioned(pipeline, "t", ["month(at)", "region"], writer={"commit_interval_ms": 100, "max_open_files": 3})
    for _ in range(6):
        pipeline.firn.start()
        for step in range(moments.randrange(1, 20)):
            where = moments.randrange(1000)
            pipeline.execute("UPDATE t SET at = at + interval '9 days', n = n + 1 WHERE id BETWEEN %s AND %s", [where, where + 60])
            pipeline.execute("UPDATE t SET region = 'r' || %s WHERE id %% 50 = %s", [step % 5, step])
            pipeline.execute("DELETE FROM t WHERE id = %s", [where])
        if pipeline.firn.ended_within(moments.uniform(0.1, 1.5)):
            pipeline.firn.expect_running()
        pipeline.firn.kill()
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_changed_partition_by_holds_for_new_files(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, at timestamp, region text);
        INSERT INTO t SELECT n, timestamp '1969-12-20' + n * interval '13 hours', 'r' || n % 3 FROM generate_series(1, 60) n;
        """
    )
    history = []
    for terms, spec in [
        (None, []),
        (["day(at)"], ["at_day=day"]),
        (["hour(at)", "bucket(4, id)"], ["at_hour=hour", "id_bucket_4=bucket[4]"]),
        (["bucket(4, id)", "region"], ["id_bucket_4=bucket[4]", "region=identity"]),
        ([], []),
        (["day(at)"], ["at_day=day"]),
        (None, ["at_day=day"]),  # Without the key it stays as it is.
    ]:
        pipeline.configure(**({} if terms is None else {"tables": {"public.t": {"partition_by": terms}}}))
        pipeline.catch_up()
        assert spec_of(pipeline, "t") == spec
        pipeline.expect_equal("t")
        step = len(history)
        pipeline.execute("UPDATE t SET region = 's' || id %% 2, at = at + interval '1 day' WHERE id %% 6 = %s", [step % 6])
        pipeline.execute("INSERT INTO t VALUES (%s, '1970-01-01', NULL)", [1000 + step])
        pipeline.execute("DELETE FROM t WHERE id = %s", [step * 7 + 2])
        pipeline.catch_up()
        pipeline.expect_equal("t")
        history.append(pipeline.lake.table("public", "t").metadata.default_spec_id)
    assert history == [0, 1, 2, 3, 0, 1, 1]
    ids = {}
    for spec in pipeline.lake.table("public", "t").specs().values():
        for field in spec.fields:
            assert ids.setdefault((field.source_id, str(field.transform)), field.field_id) == field.field_id
    assert sorted(ids.values()) == [1000, 1001, 1002, 1003]


def test_says_what_is_wrong_before_anything_is_made(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, d date, flag bool)")
    for term, message in [
        ("hour(d)", 'partition_by \'hour(d)\': column "d" is stored as date, which allows identity, bucket, year, month, day'),
        ("bucket(4, flag)", 'column "flag" is stored as boolean, which allows identity'),
        ("day(gone)", 'partition_by \'day(gone)\': the table has no column "gone"'),
        ("days(d)", "tables.public.t.partition_by: 'days(d)': there is no transform 'days'"),
    ]:
        partitioned(pipeline, "t", [term])
        for command in (["run", "--until-caught-up"], ["check"]):
            done = pipeline.firn.command(*command)
            assert done.returncode != 0
            assert message in done.stdout + done.stderr
    assert pipeline.lake.warehouse.exists() is False or pipeline.lake.tables() == set()


def test_partitions_while_firn_runs(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT now(), v int)")
    partitioned(pipeline, "t", ["hour(at)", "bucket(8, id)"], writer={"commit_interval_ms": 100})
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    for n in range(20):
        pipeline.execute("INSERT INTO t SELECT m, now() + m * interval '1 hour', m FROM generate_series(%s::int, %s::int) m", [n * 10, n * 10 + 9])
        pipeline.execute("UPDATE t SET v = v + 1, at = at - interval '1 day' WHERE id %% 7 = %s", [n % 7])
    wait_until(lambda: len(pipeline.rows("t")) == 200, "all rows are there", 60)
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")


COUNTRIES = """
    CREATE TABLE t (id int PRIMARY KEY, country text, at timestamptz, amount numeric(10, 2));
    INSERT INTO t SELECT n, (ARRAY['de-DE', 'fr-FR', NULL, 'ja-日本'])[n % 4 + 1], timestamptz '1969-12-30 00:00+00'
        + n * interval '7 hours', n * 1.25 FROM generate_series(1, 40) n;
"""
COMPUTED = {
    "region": "upper(substr(country, 1, 2))",
    "place": "coalesce(split_part(country, '-', 2), 'nowhere')",
    "y": "year(at)",
    "label": "concat(cast(id as string), ':', country)",
    "part": "bucket(4, id)",
}
COMPUTED_SQL = """
    SELECT id, upper(substr(country, 1, 2)), coalesce(split_part(country, '-', 2), 'nowhere'),
           extract(year FROM at AT TIME ZONE 'UTC')::int, concat(id::text, ':', country) FROM t
"""


def expect_computed(pipeline):
    pipeline.expect_equal("t", extra_columns=tuple(COMPUTED))
    expected = sorted(pipeline.execute(COMPUTED_SQL).fetchall())
    for engine in ("pyiceberg", "java"):
        rows = pipeline.rows("t", engine)
        assert sorted((r["id"], r["region"], r["place"], r["y"], r["label"]) for r in rows) == expected


def test_computed_columns(pipeline):
    pipeline.execute(COUNTRIES)
    pipeline.configure(tables={"public.t": {"computed": COMPUTED, "partition_by": ["region", "part"]}})
    pipeline.catch_up()
    expect_computed(pipeline)
    pipeline.execute("UPDATE t SET country = 'it-IT' WHERE id % 3 = 0; DELETE FROM t WHERE id % 5 = 0")
    pipeline.execute("INSERT INTO t VALUES (100, 'es-ES', '1960-02-29', 1), (101, NULL, '2024-02-29', 2)")
    pipeline.catch_up()
    expect_computed(pipeline)
    assert spec_of(pipeline, "t") == ["region=identity", "part=identity"]
    assert {file["partition"]["region"] for file in files_of(pipeline, "t")} >= {"DE", "IT", "ES", None}


def test_says_what_is_wrong_with_an_expression(pipeline):
    pipeline.execute(COUNTRIES)
    for expression, message in [
        ("uper(country)", "at 1: there is no function 'uper'"),
        ("upper(land)", 'at 7: the table has no column "land"'),
        ("lower(amount)", "at 7: lower: takes a string here, not a decimal(10,2)"),
        ("upper(country", "at 14: a comma or a closing parenthesis is missing"),
    ]:
        pipeline.configure(tables={"public.t": {"computed": {"region": expression}}})
        done = pipeline.firn.command("check")
        assert done.returncode != 0
        assert message in done.stdout + done.stderr, done.stdout + done.stderr


MEASURES = """
    CREATE TABLE measures (day date, id int, v text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
    CREATE TABLE measures_2023 PARTITION OF measures FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
    CREATE TABLE measures_2024 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    INSERT INTO measures SELECT '2023-12-01'::date + n, n, 'v' FROM generate_series(1, 60) n;
"""


def test_a_partitioned_source_table_as_its_leaves(pipeline):
    pipeline.execute(MEASURES)
    pipeline.configure(
        source={"url": pipeline.url, "partitioned_tables": "leaves"},
        tables={"public.measures_2024": {"partition_by": ["month(day)"]}},
    )
    pipeline.catch_up()
    assert pipeline.lake.tables() == {("public", "measures_2023"), ("public", "measures_2024")}
    pipeline.expect_equal("measures_2023", "measures_2024")
    pipeline.execute("UPDATE measures SET day = day + 31 WHERE id = 1; DELETE FROM measures WHERE id % 5 = 0")
    pipeline.execute("INSERT INTO measures VALUES ('2023-05-05', 1000, 'new'), ('2024-05-05', 1001, 'new')")
    pipeline.catch_up()
    pipeline.expect_equal("measures_2023", "measures_2024")


@pytest.mark.parametrize("wanted", ["root", "leaves"])
def test_a_publication_that_sends_partitioned_tables_otherwise(pipeline, wanted):
    pipeline.execute(MEASURES)
    slot = pipeline.firn.config.read_text().split('"slot": "')[1].split('"')[0]
    pipeline.execute(f"CREATE PUBLICATION {slot} FOR TABLE measures WITH (publish_via_partition_root = {wanted == 'leaves'})")
    pipeline.configure(source={"url": pipeline.url, "partitioned_tables": wanted, "tables": ["public.measures*"]})
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode != 0
    assert f"publish_via_partition_root = {str(wanted == 'root').lower()})" in done.stderr


def test_children_by_inheritance_are_tables_of_their_own(pipeline):
    pipeline.execute(
        """
        CREATE TABLE parent (id int PRIMARY KEY, v text);
        CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
        INSERT INTO parent VALUES (1, 'parent');
        INSERT INTO child VALUES (2, 'child', 7);
        """
    )
    pipeline.catch_up()
    pipeline.execute("UPDATE parent SET v = v || '!'; INSERT INTO child VALUES (3, 'more', 8)")
    pipeline.catch_up()
    assert [row["id"] for row in pipeline.rows("parent")] == [1]
    pipeline.expect_equal("child")
