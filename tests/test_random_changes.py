"""Random tables, random transactions, random changes of the tables' definitions and random crashes of firn: at each quiet point
both sides are equal.

A failure names its seed. FIRN_RANDOM_SEEDS=17,20-29 runs others, FIRN_RANDOM_TRANSACTIONS=500 longer ones.
"""

import contextlib
import os
import random

import pytest
from harness.lake import ENGINES
from harness.random_source import RandomSource
from harness.waiting import wait_until


def seeds(text):
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


SEEDS = list(seeds(os.environ.get("FIRN_RANDOM_SEEDS", "1-3")))
TRANSACTIONS = int(os.environ.get("FIRN_RANDOM_TRANSACTIONS", "60"))


def configure(pipeline, source, dice, identity=True, **destination):
    """Other partitions, batches and files than before."""
    pipeline.configure(
        writer={
            "commit_interval_ms": dice.choice([50, 200, 1000]),
            "batch_size": dice.choice([1, 100, 1000]),
            "max_open_files": dice.choice([2, 10]),
        },
        tables={f"public.{table.name}": {"partition_by": table.use_partition_fields(identity)} for table in source.tables},
        destination=destination,
        # Most often one: a table that is locked then holds up the copies of all others.
        source={"copy_workers": dice.choice([1, 1, 4])},
    )


def disturb(pipeline, dice):
    """firn starts, ends, crashes or just goes on."""
    if pipeline.firn.running():
        if dice.random() < 0.1:
            pipeline.firn.kill()
        elif dice.random() < 0.05:
            stop(pipeline)
    elif dice.random() < 0.3:
        pipeline.firn.start()


def stop(pipeline):
    """As soon as firn takes SIGTERM, which is before it answers."""
    wait_until(lambda: pipeline.firn.get("/healthz"), "firn answers")
    pipeline.firn.stop()


def compare_both_sides(pipeline, source, engines):
    if pipeline.firn.running():
        stop(pipeline)
    pipeline.catch_up()
    for table in source.tables:
        readers = [engine for engine in engines if engine != "iceberg-rust" or sees_current_schema(pipeline, table)]
        pipeline.expect_equal(table.name, engines=readers, extra_columns=left_over(pipeline, table))


def sees_current_schema(pipeline, table):
    """iceberg-rust reads by the schema of the last snapshot, and fails where the table's has changed since."""
    metadata = pipeline.lake.table("public", table.name).metadata
    snapshot = metadata.snapshot_by_id(metadata.current_snapshot_id)
    return snapshot is None or snapshot.schema_id == metadata.current_schema_id


def left_over(pipeline, table):
    """Columns that have gone from the source, and must stay in Iceberg for partition specs that name them."""
    lake_table = pipeline.lake.table("public", table.name)
    partitioned = {field.source_id for spec in lake_table.specs().values() for field in spec.fields}
    gone = {field.name for field in lake_table.schema().fields if field.field_id in partitioned} - set(table.all_names())
    return tuple(gone)


@contextlib.contextmanager
def named(pipeline, source, how):
    """A failure says how to see it again, and what was done."""
    try:
        yield
    except Exception as failure:
        statements = pipeline.directory / "statements.sql"
        statements.write_text(";\n".join(source.statements) + ";\n")
        failure.add_note(f"{how}; its statements are in {statements}")
        raise


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_are_equal_whatever_happens(pipeline, seed):
    dice = random.Random(seed)
    source = RandomSource(dice, pipeline.connection, table_count=dice.randint(1, 4))
    configure(pipeline, source, dice)
    with named(pipeline, source, f"seed {seed}: run it again with FIRN_RANDOM_SEEDS={seed}"):
        for n in range(TRANSACTIONS):
            source.transaction()
            disturb(pipeline, dice)
            if n % 20 == 19:
                compare_both_sides(pipeline, source, [dice.choice(ENGINES)])
                configure(pipeline, source, dice)
        compare_both_sides(pipeline, source, ENGINES)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_are_equal_however_tables_are_altered(pipeline, seed):
    dice = random.Random(f"definitions {seed}")
    source = RandomSource(dice, pipeline.connection, table_count=dice.randint(1, 4))
    version = dice.choice([2, 3])
    configure(pipeline, source, dice, identity=False, format_version=version)
    with named(pipeline, source, f"seed {seed}: run it again with FIRN_RANDOM_SEEDS={seed}"):
        if dice.random() < 0.5:
            alter_during_the_copy(pipeline, source, dice)
        for n in range(TRANSACTIONS):
            source.transaction(redefined=dice.choice([0, 0.3, 0.8]))
            if dice.random() < 0.03:
                source.rewrite()
            disturb(pipeline, dice)
            if n % 20 == 19:
                compare_both_sides(pipeline, source, [dice.choice(ENGINES)])
                version = max(version, dice.choice([2, 2, 3]))
                configure(pipeline, source, dice, identity=False, format_version=version)
        compare_both_sides(pipeline, source, ENGINES)


def alter_during_the_copy(pipeline, source, dice):
    """The copy's snapshot is taken, but it has not come to every table: it waits for a lock."""
    for _ in range(5):
        source.transaction()
    pipeline.execute("CREATE TABLE gate (id int PRIMARY KEY)")
    with pipeline.postgres.connect(pipeline.database) as lock:
        lock.autocommit = False
        pipeline.firn.start()
        catalog = pipeline.lake.warehouse / "catalog.db"
        wait_until(lambda: catalog.exists() and pipeline.lake.tables(), "the tables are made")
        lock.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
        pipeline.execute("SET lock_timeout = 1000")  # Behind a COPY that waits, too.
        for _ in range(dice.randint(1, 6)):
            source.transaction(redefined=0.5)
        pipeline.execute("RESET lock_timeout")
        lock.rollback()
