"""Runs the benchmarks and writes docs/benchmarks.md: `make bench`, or `python -m bench --rounds 3`.

Everything is on loopback and bounded in number and time, and every process that is started here is ended here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import measure, report
from bench.measure import Unit
from bench.servers import EVIDENCE, ROOT, make_files

UNITS = (
    Unit("cycle", "/secure", 400, ("tlslab", *EVIDENCE, "bare", "apache")),
    Unit("connect", "/open", 700, ("tlslab", *EVIDENCE, "bare", "hypercorn", "uvicorn")),
    Unit("keepalive", "/open", 4000, ("tlslab", *EVIDENCE, "bare", "hypercorn", "uvicorn")),
    Unit("upload", "/open", 12, ("tlslab", *EVIDENCE, "bare")),  # some 500 MB of capture in the temporary folder
)
HELD = (500, 2000)
STARTS = 5


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    sys.stderr.write(f"{text}\n")


def main() -> None:
    """Measure everything, one thing after the other."""
    parser = argparse.ArgumentParser(prog="bench", description="Compare tlslab with its peers.")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 21), metavar="N", help="runs of each (5)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md", metavar="FILE")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("bench: it reads /proc, which only Linux has")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tlslab-bench-") as folder:
        files = make_files(Path(folder))
        costs = {unit.kind: (unit, measure.costs(unit, files, options.rounds, say)) for unit in UNITS}
        held = {}
        for name in ("tlslab", "tlslab-pcapng", "bare"):
            for uploads in HELD:
                held[name, uploads] = measure.held_bytes(name, uploads, files)
                say(f"{uploads} uploads held: {name} {held[name, uploads] / 1024:.1f} KiB each")
        ready = {fresh: measure.ready("tlslab", files, STARTS, fresh=fresh) for fresh in (False, True)}
    report.write(options.out, report.Measured(options.rounds, load, costs, held, ready))
    say(f"written: {options.out}")


if __name__ == "__main__":
    main()
