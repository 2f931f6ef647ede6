"""What the figures were made on: the machine, its Python, and what else it had to do meanwhile."""

from __future__ import annotations

import os
import platform
import re
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from bench import process

MUCH_LOAD = 1.5
MUCH_OF_OTHERS = 0.5  # CPUs


@dataclass(frozen=True, slots=True)
class Work:
    """Load averages when it began and ended, and how many CPUs programs of others used meanwhile."""

    load_before: float
    load_after: float
    of_others: float

    def __str__(self) -> str:
        """One or two sentences."""
        words = (
            f"Its load average was {self.load_before:.1f} at the start and {self.load_after:.1f} at the end;\n"
            f"programs other than these used {self.of_others:.1f} CPUs meanwhile."
        )
        if self.load_before > MUCH_LOAD or self.of_others > MUCH_OF_OTHERS:
            words += "\n**Others were at work on it: ratios still say something, milliseconds little.**"
        return words


class Others:
    """Counts from now on what the machine computes beside us and what we start."""

    def __init__(self) -> None:
        self._load, self._begun, self._spent = os.getloadavg()[0], time.monotonic(), self._theirs()

    def found(self) -> Work:
        """What they did; call it when everything that we started has ended."""
        theirs = (self._theirs() - self._spent) / (time.monotonic() - self._begun)
        return Work(self._load, os.getloadavg()[0], max(theirs, 0.0))

    @staticmethod
    def _theirs() -> float:
        return process.busy_seconds() - process.ended_seconds() - time.process_time()


def facts() -> str:
    """The machine in one line."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    flags = re.search(r"(?:flags|Features)\s*: (.*)", info)
    has_sha = bool(flags and {"sha_ni", "sha2"} & set(flags[1].split()))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return (
        f"{os.cpu_count()} CPUs ({model[1].strip() if model else platform.machine()}"
        f"{'' if has_sha else ', without SHA instructions'}), {memory:.0f} GiB,\n"
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()} configured with{'' if optimized else 'out'} --enable-optimizations"
    )
