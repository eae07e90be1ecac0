"""The Spark that firn itself submits jobs to: what its configuration says of it."""

import pathlib
import sys

import pyspark

from .spark import JARS

SUBMIT = pathlib.Path(pyspark.__file__).parent / "bin/spark-submit"
# Spark's driver runs this Python, and finds itself on this machine alone.
ENVIRONMENT = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
SECRET = "none-of-their-business"
TIMEOUT_S = 540


def spark_section(**settings):
    return {
        "submit": str(SUBMIT),
        "master": "local[2]",
        "jars": sorted(map(str, JARS.glob("*.jar"))),
        "conf": {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.firn.test.secret": SECRET,
        },
    } | settings
