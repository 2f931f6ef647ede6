"""Runs the benchmarks and writes docs/benchmarks.md: `make bench`, or `python -m bench --rounds 3`.

Everything is on loopback and bounded in number and time, and every process that is started here is ended here.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import measure, report, scale, starts
from bench.machine import Others
from bench.measure import ALONE, AT_ONCE, Unit
from bench.servers import EVIDENCE, ROOT, Files, make_files

PEERS_OF_GETS = ("tlslab", *EVIDENCE, "bare", "hypercorn", "uvicorn")
UNITS = (
    Unit("cycle", "/secure", ("tlslab", *EVIDENCE, "bare", "apache"), {AT_ONCE: 280, ALONE: 100}),
    Unit("connect", "/open", PEERS_OF_GETS, {AT_ONCE: 400, ALONE: 120}),
    Unit("keepalive", "/open", PEERS_OF_GETS, {AT_ONCE: 2000, ALONE: 600}),
    # some 500 MB of capture in the temporary folder
    Unit("upload", "/open", ("tlslab", *EVIDENCE, "bare", "bare-sha256"), {AT_ONCE: 8, ALONE: 4}),
)
STALLED = {"tlslab": (500, 2_000, 10_000), "tlslab-pcapng": (500, 2_000), "bare": (500, 2_000)}
SESSIONS = (2_000, 10_000)
STARTS = 5
BEGUN = time.monotonic()


def say(text: str) -> None:
    """Tell whoever waits how far it is, and since when."""
    sys.stderr.write(f"{time.monotonic() - BEGUN:4.0f} s  {text}\n")


def measured(files: Files, rounds: int) -> report.Measured:
    """Measure everything, one thing after the other."""
    others = Others()
    ready = starts.starts(files, STARTS)
    say(f"started: {', '.join(ready)}")
    costs = {unit.kind: (unit, measure.costs(unit, files, rounds, say)) for unit in UNITS}
    stalled = {name: scale.held("hold", name, counts, files, say) for name, counts in STALLED.items()}
    sessions = scale.held("fill", "tlslab", SESSIONS, files, say)
    return report.Measured(rounds, others.found(), costs, stalled, sessions, ready)


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(prog="bench", description="Compare tlslab with its peers.")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 21), metavar="N", help="runs of each (5)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md", metavar="FILE")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("bench: it reads /proc, which only Linux has")
    # All that is started inherits these: room for thousands of connections, and modules that are compiled only once.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for number in (signal.SIGTERM, signal.SIGHUP):  # what is started is not of our terminal, and must be ended by us
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="tlslab-bench-") as folder:
        report.write(options.out, measured(make_files(Path(folder)), options.rounds))
    say(f"written: {options.out}")


if __name__ == "__main__":
    main()
