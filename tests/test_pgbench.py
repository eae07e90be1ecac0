"""pgbench's load, while firn runs: at rest every engine reads what PostgreSQL has."""

import pytest

TABLES = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"]
SECONDS = 15


def initialise(pipeline, scale):
    process = pipeline.postgres.pgbench(pipeline.database, "-i", "-q", "-s", str(scale))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output


@pytest.mark.parametrize("script", [["-N"], []], ids=["simple-update", "tpcb-like"])
def test_load_while_firn_runs(pipeline, script):
    initialise(pipeline, 1)
    pipeline.firn.start()
    load = pipeline.postgres.pgbench(pipeline.database, "-n", "-c", "4", "-T", str(SECONDS), *script)
    output, _ = load.communicate(timeout=SECONDS + 60)
    assert load.returncode == 0, output
    pipeline.firn.expect_running()
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal(*TABLES)
    assert len(pipeline.rows("pgbench_history")) > 100
