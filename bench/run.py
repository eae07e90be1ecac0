"""firn beside the floors that PostgreSQL itself sets, in turns, on a server of its own. `make bench` runs this.

Copy:   psql's COPY … TO STDOUT (FORMAT binary) of all pgbench tables to /dev/null, and firn's initial copy of them.
Stream: pg_recvlogical's pgoutput of a backlog of pgbench transactions to /dev/null, and firn catching up with it.

Both sides of a pair meet the same data in the same state. Each is measured by wall clock, by its own CPU seconds and by
its peak memory (the server's are not counted), over several rounds; the medians count. At the end the contents of all
tables are compared. Results go to bench/results/ and, as a table, to bench/README.md.
"""

import argparse
import dataclasses
import datetime
import io
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import pyarrow
import pyarrow.csv

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from harness.firn_process import BINARY, Firn  # noqa: E402
from harness.lake import Lake  # noqa: E402
from harness.postgres_server import PostgresServer, binaries  # noqa: E402
from pyiceberg.table import StaticTable  # noqa: E402

TABLES = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"]
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "autovacuum": "off"}
MARKS = ("<!-- results: written by bench/run.py -->", "<!-- end of results -->")


@dataclasses.dataclass
class Measure:
    seconds: float
    cpu_seconds: float
    peak_mib: float


class PeakMemory:
    """A process's largest resident set, in KiB. (rusage has that of this Python too, from before the exec.)"""

    def __init__(self, pid):
        self._status = pathlib.Path(f"/proc/{pid}/status")
        self._peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        while not self._stopped.wait(0.01):
            try:
                found = re.search(r"VmHWM:\s*(\d+)", self._status.read_text())
            except OSError:  # The process has ended.
                return
            self._peak = max(self._peak, int(found[1]) if found else 0)

    def stop(self):
        self._stopped.set()
        self._thread.join()
        return self._peak


