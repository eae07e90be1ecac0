"""The golden corpus: tables as Spark and Iceberg's Java library write them, with the rows that Spark reads from them
(scripts/golden-corpus makes it; FIRN_GOLDEN_CORPUS is its folder)."""

import json
import os
import pathlib

FOLDER = os.environ.get("FIRN_GOLDEN_CORPUS")


def tables():
    """The name of each table, such as v2/evolve, with its newest metadata file."""
    root = pathlib.Path(FOLDER, "corpus")
    for table in sorted(root.glob("v[23]/*")):
        versions = table.glob("metadata/v*.metadata.json")
        newest = max(versions, key=lambda path: int(path.name[1:].split(".")[0]))
        yield table.relative_to(root).as_posix(), f"file://{newest}"


def expected(name):
    """The rows that Spark reads, or None where it can't read the table."""
    path = pathlib.Path(FOLDER, "reference/expected", name.replace("/", ".") + ".jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else None
