"""Programs of C++ tests that need a server: started here, with the server's address in their environment."""

import os
import re
import subprocess

from .lake import REPOSITORY


def run_suite(program, environment, timeout_s, tests_min):
    """Runs src/catalog's `program` to its end: no test may fail, and at least `tests_min` have to pass. FIRN_CATALOG_TESTS is
    another folder of programs than that of the preset dev."""
    path = os.path.join(os.environ.get("FIRN_CATALOG_TESTS", REPOSITORY / "build/dev/src/catalog"), program)
    assert os.path.exists(path), f"{path} is missing: run scripts/build dev {program}"
    done = subprocess.run(
        [path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, env=os.environ | environment
    )
    assert done.returncode == 0, f"{program} gave {done.returncode}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    passed = re.search(r"^\[  PASSED  \] (\d+) tests", done.stdout, re.MULTILINE)
    assert passed and int(passed[1]) >= tests_min, done.stdout[-2000:]
