"""Compacts tables by Iceberg's procedures in Spark: what `firn maintain compact --engine spark` submits, with a job as of
spark_job.py whose tables are

    {"name": ["public", "orders"], "format_version": 2, "sorted": false, "options": {"target-file-size-bytes": "…", …}}

where "sorted" asks for the table's own sort order.

Of each is reported {"counts": …}.
"""

import collections

import spark_job
from spark_job import quoted

# How often the files are planned anew where another writer changed some of them at the same time.
ATTEMPTS = 5
CONFLICTS = ("CommitFailedException", "ValidationException", "Cannot commit")
# Columns of the procedures' results that are added up.
COUNTED = (
    "rewritten_data_files_count",
    "added_data_files_count",
    "rewritten_bytes_count",
    "removed_delete_files_count",
    "rewritten_delete_files_count",
    "added_delete_files_count",
    "rewritten_manifests_count",
    "added_manifests_count",
)


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def is_conflict(error):
    """Whether another writer was first."""
    return any(word in str(error) for word in CONFLICTS)


class Compaction:
    """Of one table."""

    def __init__(self, spark, catalog, table):
        self._spark = spark
        self._catalog = catalog
        self._table = table
        self._counts = collections.Counter()

    def run(self):
        self._rewrite_data_files()
        # Deletion vectors are one for a data file already.
        if self._table["format_version"] < 3:
            self._call("rewrite_position_delete_files", options={"partial-progress.enabled": "true"})
        self._rewrite_manifests()
        return self._counts

    def _rewrite_data_files(self):
        """Groups that could not be committed were changed by firn meanwhile."""

        def rewrite():
            strategy = {"strategy": literal("sort")} if self._table["sorted"] else {}
            result = self._call("rewrite_data_files", options=self._table["options"], **strategy)
            failed = result.get("failed_data_files_count", 0)
            if failed:
                raise RuntimeError(f"Cannot commit {failed} rewritten files: another writer changed them meanwhile, every time")

        self._again_after_conflicts(rewrite)

    def _rewrite_manifests(self):
        """firn's commits merge manifests, too: where they are always first, there is nothing to be rewritten."""
        try:
            self._again_after_conflicts(lambda: self._call("rewrite_manifests", use_caching="false"))
        except Exception as error:
            if not is_conflict(error):
                raise

    def _again_after_conflicts(self, work):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return work()
            except Exception as error:
                if attempt == ATTEMPTS or not is_conflict(error):
                    raise

    def _call(self, procedure, options=None, **arguments):
        """The procedure's row of results."""
        if options:
            arguments["options"] = "map(" + ", ".join(f"{literal(k)}, {literal(v)}" for k, v in options.items()) + ")"
        named = "".join(f", {name} => {value}" for name, value in arguments.items())
        table = literal(quoted(self._catalog, *self._table["name"]))
        (row,) = self._spark.sql(f"CALL {quoted(self._catalog)}.system.{procedure}(table => {table}{named})").collect()
        result = row.asDict()
        self._counts.update({name: result.get(name) or 0 for name in COUNTED})
        return result


if __name__ == "__main__":
    spark_job.run(lambda spark, job, table: {"counts": Compaction(spark, job["catalog"], table).run()})
