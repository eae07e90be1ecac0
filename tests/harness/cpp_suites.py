"""Programs of C++ tests that need a server: started here, with the server's address in their environment."""

import os
import re
import subprocess

from .lake import REPOSITORY


def run_suite(program, environment, timeout_s, tests_min, only="*"):
    """Runs `program` of src/ ("catalog/firn_catalog_glue_test") to its end, of its tests those that `only` names: none may
    fail, and at least `tests_min` have to pass. FIRN_CPP_TESTS is another folder of programs than that of the preset dev."""
    path = os.path.join(os.environ.get("FIRN_CPP_TESTS", REPOSITORY / "build/dev/src"), program)
    assert os.path.exists(path), f"{path} is missing: run scripts/build dev {os.path.basename(program)}"
    done = subprocess.run(
        [path, f"--gtest_filter={only}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=os.environ | {"LSAN_OPTIONS": f"suppressions={REPOSITORY / 'tests/harness/leaks.supp'}"} | environment,
    )
    assert done.returncode == 0, f"{program} gave {done.returncode}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    passed = re.search(r"^\[  PASSED  \] (\d+) tests", done.stdout, re.MULTILINE)
    assert passed and int(passed[1]) >= tests_min, done.stdout[-2000:]
