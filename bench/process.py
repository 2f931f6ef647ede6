"""What Linux tells of processes: CPU time and memory, of a process and the children it has; and how they end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS = 0.1
SETTLED_AFTER_SECONDS = 5.0
END_SECONDS = 5.0
UTIME, STIME, CUTIME, CSTIME, PPID = 11, 12, 13, 14, 1  # after the name, see proc_pid_stat(5)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(root: int) -> float:
    """User and system time of a process, of its living children and of those that ended; in steps of 10 ms."""
    own = _stat(root)
    ticks = sum(int(own[field]) for field in (UTIME, STIME, CUTIME, CSTIME))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = _stat(int(entry.name))
                if int(stat[PPID]) == root:
                    ticks += int(stat[UTIME]) + int(stat[STIME])
    return ticks / TICKS


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settle(pid: int) -> None:
    """Wait until the process uses no more CPU, a few seconds at most."""
    until, before, now = time.monotonic() + SETTLED_AFTER_SECONDS, -1.0, cpu_seconds(pid)
    while before != now and time.monotonic() < until:
        time.sleep(SETTLE_SECONDS)
        before, now = now, cpu_seconds(pid)


def end(child: subprocess.Popen[bytes]) -> None:
    """Ask a process that we started to end, and make it."""
    child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