def measure(command, output=subprocess.DEVNULL):
    """Runs a command to its end; fails when it does."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        peak = PeakMemory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{command[0]} gave {process.returncode}: {errors.read().decode(errors='replace')[-4000:]}")
    return Measure(seconds, usage.ru_utime + usage.ru_stime, peak.stop() / 1024)


class Bench:
    def __init__(self, arguments, directory):
        self.arguments = arguments
        self.directory = directory
        self.server = PostgresServer(directory / "postgres", settings=SETTINGS)
        self.rounds = []

    def run(self):
        self.server.start()
        try:
            for number in range(self.arguments.rounds):
                self.rounds.append(self.one_round(number))
                print(f"round {number + 1}: " + ", ".join(f"{n} {m.seconds:.2f} s" for n, m in self.rounds[-1].items()), flush=True)
        finally:
            self.server.stop()

    def one_round(self, number):
        database = self.server.create_database(f"bench_{number}")
        self.pgbench(database, "-i", "-q", "-s", str(self.arguments.scale))
        self.checkpoint()
        url = self.server.url(database)
        firn = Firn(self.directory / f"round-{number}", url, settings={"writer": {"commit_interval_ms": 10_000}, "http": {"listen": ""}})
        catch_up = [str(BINARY), "run", "--config", str(firn.config), "--until-caught-up"]
        result = {}

        copies = [part for table in TABLES for part in ("-c", f"COPY {table} TO STDOUT (FORMAT binary)")]
        steps = [
            ("copy floor", lambda: measure([binaries() / "psql", "-X", "-q", "-d", url, *copies])),
            ("copy firn", lambda: measure(catch_up)),
        ]
        # The first of a pair warms the cache for the second: each leads in every other round.
        for name, step in steps if number % 2 == 0 else steps[::-1]:
            result[name] = step()

        with self.server.connect(database) as connection:
            connection.execute("SELECT pg_create_logical_replication_slot('floor', 'pgoutput')")
            self.pgbench(database, "-n", "-c", "4", "-t", str(self.arguments.transactions // 4))
            connection.execute("SELECT pg_switch_wal()")
            end = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
            connection.execute("INSERT INTO pgbench_history (tid) VALUES (0)")  # So that there is something at `end`.
        self.checkpoint()
        receive = [
            *(binaries() / "pg_recvlogical", "-d", url, "-S", "floor", "--start", "-n", "-f", os.devnull, "--endpos", end),
            *("-o", "proto_version=2", "-o", "publication_names=firn", "-o", "binary=true"),
        ]
        steps = [("stream floor", lambda: measure(receive)), ("stream firn", lambda: measure(catch_up))]
        for name, step in steps if number % 2 == 0 else steps[::-1]:
            result[name] = step()

        if number == self.arguments.rounds - 1:
            self.compare(database, Lake(firn.warehouse, java=None))
        self.server.drop_database(database)
        shutil.rmtree(firn.directory)
        return result

    def pgbench(self, database, *arguments):
        process = self.server.pgbench(database, *arguments)
        output, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(output)

    def checkpoint(self):
        with self.server.connect() as connection:
            connection.execute("CHECKPOINT")

    def compare(self, database, lake):
        """Every row of every table, sorted, as Arrow tables."""
        for name in TABLES:
            location = lake.table("public", name).metadata_location
            theirs = StaticTable.from_metadata(location).scan().to_arrow()
            types = {field.name: field.type for field in theirs.schema}
            with self.server.connect(database) as connection, connection.cursor() as cursor:
                with cursor.copy(f"COPY {name} TO STDOUT (FORMAT csv, HEADER)") as copy:
                    content = io.BytesIO(b"".join(copy))
            options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False)
            ours = pyarrow.csv.read_csv(content, convert_options=options)
            order = [(column, "ascending") for column in types]
            theirs = theirs.select(ours.column_names).cast(ours.schema)
            if not ours.sort_by(order).combine_chunks().equals(theirs.sort_by(order).combine_chunks()):
                raise RuntimeError(f"{name}: {ours.num_rows} rows in PostgreSQL, {theirs.num_rows} in the lake, and they differ")
        print("contents are equal", flush=True)


def summarise(bench):
    """The medians, and firn's part of the floor's speed in each pair (1 is as fast as PostgreSQL sends)."""
    medians = {
        name: {
            field.name: statistics.median(getattr(result[name], field.name) for result in bench.rounds)
            for field in dataclasses.fields(Measure)
        }
        for name in sorted(bench.rounds[0])
    }
    ratios = {
        kind: statistics.median(r[f"{kind} firn"].seconds / r[f"{kind} floor"].seconds for r in bench.rounds) for kind in ("copy", "stream")
    }
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "model": cpu_model(), "system": platform.platform()},
        "scale": bench.arguments.scale,
        "rows_copied": bench.arguments.scale * 100_011,
        "transactions_streamed": bench.arguments.transactions,
        "changes_streamed": bench.arguments.transactions * 4,
        "rounds": [{name: dataclasses.asdict(result) for name, result in one.items()} for one in bench.rounds],
        "medians": medians,
        "times_the_floor": ratios,
    }


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def table(results):
    """The results as Markdown."""
    lines = [
        f"{results['when'][:10]}, {results['machine']['cpus']} × {results['machine']['model']}; pgbench scale {results['scale']}"
        f" ({results['rows_copied']:,} rows), {results['transactions_streamed']:,} transactions"
        f" ({results['changes_streamed']:,} row changes); medians of {len(results['rounds'])} rounds.",
        "",
        "| | seconds | rows or changes per second | CPU seconds | peak MiB | times the floor |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind, title, work in (("copy", "copy", results["rows_copied"]), ("stream", "stream", results["changes_streamed"])):
        for who in ("floor", "firn"):
            m = results["medians"][f"{kind} {who}"]
            tool = {"copy": "psql `COPY` to /dev/null", "stream": "`pg_recvlogical` to /dev/null"}[kind] if who == "floor" else "**firn**"
            ratio = f"{results['times_the_floor'][kind]:.2f}" if who == "firn" else "1"
            lines.append(
                f"| {title}: {tool} | {m['seconds']:.2f} | {work / m['seconds']:,.0f} | {m['cpu_seconds']:.2f} | {m['peak_mib']:.0f} | {ratio} |"
            )
    return "\n".join(lines)


def write(results, name):
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    readme.write_text(f"{before}{MARKS[0]}\n{table(results)}\n{MARKS[1]}{after}")
    print(table(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=10, help="pgbench scale: 100,000 rows each")
    parser.add_argument("--transactions", type=int, default=20_000, help="pgbench transactions in the backlog, four row changes each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", default="latest", help="the file in bench/results/")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-bench-"))
    directory.chmod(0o755)
    try:
        bench = Bench(arguments, directory)
        bench.run()
        write(summarise(bench), arguments.name)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
