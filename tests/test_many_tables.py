"""Hundreds of tables: copied, changed by one transaction, found again at the next start, in little memory."""

from test_memory import MB, arrive, expect_peak_below

TABLES = 300
# Of the defaults of 512 MiB for rows, few of which there are.
PEAK = 300 * MB


def test_hundreds_of_tables(pipeline):
    tables = [f"t{number:03}" for number in range(TABLES)]
    # Of different definitions, so that what is read for all of them at once is told apart.
    for number, table in enumerate(tables):
        column = ("text", "numeric(10,2)", "int[]", "timestamptz")[number % 4]
        key = ("id", "name, id", "id, name")[number % 3]
        pipeline.execute(
            f"CREATE TABLE {table} (id int NOT NULL, name text NOT NULL, v{number} {column}, PRIMARY KEY ({key}));"
            f"INSERT INTO {table} (id, name) SELECT n, md5(n::text) FROM generate_series(1, {number % 7 * 10}) n"
        )
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=300)
    pipeline.execute(
        "".join(f"INSERT INTO {t} (id, name) VALUES (1000, '{t}'); UPDATE {t} SET name = 'new' WHERE id < 3;" for t in tables)
    )
    arrive(pipeline)
    expect_peak_below(pipeline, PEAK)
    pipeline.firn.stop(timeout_s=120)

    pipeline.execute("".join(f"DELETE FROM {t} WHERE id = 1000;" for t in tables[::10]) + "CREATE TABLE added (id int PRIMARY KEY)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming(timeout_s=300)
    arrive(pipeline)
    expect_peak_below(pipeline, PEAK)
    copied = [line for line in pipeline.firn.log_text().splitlines() if "copied table" in line]
    assert len(copied) == 1 and "public.added" in copied[0]
    pipeline.firn.stop(timeout_s=120)
    pipeline.expect_equal(*tables[::23], *tables[1::37], "added", engines=["duckdb"])
