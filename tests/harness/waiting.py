"""Waiting for something to become true, with a deadline."""

import time


def wait_until(condition, what, timeout_s=60, interval_s=0.05):
    """Calls `condition` until it gives something true, which is returned; after `timeout_s` fails with `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(interval_s)
