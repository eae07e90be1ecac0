"""firn as it is measured: one pipeline with the defaults of its configuration, but for what a scenario sets."""

import contextlib
import dataclasses
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from harness.firn_process import BINARY, Firn
from harness.lake import Lake

from . import measure

@dataclasses.dataclass
class Taken:
    """What a background run took; known once it has ended."""

    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


class Pipeline:
    """A firn with a lake, a state folder and a slot below `directory`, which a scenario may take back to an earlier state."""

    def __init__(self, directory, database, settings=None, slot="firn"):
        self.database = database
        self.slot = slot  # The publication's name as well.
        # The tests' own choice is taken back to the default.
        sections = {"writer": {"commit_interval_ms": None}}
        for name, values in (settings or {}).items():
            sections[name] = sections.get(name, {}) | values
        self.firn = Firn(directory, database.url, slot=slot, settings=sections)
        self._kept = self.firn.directory / "kept"

    @property
    def kept_slot(self):
        """Stands where `keep` found firn's slot."""
        return f"{self.slot}_kept"

    @property
    def lake(self):
        return Lake(self.firn.warehouse, java=None)

    def catch_up(self):
        """`firn run --until-caught-up`: a copy where there is none yet, and all changes that are committed now."""
        return measure.run([BINARY, "run", "--config", self.firn.config, "--until-caught-up"])

    @contextlib.contextmanager
    def running(self):
        """`firn run` in the background, which streams already; what is buffered at the end is committed. Gives what it took."""
        taken = Taken()
        self.firn.start()
        try:
            self.firn.wait_streaming()
            yield taken
            taken.cpu_seconds = measure.cpu_seconds_of(self.firn.pid)
            taken.peak_mib = measure.peak_mib_of(self.firn.pid)
            self.firn.stop()
        finally:
            self.firn.kill()

    def metric(self, name, table):
        """A value of the background run's /metrics for public.`table`."""
        pattern = rf'^{re.escape(name)}\{{[^}}]*table="public\.{table}"[^}}]*\}} (\S+)$'
        found = re.search(pattern, self.firn.get("/metrics") or "", re.MULTILINE)
        return float(found[1]) if found else 0.0

    def forget(self):
        """As if firn had never run."""
        for folder in self._folders():
            shutil.rmtree(folder, ignore_errors=True)
        self.database.drop_slot(self.slot)
        self.database.execute(f"DROP PUBLICATION IF EXISTS {self.slot}")

    def keep(self):
        """Remembers lake, state and slot as they are."""
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir()
        for folder in self._folders():
            copy_folder(folder, self._kept / folder.name)
        self.database.copy_slot(self.slot, self.kept_slot)

    def return_to_kept(self):
        """Takes all three back to what `keep` remembered, with nothing left to be written to disk."""
        used = Path(tempfile.mkdtemp(prefix="used-", dir=self.firn.directory))
        for folder in self._folders():
            # Deleted at the end: for minutes, ext4 looks at each inode that was freed before it takes another.
            folder.rename(used / folder.name)
            copy_folder(self._kept / folder.name, folder)
        self.database.copy_slot(self.kept_slot, self.slot)
        os.sync()

    def delete_files(self):
        shutil.rmtree(self.firn.directory)

    def _folders(self):
        return [self.firn.warehouse, self.firn.directory / "state"]


class CatalogWatch:
    """Where the catalog says that a table's metadata is, asked again and again over one connection."""

    def __init__(self, pipeline, table):
        self._connection = sqlite3.connect(f"file:{pipeline.firn.warehouse}/catalog.db?mode=ro", uri=True, check_same_thread=False)
        self._table = table

    def location(self):
        query = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = 'public' AND table_name = ?"
        return self._connection.execute(query, [self._table]).fetchone()[0]

    def close(self):
        self._connection.close()


def copy_folder(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def version():
    return subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout.strip()
