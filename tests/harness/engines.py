"""The engines that read firn's tables in the conformance suite, and what each of them can't read.

A test that reads with an engine names what the table has (`features`). Where the engine has a limit on one of these,
the test is expected to fail, and when it passes, that is a failure: then the limit is gone and docs/engines.md is stale.
"""

import dataclasses
import re

import pytest

ENGINES = ("spark", "java", "iceberg-rust", "pyiceberg", "duckdb", "firn")


@dataclasses.dataclass(frozen=True)
class Limit:
    engine: str
    feature: str
    why: str


_DAYS = "DuckDB takes other days and months than the specification for timestamps before 1970"
LIMITS = (
    Limit("spark", "time", "Spark does not support time fields: a table with one can't be read at all"),
    Limit("iceberg-rust", "partitions of u", "iceberg-rust can't read manifests of partitions by the values of a uuid column"),
    Limit("iceberg-rust", "initial default of uuid", "iceberg-rust can't read the default of a uuid column that was added"),
    *(Limit("duckdb", f"filter by {part}({column})", _DAYS) for part in ("day", "month") for column in ("ts", "tz")),
    Limit("duckdb", "filter by bucket(4, u)", "DuckDB takes other buckets of uuids than the specification"),
    Limit("duckdb", "filter by truncate(99, wide)", "DuckDB truncates decimals of 38 digits otherwise than the specification"),
)


def features_of(iceberg_type):
    """The types that an Iceberg type is made of, such as list and time."""
    return set(re.findall(r"[a-z]+", str(iceberg_type)))


def mark_limits(request, engine, features):
    """Expects the running test to fail where `engine` can't read one of `features`."""
    for limit in LIMITS:
        if limit.engine == engine and limit.feature in features:
            request.applymarker(pytest.mark.xfail(strict=True, reason=f"{engine}: {limit.why}"))
