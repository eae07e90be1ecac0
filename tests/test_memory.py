"""writer.memory_limit_bytes holds: the process stays below it and a base, under transactions of many times its size.

The base is what a firn takes that holds no rows: the program and its libraries (60 MB), the index's block cache and write
buffers (up to 130 MB), and what the allocators keep of what was freed.
"""

import pytest
from harness.waiting import wait_until

MB = 1 << 20
LIMIT = 64 * MB
BASE = 256 * MB


@pytest.fixture
def small(pipeline):
    """A pipeline with little memory."""
    pipeline.configure(writer={"commit_interval_ms": 1000, "memory_limit_bytes": LIMIT}, source={"copy_workers": 2})
    return pipeline


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
