"""Copies tables of PostgreSQL into branches of Iceberg tables: what `firn run --copy-engine spark` submits, with a job as of
spark_job.py, and

    {"jdbc": {"uri": "jdbc:postgresql://…", "user": "…", "password": "…", …}, "settings": "SET …",
     "tables": [{"name": ["public", "orders"], "branch": "firn_copy_…", "from": "ONLY \"public\".\"orders\"",
                 "columns": [{"name": "id", "sql": "\"id\"::int8", "type": "bigint", "form": "as_read"}, …],
                 "ranges": [[0, 32768], [32768, null]]}, …]}

"sql" gives a value that JDBC carries as it is, "form" what is made of it here. "ranges" are blocks of the heap: each is read
by a query of its own. Nothing is reported of a table but that it is done: firn reads the branch.
"""

import spark_job
from spark_job import quoted

ROWS_AT_ONCE = "1000"
PLACE = "firn_ctid"
# In UTC, each is the same number of days or microseconds.
FORMS = {
    "as_read": "{}",
    "days": "date_from_unix_date({})",
    "micros": "cast(timestamp_micros({}) as timestamp_ntz)",
    "micros_utc": "timestamp_micros({})",
}


def in_blocks(first, last):
    condition = f"{PLACE} >= '({first},0)'::tid"
    return condition if last is None else f"{condition} AND {PLACE} < '({last},0)'::tid"


def copy(spark, job, table):
    columns = table["columns"]
    read_as = [f"c{place}" for place in range(len(columns))]
    selected = ", ".join(f'{column["sql"]} AS "{name}"' for name, column in zip(read_as, columns, strict=True))
    properties = {name: value for name, value in job["jdbc"].items() if name != "uri"} | {
        "driver": "org.postgresql.Driver",
        "fetchsize": ROWS_AT_ONCE,
        "sessionInitStatement": job["settings"],
    }
    rows = spark.read.jdbc(
        job["jdbc"]["uri"],
        f"(SELECT {selected}, ctid AS {PLACE} FROM {table['from']}) AS firn",
        predicates=[in_blocks(*blocks) for blocks in table["ranges"]],
        properties=properties,
    )
    types = dict(rows.dtypes)
    for name, column in zip(read_as, columns, strict=True):
        if types[name] != column["type"]:
            raise RuntimeError(f"column {column['name']} arrives as {types[name]} and not as {column['type']}")
    rows = rows.selectExpr(
        *(
            f"{FORMS[column['form']].format(quoted(name))} AS {quoted(column['name'])}"
            for name, column in zip(read_as, columns, strict=True)
        )
    )
    target = quoted(job["catalog"], *table["name"])
    # Of an empty table: with an empty snapshot.
    spark.sql(f"ALTER TABLE {target} CREATE BRANCH {quoted(table['branch'])}")
    # JDBC tells of no column that it is never NULL; a NULL in a required one fails the write.
    rows.writeTo(f"{target}.{quoted('branch_' + table['branch'])}").option("check-nullability", "false").append()
    return {"done": True}


if __name__ == "__main__":
    spark_job.run(copy)
