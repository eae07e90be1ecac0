"""Tables of one database shared by several pipelines, each with a slot and a publication of its own (docs/pipelines.md)."""

import pytest
from harness.firn_process import Firn
from harness.postgres_server import identifier
from harness.waiting import wait_until

COUNT = 2
# Of shard 1 and of shard 2 of two, by the hash of their names.
TABLES = {1: ["t1", "t2", "t3", "t5"], 2: ["t0", "t4", "t6", "t7"]}


@pytest.fixture
def shards(pipeline):
    """One firn for each shard, all into the lake of `pipeline`."""
    catalog = {"uri": f"sqlite://{pipeline.lake.warehouse}/catalog.db", "warehouse": f"file://{pipeline.lake.warehouse}"}
    slot = identifier(pipeline.database)[:40]
    made = []
    for number in range(1, COUNT + 1):
        source = {"slot": slot + "_{shard}", "publication": slot + "_{shard}", "shard": f"{number}/{COUNT}"}
        directory = pipeline.directory / f"shard-{number}"
        made.append(Firn(directory, pipeline.url, settings={"source": source, "catalog": catalog}))
    yield made
    for firn in made:
        firn.kill()


def published(pipeline, number):
    name = f"{identifier(pipeline.database)[:40]}_{number}"
    rows = pipeline.execute("SELECT tablename FROM pg_publication_tables WHERE pubname = %s ORDER BY 1", [name])
    return [row[0] for row in rows]


def test_shards_replicate_disjoint_tables_that_are_all_together(pipeline, shards):
    everything = sorted(table for tables in TABLES.values() for table in tables)
    for table in everything:
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v int)")
        pipeline.execute(f"INSERT INTO {table} SELECT i, i FROM generate_series(1, 50) i")
    for firn in shards:
        firn.start()
    for number, firn in enumerate(shards, 1):
        firn.wait_streaming()
        assert sorted(row["source"] for row in firn.status()["tables"]) == [f"public.{table}" for table in TABLES[number]]
        # What the other's slot decodes is not sent to this one.
        assert published(pipeline, number) == TABLES[number]
    for table in everything:
        pipeline.execute(f"UPDATE {table} SET v = -v WHERE id % 3 = 0; DELETE FROM {table} WHERE id = 7")
    # A new table is of one of them.
    pipeline.execute("CREATE TABLE t8 (id int PRIMARY KEY, v int); INSERT INTO t8 VALUES (1, 1)")
    wait_until(lambda: (shards[0].table_status("public.t8") or {}).get("state") == "streaming", "the new table streams")
    assert shards[1].table_status("public.t8") is None
    for firn in shards:
        firn.stop()
        firn.catch_up()
    assert sorted(name for _, name in pipeline.lake.tables()) == sorted([*everything, "t8"])
    pipeline.expect_equal(*everything, "t8")


def test_says_what_is_wrong_with_a_shard(pipeline, shards):
    pipeline.execute("CREATE TABLE t1 (id int PRIMARY KEY)")
    empty = shards[1].command("run", "--until-caught-up")
    assert empty.returncode == 1 and "is of shard 2/2: take fewer shards" in empty.stderr
    wrong = shards[1].command("run", "--until-caught-up", environment={"FIRN_SOURCE_SHARD": "3/2"})
    assert wrong.returncode == 2 and "'3/2' is no shard" in wrong.stderr
