"""What a command takes: wall clock, CPU seconds and peak memory, of it and of all processes that it starts."""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass(frozen=True)
class Measure:
    seconds: float
    cpu_seconds: float  # User and system, of the command and what it started.
    peak_mib: float  # Resident memory, summed over the processes of one moment.


def run(command, *, environment=None, directory=None):
    """Runs a command to its end, in a session of its own; what it leaves running there is ended. Raises RuntimeError with the
    end of its stderr when it fails. Its stdout goes to /dev/null."""
    become_subreaper()
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=directory,
            env=os.environ | {name: str(value) for name, value in (environment or {}).items()},
            start_new_session=True,
        )
        memory = PeakMemory(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            peak_mib = memory.stop()
            rest_cpu_seconds = end_session(process.pid)
        if process.returncode != 0:
            errors.seek(0)
            text = errors.read().decode(errors="replace")[-4000:]
            raise RuntimeError(f"{' '.join(map(str, command))} gave {process.returncode}: {text}")
    return Measure(seconds, usage.ru_utime + usage.ru_stime + rest_cpu_seconds, peak_mib)


def become_subreaper():
    """Processes whose parent ends become this one's children, so that it can wait for them and gets their CPU time."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def end_session(session):
    """Kills what is left of a session whose leader has ended, and gives the CPU seconds that it had taken."""
    seconds = 0.0
    # A process that is killed may have started another just before.
    while members := members_of(session):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in members:
            with contextlib.suppress(ChildProcessError):  # The child of another member; it becomes ours.
                _, _, usage = os.wait4(pid, 0)
                seconds += usage.ru_utime + usage.ru_stime
        time.sleep(0.01)
    return seconds


def members_of(session):
    """The processes of a session."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _session_of(pid) == session]


def _session_of(pid):
    fields = _stat_fields(pid)
    return int(fields[3]) if fields else None


def _stat_fields(pid):
    """What follows the name in /proc/PID/stat (proc(5), from field 3 on); None when the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def cpu_seconds_of(pid):
    """The CPU seconds that a running process has taken so far."""
    user, system = _stat_fields(pid)[11:13]
    return (int(user) + int(system)) / CLOCK_TICKS


def peak_mib_of(pid):
    """The most memory that a running process has had resident so far. (rusage of a child counts what its parent had.)"""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


class PeakMemory:
    """Looks at a session's resident memory every 20 ms, and every half second for processes that are new in it."""

    SAMPLE_S = 0.02
    SAMPLES_PER_SEARCH = 25

    def __init__(self, session):
        self._session = session
        self._peak_mib = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory")
        self._thread.start()

    def _watch(self):
        members = [self._session]
        samples = 0
        while not self._stopped.wait(self.SAMPLE_S):
            samples += 1
            if samples % self.SAMPLES_PER_SEARCH == 0:
                members = members_of(self._session)
            # Of one process the kernel keeps the peak itself; of several, the moments count.
            now = peak_mib_of(self._session) if members == [self._session] else sum(map(_resident_mib, members))
            self._peak_mib = max(self._peak_mib, now)

    def stop(self):
        """The peak in MiB."""
        self._stopped.set()
        self._thread.join()
        return self._peak_mib


def _resident_mib(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20
    except OSError:
        return 0.0
