"""firn's reader reads each table of the golden corpus as Spark does: every partition transform, evolution, deletes of every
form in Parquet, Avro and ORC, v3's types, defaults and row lineage."""

import ast
import datetime
import decimal
import json
import re
import uuid

import pytest
from harness import golden_corpus
from harness.lake import read_with_firn

UTC = datetime.timezone.utc
# Spark can't read these; their rows are as the corpus' own program writes them.
UNREADABLE_BY_SPARK = {
    "v2/types": [
        {
            "id": 1,
            "tm": datetime.time(12, 34, 56, 789000),
            "u": uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7"),
            "fx": b"\x00\x01\x02\x03",
            "bl": True,
            "fl": float("nan"),
            "d38": decimal.Decimal("-12345678901234567890.0123456789"),
            "d4": decimal.Decimal("14.2"),
            "bin": b"\x00\x01\x02\x03",
            "tz": datetime.datetime(2017, 11, 16, 22, 31, 8, tzinfo=UTC),
        },
        {"id": 2, "fl": -0.0} | dict.fromkeys(("tm", "u", "fx", "bl", "d38", "d4", "bin", "tz")),
    ],
    # Python's datetime ends at microseconds.
    "v3/nanos": [
        {
            "id": 1,
            "tn": datetime.datetime(2024, 1, 1, 0, 0, 0, 123456),
            "tz": datetime.datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC),
        },
        {"id": 2, "tn": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), "tz": None},
    ],
}
ROW_LINEAGE = ("_row_id", "_last_updated_sequence_number")


def test_reads_each_table_as_spark_does():
    if not golden_corpus.FOLDER:
        pytest.skip("what makes the golden corpus is not there (FIRN_GOLDEN_CORPUS)")
    names, wrong = [], []
    for name, metadata_location in golden_corpus.tables():
        names.append(name)
        expected = golden_corpus.expected(name) or UNREADABLE_BY_SPARK[name]
        # Spark's rows have no lineage where the table has none, and for variants.
        omitted = () if ROW_LINEAGE[0] in expected[0] else ROW_LINEAGE
        try:
            rows = read_with_firn(metadata_location, row_lineage=True)
        except AssertionError as failure:
            wrong.append(f"{name}: {failure}")
            continue
        actual = sorted(normalised({k: v for k, v in row.items() if k not in omitted}) for row in rows)
        if actual != sorted(map(normalised, expected)):
            wrong.append(f"{name}: {actual[:3]}… where Spark has {sorted(map(normalised, expected))[:3]}…")
    assert not wrong, "\n".join(wrong)
    assert len(names) == 41


def normalised(value):
    """A value as text that is equal for both sides: Spark's rows are JSON, where some types are text."""
    match value:
        case {"struct": dict() as fields, **rest} if not rest:
            return normalised(fields)
        case dict():
            return "{" + ", ".join(f"{key}: {normalised(item)}" for key, item in sorted(value.items())) + "}"
        case list():
            return "[" + ", ".join(map(normalised, value)) + "]"
        case bytes():
            return f"0x{value.hex()}"
        case datetime.datetime():
            return value.replace(tzinfo=None).isoformat(sep=" ")
        case float():
            return repr(value)
        case str() if (geospatial := re.fullmatch(r"Geo(?:metry|graphy)\(bytearray\((.*)\), \d+\)", value)):
            return normalised(ast.literal_eval(geospatial[1]))
        case str() if value.startswith("{"):
            return normalised(json.loads(value))
        case _:
            return str(value)
