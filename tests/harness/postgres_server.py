"""A throwaway PostgreSQL server with logical replication, on a free port of 127.0.0.1."""

import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

import psycopg
from psycopg import sql

from .waiting import end_with_parent, wait_until

DEFAULT_SETTINGS = {
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "40",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "logical_decoding_work_mem": "1MB",
    # The server is thrown away: nothing has to survive a crash of the machine. Commits are synchronous all the same: the
    # stream sends only what was written, and asynchronous ones are written up to 200 ms later.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
}


def binaries() -> pathlib.Path:
    """Where initdb, postgres, psql and pgbench are: $POSTGRES_BIN, Debian's place, or that of psql."""
    if "POSTGRES_BIN" in os.environ:
        return pathlib.Path(os.environ["POSTGRES_BIN"])
    debian = pathlib.Path("/usr/lib/postgresql/15/bin")
    if debian.is_dir():
        return debian
    found = shutil.which("initdb")
    if not found:
        raise RuntimeError("no PostgreSQL server programs: run scripts/install-dependencies demo, or set POSTGRES_BIN")
    return pathlib.Path(found).parent


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PostgresServer:
    """PostgreSQL refuses to run as root: then it runs as Debian's user `postgres`, who gets to own `directory`."""

    def __init__(self, directory, settings=None, hba_lines=(), programs=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.port = None
        self._process = None
        self._programs = programs or binaries()
        self._settings = DEFAULT_SETTINGS | (settings or {})
        self._hba_lines = list(hba_lines)
        self._as_user = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def start(self):
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        for attempt in range(5):
            self.port = free_port()
            self._launch()
            try:
                self._wait_ready()
                return self
            except RuntimeError:
                # Another process may have taken the port in between.
                if attempt == 4 or "could not bind" not in self.log_tail():
                    raise
        return self

    def _initialize(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._as_user:
            shutil.chown(self.directory, self._as_user["user"], self._as_user["group"])
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        if self._hba_lines:
            hba = self.data / "pg_hba.conf"
            hba.write_text("\n".join(self._hba_lines) + "\n" + hba.read_text())

    def copy_from(self, primary, slot):
        """Before start: this server becomes a standby of `primary`, through a physical slot that is made there. The primary is
        stopped for that, and started again at another port."""
        with primary.connect() as connection:
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", [slot])
        primary.stop(signal.SIGINT)
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._as_user:
            shutil.chown(self.directory, self._as_user["user"], self._as_user["group"])
        subprocess.run(["cp", "-a", primary.data, self.data], check=True)
        shutil.rmtree(self.data / "pg_replslot" / slot)
        (self.data / "standby.signal").touch()
        primary.start()
        self._settings["primary_conninfo"] = f"host=127.0.0.1 port={primary.port} user=postgres dbname=postgres application_name={slot}"
        self._settings["primary_slot_name"] = slot

    def _launch(self):
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._settings}
        command = [self._programs / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(signal.SIGQUIT),
                **self._as_user,
            )

    def _wait_ready(self):
        def answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended at start: {self.log_tail()}")
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                return False

        wait_until(answers, f"PostgreSQL in {self.directory} answers")

    def _run(self, program, *arguments):
        done = subprocess.run(
            [self._programs / program, *arguments], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, **self._as_user
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def stop(self, how=signal.SIGQUIT):
        if self._process is None or self._process.poll() is not None:
            return
        # SIGQUIT is the immediate shutdown; SIGINT the fast one, which waits for replication clients.
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def url(self, database, user="postgres", password=None):
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database="postgres", **options):
        return psycopg.connect(self.url(database), autocommit=True, **options)

    def create_database(self, name):
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name):
        """Drops the database with the replication slots that were left in it."""
        with self.connect() as connection:

            def slots_gone():
                slots = connection.execute(
                    "SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = %s", [name]
                ).fetchall()
                for slot, active_pid in slots:
                    if active_pid:
                        connection.execute("SELECT pg_terminate_backend(%s)", [active_pid])
                    else:
                        connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
                return not slots

            wait_until(slots_gone, f"the slots of {name} are dropped")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def pgbench(self, database, *arguments, **popen_options):
        """Starts pgbench and gives its process."""
        return subprocess.Popen(
            [binaries() / "pgbench", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *arguments, database],
            stdin=subprocess.DEVNULL,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | popen_options),
        )


def identifier(text, length_max=50):
    """`text` as a name that needs no quoting, for databases and slots."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[-length_max:].strip("_")
