"""`firn run --copy-engine spark`: an existing Spark copies large tables by JDBC, while their rows change."""

import sys
import threading

import psycopg
import pytest
from harness.engines import ENGINES
from harness.lake import REPOSITORY
from harness.spark_submit import ENVIRONMENT, SECRET, TIMEOUT_S, spark_section
from harness.waiting import wait_until
from test_metadata import read_metadata

sys.path.append(str(REPOSITORY))

from bench import contents, source  # noqa: E402

# Larger are all but the table `small`.
SMALL_RANGES = {"copy_range_bytes": 65_536}
PASSWORD = "p@ss: word"
ROWS = 3_000
MANY_ROWS = 5_000_000


def copy_with_spark(pipeline, *arguments, environment=None):
    done = pipeline.firn.command(
        "run", "--until-caught-up", "--copy-engine", "spark", *arguments, timeout_s=TIMEOUT_S, environment=ENVIRONMENT | (environment or {})
    )
    assert SECRET not in done.stdout + done.stderr and PASSWORD not in done.stdout + done.stderr
    return done


def expect_no_branch_is_left(pipeline, table):
    """One snapshot, of main, and none of the copy's own files."""
    metadata = read_metadata(pipeline.lake.table("public", table))
    assert set(metadata["refs"]) == {"main"}, metadata["refs"]
    assert "firn.lsn" in metadata["snapshots"][0]["summary"]


# Spark gives Python no dates far away.
NOT_SPARK = tuple(engine for engine in ENGINES if engine != "spark")

# A row of each kind of value that Spark carries; the other rows are made of numbers.
KINDS = """
    n int2, i int4, l int8, o oid, b bool, f float4, d float8, p numeric(38,10), small numeric(9,2), c numeric(12,2), free numeric,
    t text, v varchar(20), fixed char(5), e citext, raw bytea, u uuid, day date, ts timestamp, tz timestamptz, iv interval, j json,
    jb jsonb, m mood, at inet, r int4range, bits varbit, pt point3, h money
"""
EXTREMES = """
    (-1, -32768, -2147483648, -9223372036854775808, 4294967295, false, '-0', '-0', -9999999999999999999999999999.9999999999, -0.01,
     -9999999999.99, 'NaN', E'ünï 漢字 🐘\\n\\t\\\\', repeat('é', 20), 'ab', 'MiXed', '\\x00ff10', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
     '4714-11-24 BC', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '-1 month 3 days 00:00:00.000001', '{"a": 1,  "a": 2}',
     '{"b": [1, null, 1.50], "a": "é"}', 'sad', '::1/64', 'empty', B'10101', '(1,,NaN)', '-92233720368547758.08'),
    (-2, 32767, 2147483647, 9223372036854775807, 0, true, '-Infinity', 'NaN', 9999999999999999999999999999.9999999999, 9999999.99,
     9999999999.99, 'Infinity', '', '', '', '', '', '00000000-0000-0000-0000-000000000000',
     '5874897-12-31', '294247-01-10 04:00:54.775806', '294247-01-10 04:00:54.775806+00', '178000000 years', 'null', '"é"', 'happy',
     '10.1.2.3/24', '[1,10)', B'', '(,,)', '0.01'),
    (-3, 1, 1, 1, 1, NULL, 1e-45, 5e-324, 0, 0, 0, -0.00000000000000000001, 'long' || repeat('x', 50000), NULL, 'ééééé', 'a', decode(repeat('ab', 30000), 'hex'),
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1582-10-10', '1582-10-10 23:59:59.999999', '0001-01-01 00:00:00.000001+00', '0', '[1, 2.50]',
     'null', 'ok', '10.0.0.0/8', '(,)', NULL, NULL, NULL),
    (-4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL),
    (-5, 3, 3, 3, 3, true, 1.1, 0.1, 1.5, 1, 1, 1e50, 't', 'v', 'f', 'c', '\\x01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1969-12-31',
     '1969-12-31 23:59:59.999999', '1883-11-18 12:00:00-05', '1 year 2 days 03:04:05.000006', '{}', '[]', 'ok', '::', '[5,6)', B'1', '(1,two,3.5)', '1')
"""


