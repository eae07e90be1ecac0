"""The comparison itself must be able to fail, whichever engine reads."""

import pytest
from harness.lake import ENGINES


@pytest.fixture
def stale(pipeline):
    """A lake that is behind by what the test does next."""
    pipeline.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v text, d numeric(9, 3), f float8, at timestamptz);"
        "INSERT INTO t SELECT n, 'v', n / 3.0, n / 3.0, '2024-01-01' FROM generate_series(1, 50) n; INSERT INTO t VALUES (0)"
    )
    pipeline.catch_up()
    pipeline.expect_equal("t")
    return pipeline


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET v = 'V' WHERE id = 7",
        "UPDATE t SET v = '' WHERE id = 0",
        "UPDATE t SET d = d + 0.001 WHERE id = 7",
        "UPDATE t SET f = f * (1 + 1e-15) WHERE id = 7",
        "UPDATE t SET at = at + interval '1 microsecond' WHERE id = 7",
        "DELETE FROM t WHERE id = 7",
        "INSERT INTO t VALUES (51)",
    ],
)
def test_a_difference_is_seen(stale, engine, statement):
    stale.execute(statement)
    with pytest.raises(AssertionError, match="1 missing|1 too many"):
        stale.expect_equal("t", engines=[engine])
