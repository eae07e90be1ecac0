"""writer.memory_limit_bytes holds: the process stays below it and a base, under transactions of many times its size.

The base is what a firn takes that holds no rows: the program and its libraries (60 MB), the index's block cache and write
buffers (up to 130 MB), and what the allocators keep of what was freed.
"""

import contextlib

import pytest
from harness.lake import connect_duckdb
from harness.waiting import wait_until

MB = 1 << 20
LIMIT = 64 * MB
BASE = 256 * MB


def make_small(pipeline, **sections):
    """A pipeline with little memory."""
    writer = {"commit_interval_ms": 1000, "memory_limit_bytes": LIMIT}
    pipeline.configure(**({"writer": writer, "source": {"copy_workers": 2}} | sections))
    return pipeline


@pytest.fixture
def small(pipeline):
    return make_small(pipeline)


def peak_bytes(firn):
    with open(f"/proc/{firn.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def arrive(pipeline, timeout_s=240):
    """All that is committed in PostgreSQL by now is committed in Iceberg, by the firn in the background."""
    lsn = pipeline.current_lsn()

    def acknowledged():
        pipeline.firn.expect_running()
        return pipeline.has_acknowledged(lsn)

    wait_until(acknowledged, "all is acknowledged", timeout_s, interval_s=0.2)


def expect_peak_below(pipeline, bytes_max):
    peak = peak_bytes(pipeline.firn)
    print(f"peak: {peak / MB:.0f} MB of {bytes_max / MB:.0f} MB")
    assert peak < bytes_max, f"{peak / MB:.0f} MB at its peak, and not below {bytes_max / MB:.0f} MB"


def test_a_transaction_of_many_times_the_limit(small):
    small.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v text)")
    small.firn.start()
    small.firn.wait_streaming()
    # 400 MB.
    small.execute("INSERT INTO t SELECT n, 0, repeat(md5(n::text), 31) FROM generate_series(1, 400000) n")
    arrive(small)
    expect_peak_below(small, LIMIT + BASE)
    small.execute("UPDATE t SET n = n + 1, v = md5(id::text) || v")
    arrive(small)
    expect_peak_below(small, LIMIT + BASE)
    small.firn.stop()
    small.execute("DELETE FROM t WHERE id % 100 <> 0")  # Leaves rows that are soon compared.
    small.catch_up()
    small.expect_equal("t", engines=["pyiceberg", "duckdb"])


def test_interleaved_transactions_of_which_some_are_rolled_back(small):
    """20 transactions of 10 MB at once; each second one is rolled back, and so is a part of each other one."""
    small.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    small.firn.start()
    small.firn.wait_streaming()
    insert = "INSERT INTO t SELECT n, repeat(md5(n::text), 31) FROM generate_series(%s::int, %s::int) n"
    sessions = [small.postgres.connect(small.database) for _ in range(20)]
    try:
        for session in sessions:
            session.execute("BEGIN")
        for round_ in range(5):
            for number, session in enumerate(sessions):
                first = number * 100_000 + round_ * 2000
                session.execute("SAVEPOINT part")
                session.execute(insert, [first, first + 1999])
                session.execute("ROLLBACK TO part" if round_ == 2 else "RELEASE part")
        for number, session in enumerate(sessions):
            session.execute("COMMIT" if number % 2 == 0 else "ROLLBACK")
    finally:
        for session in sessions:
            session.close()
    arrive(small)
    expect_peak_below(small, LIMIT + BASE)
    assert not list((small.directory / "state").glob("*/spool/*")), "spool files are left"
    small.firn.stop()
    assert small.connection.execute("SELECT count(*) FROM t").fetchone()[0] == 10 * 4 * 2000
    small.expect_equal("t", engines=["duckdb"])


