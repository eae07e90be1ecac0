"""One run of the benchmark: what its scenarios share."""

import contextlib
import pathlib
import shutil
import tempfile

from .source import Source


class Bench:
    """A throwaway server and a folder for lakes. Scenarios run one after the other."""

    def __init__(self, directory, source, rounds, scale_down, peers):
        self.directory = directory
        self.rounds = rounds
        self.scale_down = scale_down
        self.peers = peers
        self.source = source

    def scaled(self, count, multiple=1):
        """A scenario's full count divided as the run's arguments say, and a multiple of `multiple`."""
        return max(count // self.scale_down // multiple, 1) * multiple


@contextlib.contextmanager
def started(rounds, scale_down, peers):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-bench-"))
    directory.chmod(0o755)  # The server runs as another user.
    try:
        with Source(directory / "postgres") as source:
            yield Bench(directory, source, rounds, scale_down, peers)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
