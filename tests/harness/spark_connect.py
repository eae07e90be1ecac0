"""A Spark Connect server: Spark in a process of its own, which clients tell what to do."""

from .services import Service
from .spark_submit import ENVIRONMENT, SUBMIT, spark_section


class SparkConnect(Service):
    """pyspark's own server, and below `program` the client that scripts/install-service puts there."""

    name = "spark-client"

    def command(self):
        section = spark_section()
        settings = section["conf"] | {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": self.port,
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        }
        return [
            *(SUBMIT, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
            *("--master", section["master"], "--jars", ",".join(section["jars"])),
            *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        ]

    def environment(self):
        return ENVIRONMENT

    def answers(self):
        return "Spark Connect server started" in self.log.read_text(errors="replace")

    def section(self):
        """What firn's configuration says of it."""
        return {"master": f"sc://{self.address}"}

    def client_environment(self):
        return {"PYSPARK_PYTHON": str(self.program / "venv/bin/python")}
