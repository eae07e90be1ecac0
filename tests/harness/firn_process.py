"""The firn binary under test: one pipeline with its configuration file, run to an end or in the background."""

import json
import os
import pathlib
import signal
import subprocess
import urllib.error
import urllib.request

from .postgres_server import free_port
from .waiting import end_with_parent, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("FIRN_BINARY", REPOSITORY / "build/release/firn"))


def run_firn(*arguments, timeout_s=120, environment=None, check=False):
    """Runs a firn command to its end. The result has returncode, stdout and stderr."""
    done = subprocess.run(
        [BINARY, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=os.environ | (environment or {}),
    )
    if check and done.returncode != 0:
        raise AssertionError(f"firn {' '.join(map(str, arguments))} gave {done.returncode}:\n{done.stderr[-6000:]}")
    return done


def without_none(section):
    return {key: value for key, value in section.items() if value is not None}


class Firn:
    """A pipeline: `settings` are sections of the configuration file, merged over the ones made here; None takes a key out."""

    def __init__(self, directory, source_url, *, slot="firn", settings=None):
        self.directory = pathlib.Path(directory)
        self.warehouse = self.directory / "lake"
        self.config = self.directory / "firn.yaml"
        self.log = self.directory / "firn.log"
        self.http_port = free_port()
        self._process = None
        self._log_start = 0
        sections = {
            "source": {"url": source_url, "publication": slot, "slot": slot},
            "catalog": {
                "type": "sql",
                "uri": f"sqlite://{self.warehouse}/catalog.db",
                "warehouse": f"file://{self.warehouse}",
            },
            "writer": {"commit_interval_ms": 500},
            "state_dir": str(self.directory / "state"),
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
        }
        for name, section in (settings or {}).items():
            sections[name] = without_none(sections.get(name, {}) | section) if isinstance(section, dict) else section
        self.directory.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        self.config.write_text(json.dumps(sections, indent=2))

    def command(self, name, *arguments, **options):
        return run_firn(name, "--config", self.config, *arguments, **options)

    def catch_up(self, timeout_s=120):
        """Everything that is committed in PostgreSQL by now is in Iceberg afterwards."""
        return self.command("run", "--until-caught-up", timeout_s=timeout_s, check=True)

    def start(self, environment=None):
        """`firn run` in the background; its output goes to `log`."""
        assert not self.running(), "firn runs already"
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "run", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | (environment or {}),
                preexec_fn=lambda: end_with_parent(signal.SIGKILL),
            )
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def exit_code(self):
        """Of the background run once it has ended; the negative number of the signal that ended it."""
        return self._process.returncode

    def running(self):
        return self._process is not None and self._process.poll() is None

    def ended_within(self, timeout_s):
        """Waits that long; True when firn ended by itself meanwhile."""
        try:
            self._process.wait(timeout_s)
            return True
        except subprocess.TimeoutExpired:
            return False

    def expect_running(self):
        if not self.running():
            raise AssertionError(f"firn ended with {self._process and self._process.returncode}:\n{self.log_text()[-6000:]}")

    def stop(self, timeout_s=60):
        """SIGTERM: what is buffered is committed, and the exit code is 0."""
        self.expect_running()
        self._process.send_signal(signal.SIGTERM)
        if not self.ended_within(timeout_s):
            self.kill()
            raise AssertionError(f"firn did not end within {timeout_s} s of SIGTERM:\n{self.log_text()[-6000:]}")
        assert self._process.returncode == 0, f"exit code {self._process.returncode}:\n{self.log_text()[-6000:]}"

    def pause(self):
        """SIGSTOP: it stands still, as a machine that was suspended would, until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, as a crash or the kernel's memory killer would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log_text(self):
        """What the latest background run wrote."""
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def get(self, path):
        """GET from the HTTP server of the background run; None while it doesn't answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as response:
                return response.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            self.expect_running()
            return None

    def status(self):
        """What the background run tells of itself; {} while it doesn't answer."""
        text = self.get("/status")
        return json.loads(text) if text else {}

    def table_status(self, table):
        """Of a table named as "public.orders"; None while it isn't known."""
        return next((row for row in self.status().get("tables", []) if row["source"] == table), None)

    def wait_streaming(self, timeout_s=60):
        """Until every table is copied and the background run follows changes."""

        def streaming():
            self.expect_running()
            tables = [table for table in self.status().get("tables", []) if table["state"] != "stopped"]
            return tables and all(table["state"] == "streaming" for table in tables)

        wait_until(streaming, "every table streams", timeout_s)
