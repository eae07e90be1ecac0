"""Waiting for something to become true, with a deadline; and nothing that outlives who waits."""

import ctypes
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


def end_with_parent(signal_number):
    """For preexec_fn: the kernel sends this process the signal when its parent dies, however that happens."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(signal_number))
