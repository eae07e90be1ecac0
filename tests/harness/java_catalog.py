"""Iceberg's own JdbcCatalog, in a JVM that runs a command at a time."""

import json
import os
import subprocess

from .lake import REPOSITORY


class JavaJdbcCatalog:
    """`schema_version`: V0 or V1, which says what tables it makes where there are none."""

    def __init__(self, jdbc_uri, warehouse, log, schema_version="V1"):
        libraries = REPOSITORY / "build/java/lib"
        assert libraries.is_dir(), f"{libraries} is missing: run scripts/install-dependencies test"
        self._log = log
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [
                    *("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*"),
                    *(REPOSITORY / "tests/java/JdbcCatalogClient.java", jdbc_uri, warehouse, schema_version),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env=os.environ | {"LC_ALL": "C.UTF-8"},
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def run(self, *command):
        self._process.stdin.write(" ".join(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"JdbcCatalog ended: {self._log.read_text()[-3000:]}"
        answer = json.loads(line)
        assert not (isinstance(answer, dict) and "error" in answer), f"{command}: {answer['error']}"
        return answer
