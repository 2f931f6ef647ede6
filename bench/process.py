"""What Linux tells of processes: CPU time and memory, of a process and those it started; and how they end."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS = 0.1
QUIET_SECONDS = 0.001  # of CPU in that time: what a server takes that only looks at the clock now and then
SETTLED_AFTER_SECONDS = 5.0
END_SECONDS = 5.0
SESSION, CUTIME, CSTIME = 3, 13, 14  # after the name, see proc_pid_stat(5)


def cpu_seconds(root: int) -> float:
    """User and system time of a session: of its leader, and of all processes and threads that live in it or have ended.

    Start the leader with `start_new_session`: so those count whose parent has ended, and those that are no children of
    the leader. Of the ended, those count that their parent waited for (in steps of 10 ms a parent).
    """
    return sum(own_seconds(pid) + ended for pid, ended in _session(root))


def own_seconds(pid: int) -> float:
    """User and system time of one process, its ended threads included, as the scheduler counts it: nanoseconds.

    utime and stime of /proc/PID/stat are the same sum in steps of 10 ms. Those of a thread are guessed from ticks of
    the clock and may be 0 for one that wakes often and shortly; its schedstat is right, and gone when it ends.
    """
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) makes of a process id


def _session(root: int) -> Iterator[tuple[int, float]]:
    """Each process of a session, with the CPU seconds of its ended children."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(stat[SESSION]) == root:
                    yield int(entry.name), (int(stat[CUTIME]) + int(stat[CSTIME])) / TICKS


def busy_seconds() -> float:
    """What the whole machine has computed since it started."""
    user, nice, system, _idle, _iowait, irq, softirq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / TICKS


def ended_seconds() -> float:
    """User and system time of all our children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settle(pid: int) -> None:
    """Wait until the session of a process uses next to no CPU, a few seconds at most."""
    until, before, now = time.monotonic() + SETTLED_AFTER_SECONDS, -1.0, cpu_seconds(pid)
    while now - before > QUIET_SECONDS and time.monotonic() < until:
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
