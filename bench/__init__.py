"""The benchmark: firn beside the floors that PostgreSQL itself sets, in turns, on a server of its own. See README.md."""

import pathlib
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
# PostgreSQL, firn and the readers are started by what the tests start them by.
sys.path.insert(0, str(REPOSITORY / "tests"))