def query(pipeline, columns, table="t"):
    """The one row that DuckDB makes of the Iceberg table, of which few values fit into Python's memory."""
    path = pipeline.lake.table("public", table).metadata_location.removeprefix("file://")
    with contextlib.closing(connect_duckdb()) as duckdb:
        return duckdb.execute(f"SELECT {columns} FROM iceberg_scan('{path}')").fetchone()


# Each row's value of 10 kB, outside of the row and not compressed.
TEXT = "repeat(md5({id}::text), 320)"
MODES = {
    "mirror": {},
    "soft-delete": {"enable_deletes": False},
    "history": {"mode": "history"},
    "append": {"mode": "append"},
}


@pytest.mark.parametrize("mode", MODES)
def test_updates_that_leave_many_times_the_limit_unchanged(pipeline, mode):
    """Small changes: but the values that they leave as they were are 350 MB, which PostgreSQL doesn't send again."""
    rows = 35_000
    make_small(pipeline, cdc=MODES[mode])
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v text)")
    pipeline.execute("ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    pipeline.execute(f"INSERT INTO t SELECT n, 0, {TEXT.format(id='n')} FROM generate_series(1, {rows}) n")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("UPDATE t SET n = id")
    # One more time for a few rows, in the order of nothing.
    pipeline.execute("UPDATE t SET n = -id WHERE id % 50 = 0")
    arrive(pipeline)
    expect_peak_below(pipeline, LIMIT + BASE)
    pipeline.firn.stop()

    changed_again = rows // 50
    written = {"mirror": rows, "soft-delete": rows}.get(mode, 2 * rows + changed_again)
    latest = {"history": "_firn_current", "append": "_firn_op <> 'copy' AND (n < 0 OR id % 50 <> 0)"}.get(mode, "true")
    right = f"v = {TEXT.format(id='id')}"
    new = "n = CASE WHEN id % 50 = 0 THEN -id ELSE id END"
    assert query(
        pipeline, f"count(*), count(*) FILTER ({right}), count(*) FILTER ({latest}), count(*) FILTER ({latest} AND {new})"
    ) == (written, written, rows, rows)


def test_append_keeps_the_order_of_changes_whose_values_are_fetched(pipeline):
    """A transaction's rows come in the order of its changes, whatever the order in which their values are read."""
    rows = 3_000
    make_small(pipeline, cdc={"mode": "append"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v text)")
    pipeline.execute("ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    pipeline.execute(f"INSERT INTO t SELECT n, 0, {TEXT.format(id='n')} FROM generate_series(1, {rows}) n")
    pipeline.catch_up()
    pipeline.execute(
        f"""DO $$ BEGIN
            FOR i IN 1 .. {rows} LOOP
                UPDATE t SET n = i WHERE id = 1 + (i * 7919) % {rows};
                IF i % 3 = 0 THEN INSERT INTO t VALUES ({rows} + i, i, 'inserted'); END IF;
                IF i % 5 = 0 THEN UPDATE t SET v = 'changed' WHERE id = 1 + (i * 7919) % {rows}; END IF;
            END LOOP;
        END $$"""
    )
    pipeline.catch_up()
    scan = pipeline.lake.table("public", "t").scan(selected_fields=("id", "n", "v", "_firn_op"))
    changes = [row for row in scan.to_arrow().to_pylist() if row["_firn_op"] != "copy"]
    expected = []
    for i in range(1, rows + 1):
        key = 1 + (i * 7919) % rows
        expected.append((key, i, "fetched"))
        if i % 3 == 0:
            expected.append((rows + i, i, "inserted"))
        if i % 5 == 0:
            expected.append((key, i, "changed"))
    assert [(row["id"], row["n"], row["v"] if len(row["v"]) < 10 else "fetched") for row in changes] == expected
    right = f"v = {TEXT.format(id='id')}"
    assert query(pipeline, f"count(*) FILTER ({right})") == (2 * rows,)


def test_versions_that_leave_one_large_value_unchanged(pipeline):
    """A history: each of 60 versions has the 10 MB that only the first one brought."""
    make_small(pipeline, cdc={"mode": "history"})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v text)")
    pipeline.execute("ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    with pipeline.postgres.connect(pipeline.database) as session:
        session.autocommit = True
        session.execute("INSERT INTO t VALUES (1, 0, repeat(md5('1'), 312500))")
        for n in range(1, 60):
            session.execute("UPDATE t SET n = %s", [n])
    arrive(pipeline)
    expect_peak_below(pipeline, LIMIT + BASE)
    pipeline.firn.stop()
    assert query(pipeline, "count(*), count(DISTINCT n), count(*) FILTER (v = repeat(md5('1'), 312500))") == (60, 60, 60)


VALUE = 100_000_000
# What a value takes at its peak, in multiples of its size: see docs/sizing.md.
COPIES = 6


def test_values_of_100_mb(small):
    """Copied, inserted, left unchanged by an update, and deleted. They don't compress: repeated noise is too far apart."""
    small.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v bytea)")
    small.execute("ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    noise = f"(SELECT string_agg(sha512((n || '.' || i)::bytea), '') AS part FROM generate_series(1, {VALUE // 640}) i)"
    value = f"(SELECT string_agg(part, '') FROM {noise} noise, generate_series(1, 10))"
    insert = f"INSERT INTO t SELECT n, 0, {value} FROM generate_series(%s::int, %s::int) n"
    small.execute(insert, [1, 2])
    small.firn.start()
    small.firn.wait_streaming()
    expect_peak_below(small, LIMIT + BASE + COPIES * VALUE)
    small.execute(insert, [3, 5])
    arrive(small)
    expect_peak_below(small, LIMIT + BASE + COPIES * VALUE)
    small.execute("UPDATE t SET n = id")
    arrive(small)
    small.execute("UPDATE t SET id = id + 10 WHERE id < 3")
    small.execute("DELETE FROM t WHERE id IN (4, 5, 12)")
    arrive(small)
    expect_peak_below(small, LIMIT + BASE + COPIES * VALUE)
    small.firn.stop()
    expected = small.execute("SELECT array_agg(ARRAY[id::text, n::text, md5(v)] ORDER BY id) FROM t").fetchone()
    assert [row[0] for row in expected[0]] == ["3", "11"]
    assert query(small, "list([id::text, n::text, md5(v)] ORDER BY id)") == expected


def test_a_table_of_1600_columns(small):
    """As many as PostgreSQL has."""
    columns = ", ".join(f"c{number} int" for number in range(1599))
    values = ", ".join(f"n + {number}" for number in range(1599))
    small.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
    insert = f"INSERT INTO t SELECT n, {values} FROM generate_series(%s::int, %s::int) n"
    small.execute(insert, [1, 2000])
    small.firn.start()
    small.firn.wait_streaming()
    small.execute(insert, [2001, 6000])
    small.execute("UPDATE t SET c0 = -c0, c1598 = NULL WHERE id % 2 = 0")
    arrive(small)
    small.execute("DELETE FROM t WHERE id % 200 <> 0")
    arrive(small)
    expect_peak_below(small, LIMIT + BASE)
    small.firn.stop()
    small.expect_equal("t", engines=["duckdb"])


def test_many_tables(small):
    """All copied, then all changed by one transaction."""
    tables = [f"t{number}" for number in range(100)]
    small.execute("".join(f"CREATE TABLE {table} (id int PRIMARY KEY, v text);" for table in tables))
    small.execute("".join(f"INSERT INTO {table} SELECT n, md5(n::text) FROM generate_series(1, 100) n;" for table in tables))
    small.firn.start()
    small.firn.wait_streaming(timeout_s=240)
    small.execute(
        "".join(f"INSERT INTO {table} VALUES (101, '{table}'); UPDATE {table} SET v = 'new' WHERE id < 3;" for table in tables)
    )
    arrive(small)
    expect_peak_below(small, LIMIT + BASE)
    small.firn.stop()
    small.expect_equal(*tables[::20], engines=["duckdb"])
