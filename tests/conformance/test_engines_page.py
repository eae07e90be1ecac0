"""docs/engines.md says what the tests know."""

import importlib.metadata
import re

import pytest
from harness.engines import LIMITS
from harness.lake import REPOSITORY
from harness.spark import JARS


def page():
    return " ".join((REPOSITORY / "docs/engines.md").read_text().split())


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.engine}-{limit.feature}")
def test_every_limit_is_on_the_page(limit):
    assert limit.why in page()


def test_the_versions_are_those_that_are_tested():
    (runtime,) = JARS.glob("iceberg-spark-runtime-*.jar")
    iceberg = re.search(r"_2\.13-([\d.]+)\.jar", runtime.name)[1]
    version = importlib.metadata.version
    for text in (
        f"| Spark | {version('pyspark')} with Iceberg's runtime {iceberg} |",
        f"| Iceberg's Java library | {iceberg} ",
        f"pyiceberg-core {version('pyiceberg-core')} in DataFusion {version('datafusion').split('.')[0]} |",
        f"| PyIceberg | {version('pyiceberg')} |",
        f"| DuckDB | {version('duckdb')} ",
    ):
        assert text in page(), text