@pytest.mark.parametrize("version", [2, 3])
def test_spark_copies_while_rows_change(make_pipeline, version):
    pipeline = make_pipeline(f"spark_copy_v{version}")
    pipeline.configure(
        source=SMALL_RANGES,
        destination={"format_version": version},
        maintenance={"compact": "off"},
        spark=spark_section(),
        log={"level": "debug"},
        tables={
            "public.parted": {"partition_by": ["bucket(3, id)", "month(at)"]},
            "public.historic": {"cdc_mode": "history"},
        },
    )
    pipeline.execute("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TYPE point3 AS (x int, y text, z float8)")
    pipeline.execute(f"CREATE TABLE kinds (id int8 PRIMARY KEY, {KINDS}); INSERT INTO kinds VALUES {EXTREMES}")
    pipeline.execute(
        "INSERT INTO kinds (id, t, day, ts, u) SELECT n, repeat(md5(n::text), 4), '2024-01-01'::date + n, now(), gen_random_uuid()"
        f" FROM generate_series(1, {ROWS}) n"
    )
    pipeline.execute("CREATE TABLE parted (id int, name text, n int, at timestamptz, PRIMARY KEY (name, id))")
    pipeline.execute(
        f"INSERT INTO parted SELECT i, 'row ' || i % 7, i, '2024-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, {ROWS}) i"
    )
    # What Spark does not take: values that it has no type for, no key, another mode, and what is small.
    pipeline.execute(
        "CREATE TABLE clocks (id int PRIMARY KEY, at time, tags text[]); CREATE TABLE keyless (n int, t text);"
        "ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE TABLE historic (id int PRIMARY KEY, n int, t text);"
        "CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 9);"
        f"INSERT INTO clocks SELECT i, '12:00', '{{a,b}}' FROM generate_series(1, {ROWS}) i;"
        f"INSERT INTO keyless SELECT i, repeat('x', 50) FROM generate_series(1, {ROWS}) i;"
        f"INSERT INTO historic SELECT i, i, repeat('x', 50) FROM generate_series(1, {ROWS}) i"
    )

    done = threading.Event()
    rounds = []

    def load():
        with psycopg.connect(pipeline.url, autocommit=True) as connection:
            while not done.wait(0.02):
                n = len(rounds)
                with connection.transaction():
                    connection.execute(f"INSERT INTO kinds (id, t, ts) VALUES ({100_000 + n}, 'poured', clock_timestamp())")
                    connection.execute(f"UPDATE kinds SET t = t || '!', l = {n} WHERE id % 200 = {n % 200}")
                    connection.execute(f"UPDATE kinds SET id = id + 1000000 WHERE id = {n % ROWS}")
                    connection.execute(f"DELETE FROM kinds WHERE id = {ROWS - n % ROWS}")
                    connection.execute(f"INSERT INTO parted VALUES ({100_000 + n}, 'poured', 0, now())")
                    connection.execute(f"UPDATE parted SET at = at + interval '40 days', n = -n WHERE id % 300 = {n % 300}")
                    connection.execute(f"UPDATE parted SET name = 'moved', id = id + 1000000 WHERE id = {n % ROWS}")
                    connection.execute(f"DELETE FROM parted WHERE id = {ROWS - n % ROWS}")
                rounds.append(n)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_until(lambda: len(rounds) > 5, "changes pour in")
        copied = copy_with_spark(pipeline)
    finally:
        done.set()
        thread.join()
    assert copied.returncode == 0, copied.stderr[-6000:]
    for table in ("kinds", "parted"):
        assert any("Spark copies a table" in line and f"table=public.{table} " in line for line in copied.stderr.splitlines())
        expect_no_branch_is_left(pipeline, table)
    assert "a copy goes on where it was" in copied.stderr
    for table, reason in {"clocks": "its column at", "keyless": "no key", "historic": "not mirror", "small": "copy_range_bytes"}.items():
        (line,) = [line for line in copied.stderr.splitlines() if "itself and not by Spark" in line and f"table=public.{table} " in line]
        assert reason in line
    assert len(rounds) > 20
    pipeline.catch_up()
    pipeline.expect_equal("parted", engines=ENGINES)
    pipeline.expect_equal("kinds", engines=NOT_SPARK)
    pipeline.expect_equal("clocks", "keyless", "small", engines=("java", "firn"))
    # Changes of rows that Spark wrote, which firn's index has to find.
    pipeline.execute(
        "UPDATE parted SET n = n + 1 WHERE id % 3 = 0; DELETE FROM kinds WHERE id % 5 = 0 AND id > 0;"
        "UPDATE kinds SET id = id - 10 WHERE id < 0"
    )
    pipeline.catch_up()
    pipeline.expect_equal("parted", engines=ENGINES)
    pipeline.expect_equal("kinds", engines=NOT_SPARK)
    pipeline.close()


