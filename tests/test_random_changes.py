"""Random tables, random transactions and random crashes of firn: at each quiet point both sides are equal.

A failure names its seed. FIRN_RANDOM_SEEDS=17,18 runs others, FIRN_RANDOM_TRANSACTIONS=500 longer ones.
"""

import os
import random

import pytest
from harness.lake import ENGINES
from harness.random_source import RandomSource
from harness.waiting import wait_until

SEEDS = [int(seed) for seed in os.environ.get("FIRN_RANDOM_SEEDS", "1,2,3").split(",")]
TRANSACTIONS = int(os.environ.get("FIRN_RANDOM_TRANSACTIONS", "60"))


def configure(pipeline, source, dice):
    """Other partitions, batches and files than before."""
    pipeline.configure(
        writer={
            "commit_interval_ms": dice.choice([50, 200, 1000]),
            "batch_size": dice.choice([1, 100, 1000]),
            "max_open_files": dice.choice([2, 10]),
        },
        tables={f"public.{table.name}": {"partition_by": table.partition_fields()} for table in source.tables},
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
    pipeline.expect_equal(*(table.name for table in source.tables), engines=engines)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_are_equal_whatever_happens(pipeline, seed):
    dice = random.Random(seed)
    source = RandomSource(dice, pipeline.connection, table_count=dice.randint(1, 4))
    configure(pipeline, source, dice)
    try:
        for n in range(TRANSACTIONS):
            source.transaction()
            disturb(pipeline, dice)
            if n % 20 == 19:
                compare_both_sides(pipeline, source, [dice.choice(ENGINES)])
                configure(pipeline, source, dice)
        compare_both_sides(pipeline, source, ENGINES)
    except Exception as failure:
        statements = pipeline.directory / "statements.sql"
        statements.write_text(";\n".join(source.statements) + ";\n")
        failure.add_note(f"seed {seed}: run it again with FIRN_RANDOM_SEEDS={seed}; its statements are in {statements}")
        raise
