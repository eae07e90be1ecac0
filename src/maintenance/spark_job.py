"""What the scripts that firn submits to Spark have in common: `main` of each is called with its job.

    spark-submit … SCRIPT JOB       or, for Spark Connect: python3 SCRIPT JOB

JOB is a file of JSON; it is removed once it is read, since it may hold secrets:

    {"remote": "sc://host:15002", "catalog": "firn", "session": {"spark.sql.catalog.firn": "…", …}, …}

"remote" is missing where spark-submit has said which Spark it is. Each line on stdout that begins with MARK is JSON for
firn: {"spark": version} first, then for each of the job's tables {"table": its place in the job, …} or {"table": …,
"error": …}. A table's error leaves the others alone.
"""

import json
import os
import re
import sys

from pyspark.sql import SparkSession

MARK = "firn: "
MESSAGE_CHARACTERS_MAX = 600


def report(**members):
    print(MARK + json.dumps(members), flush=True)


def quoted(*names):
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def message_of(error):
    """What an exception says, without the JVM's stack."""
    told, *stack = re.split(r"\n\s*(?:at |Suppressed:|JVM stacktrace:)", str(error), maxsplit=1)
    told = re.sub(r"^An error occurred while calling \S+\s*: ", "", told)
    causes = re.findall(r"^\s*Caused by: .*", "\n".join(stack), re.MULTILINE)
    return " ".join(" ".join([told, *causes]).split())[:MESSAGE_CHARACTERS_MAX] or type(error).__name__


def run(work):
    """Calls work(spark, job, table) for each table of the job, which gives what is reported of it."""
    path = sys.argv[1]
    with open(path) as file:
        job = json.load(file)
    os.unlink(path)
    builder = SparkSession.builder
    if "remote" in job:
        builder = builder.remote(job["remote"])
    spark = builder.getOrCreate()
    for name, value in job["session"].items():
        spark.conf.set(name, value)
    report(spark=spark.version)
    for place, table in enumerate(job["tables"]):
        try:
            report(table=place, **work(spark, job, table))
        except Exception as error:
            report(table=place, error=message_of(error))
    spark.stop()