def test_spark_copies_millions_of_rows_while_they_change(make_pipeline):
    """With the defaults for large tables, compared by checksums."""
    pipeline = make_pipeline("spark_copy_millions")
    pipeline.configure(source={"copy_range_bytes": 64 << 20}, spark=spark_section())
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, at timestamp, price numeric(10,2), name text)")
    pipeline.execute(
        f"INSERT INTO t SELECT i, 0, timestamp '2024-01-01' + i * interval '1 s', i % 1000, 'row ' || i FROM generate_series(1, {MANY_ROWS}) i"
    )
    done = threading.Event()
    rounds = []

    def load():
        with psycopg.connect(pipeline.url, autocommit=True) as connection:
            while not done.wait(0.05):
                n = len(rounds)
                connection.execute(
                    f"""
                    UPDATE t SET n = n + 1 WHERE id BETWEEN {n * 997 % MANY_ROWS} AND {n * 997 % MANY_ROWS + 50};
                    UPDATE t SET id = id + {2 * MANY_ROWS} WHERE id = {n * 7919 % MANY_ROWS + 1};
                    DELETE FROM t WHERE id = {MANY_ROWS - n * 31 % MANY_ROWS};
                    INSERT INTO t VALUES ({MANY_ROWS + 1 + n}, 0, now(), 0.01, 'poured')
                    """
                )
                rounds.append(n)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        copied = copy_with_spark(pipeline)
    finally:
        done.set()
        thread.join()
    assert copied.returncode == 0, copied.stderr[-6000:]
    assert "Spark copies a table" in copied.stderr
    expect_no_branch_is_left(pipeline, "t")
    assert len(rounds) > 100
    pipeline.catch_up()
    contents.expect_lake_equal(source.Database(pipeline.postgres, pipeline.database), pipeline.lake, "t")
    pipeline.close()


def test_passwords_stay_secret_and_a_failing_spark_is_tried_again(make_pipeline, postgres):
    pipeline = make_pipeline("spark_copy_errors")
    pipeline.execute("DROP ROLE IF EXISTS spark_source")
    pipeline.execute(f"CREATE ROLE spark_source LOGIN SUPERUSER REPLICATION PASSWORD '{PASSWORD}'")
    port = psycopg.conninfo.conninfo_to_dict(pipeline.url)["port"]
    url = f"postgresql://spark_source:p%40ss%3A%20word@127.0.0.1:{port}/{pipeline.database}"
    settings = {"source": {"url": url} | SMALL_RANGES, "maintenance": {"compact": "off"}, "log": {"level": "debug"}}
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, d date); INSERT INTO t SELECT i, '2024-01-01' FROM generate_series(1, {ROWS}) i")
    without_driver = [jar for jar in spark_section()["jars"] if "/postgresql-" not in jar]
    pipeline.configure(**settings, retry={"max_retries": 1}, spark=spark_section(jars=without_driver))

    def fail(word):
        failed = copy_with_spark(pipeline)
        assert failed.returncode == 1, failed.stderr[-6000:]
        assert "copying table public.t: Spark: " in failed.stderr and word in failed.stderr, failed.stderr[-6000:]
        metadata = read_metadata(pipeline.lake.table("public", "t"))
        assert not metadata.get("refs") and not metadata.get("snapshots"), metadata
        assert failed.stderr.count("Spark copies a table") == 2

    fail("add org.postgresql:postgresql")
    pipeline.configure(**settings, retry={"max_retries": 1}, spark=spark_section())
    # A value that Iceberg can't hold is an error, as in firn's own copy.
    pipeline.execute("UPDATE t SET d = 'infinity' WHERE id = 7")
    fail("cannot subtract infinite dates")
    pipeline.execute("UPDATE t SET d = '2024-02-29' WHERE id = 7")
    copied = copy_with_spark(pipeline)
    assert copied.returncode == 0, copied.stderr[-6000:]
    expect_no_branch_is_left(pipeline, "t")
    pipeline.expect_equal("t", engines=ENGINES)
    pipeline.close()


def test_a_copy_that_is_killed_begins_again(make_pipeline):
    pipeline = make_pipeline("spark_copy_killed")
    pipeline.configure(source={"copy_engine": "spark"} | SMALL_RANGES, maintenance={"compact": "off"}, spark=spark_section())
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i")
    for turn, failpoint in enumerate(("copy.checkpoint.after=kill", "copy.commit.before=kill"), start=1):
        killed = pipeline.firn.command(
            "run", "--until-caught-up", timeout_s=TIMEOUT_S, environment=ENVIRONMENT | {"FIRN_FAILPOINTS": failpoint}
        )
        assert killed.returncode == -9, killed.stderr[-3000:]
        pipeline.execute("UPDATE t SET n = -n WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0")
        pipeline.execute(f"UPDATE t SET id = id + {turn} * 1000000 WHERE id % 11 = 0")
        pipeline.execute(f"INSERT INTO t SELECT i, 0 FROM generate_series(1, {ROWS}) i ON CONFLICT DO NOTHING")
    again = pipeline.firn.command("run", "--until-caught-up", timeout_s=TIMEOUT_S, environment=ENVIRONMENT)
    assert again.returncode == 0, again.stderr
    # What Spark had done was taken up.
    assert "a part of it is copied already" in again.stderr and "a copy goes on where it was" in again.stderr, again.stderr
    expect_no_branch_is_left(pipeline, "t")
    pipeline.expect_equal("t", engines=ENGINES)
    pipeline.close()
