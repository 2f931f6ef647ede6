"""Writes docs/benchmarks.md from what was measured."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.load import CIPHER, HELD_BYTES, UPLOAD_BYTES
from bench.measure import WORKERS, Cost, Ready, Unit
from bench.servers import EVIDENCE

MIB = 1024 * 1024
KEPT = "<!-- Above: written by `make bench`. Below: written by hand, and kept. -->"
NAMES = {
    "tlslab": "**tlslab serve**",
    "tlslab-events": "tlslab serve --events FILE",
    "tlslab-keylog": "tlslab serve --keylog FILE",
    "tlslab-logs": "tlslab serve --logs DIR",
    "tlslab-pcapng": "tlslab serve --pcapng FILE",
    "bare": "bare loop, same libraries",
    "apache": "Apache mod_ssl",
    "hypercorn": "Hypercorn",
    "uvicorn": "uvicorn",
}
UNITS = {
    "cycle": "A full cycle: new connection, GET, renegotiation with client certificate, 200, close",
    "connect": "A new connection with one GET",
    "keepalive": "One more GET on an open connection",
    "upload": f"An upload of {UPLOAD_BYTES // MIB} MiB that is read",
}
PLURALS = {"cycle": "cycles", "connect": "connections", "keepalive": "GETs", "upload": "uploads"}
SINGULARS = {"cycle": "a cycle", "connect": "a connection", "keepalive": "a GET", "upload": "an upload"}


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything of one run: `held` is bytes by server and number of uploads, `ready` is by whether a PKI was there."""

    rounds: int
    load_before: float
    costs: Mapping[str, tuple[Unit, Mapping[str, Cost | str]]]
    held: Mapping[tuple[str, int], float]
    ready: Mapping[bool, Ready]


def write(path: Path, measured: Measured) -> None:
    """Write the page; what stands below its line `KEPT` stays."""
    kept = path.read_text(encoding="utf-8").partition(KEPT)[2] if path.exists() else "\n"
    path.write_text(page(measured) + KEPT + kept, encoding="utf-8")


def page(measured: Measured) -> str:
    """The page as Markdown."""
    parts = [_beginning(measured)]
    parts += [_costs(kind, unit, results) for kind, (unit, results) in measured.costs.items()]
    parts += [_evidence(measured), _held(measured), _ready(measured), _versions(measured), _method(measured)]
    return "\n".join(parts)


def _beginning(measured: Measured) -> str:
    return f"""# Benchmarks

What the lab costs, beside servers that do a part of its work. A ratio above 1 means that tlslab needs more. Measured
on {datetime.now(UTC):%d %B %Y} by `make bench`, which writes this page.

The machine: {_machine()}. Its load average was {measured.load_before:.1f} when it began.
"""


def _costs(kind: str, unit: Unit, results: Mapping[str, Cost | str]) -> str:
    lines = [f"## {UNITS[kind]}", "", "| server | CPU ms | lowest to highest | tlslab needs | a second |"]
    lines.append("|---|---|---|---|---|")
    lab = results["tlslab"]
    assert isinstance(lab, Cost)
    for name in (server for server in unit.servers if server not in EVIDENCE):
        cost = results[name]
        if isinstance(cost, str):
            lines.append(f"| {NAMES[name]} | skipped: {cost} | | | |")
            continue
        spread = f"{min(cost.milliseconds):.2f} to {max(cost.milliseconds):.2f}"
        ratio = "" if name == "tlslab" else f"{lab.median / cost.median:.2f} times that"
        lines.append(f"| {NAMES[name]} | {cost.median:.2f} | {spread} | {ratio} | {cost.per_second:,.0f} |")
    return "\n".join([*lines, ""])


def _evidence(measured: Measured) -> str:
    kinds = list(measured.costs)
    lines = [
        "## What evidence costs",
        "",
        "CPU beside the lab that writes none of it, and what one unit leaves in the file.",
        "",
    ]
    lines += [f"| server | {' | '.join(SINGULARS[kind] for kind in kinds)} |", f"|---{'|---' * len(kinds)}|"]
    for name in ("tlslab", *EVIDENCE):
        costs = [(results["tlslab"], results[name]) for _, results in measured.costs.values()]
        lines.append(f"| {NAMES[name]} | {' | '.join(_beside(*pair) for pair in costs)} |")
    return "\n".join([*lines, "", _uploads(measured.costs["upload"][1]), ""])


def _beside(lab: Cost | str, cost: Cost | str) -> str:
    if isinstance(lab, str) or isinstance(cost, str):
        return f"skipped: {cost}"
    if lab is cost:
        return f"{lab.median:.2f} ms"
    return f"{cost.median / lab.median:.2f} times that, {cost.written / 1024:,.1f} KiB"


def _uploads(results: Mapping[str, Cost | str]) -> str:
    lab, capture = results["tlslab"], results["tlslab-pcapng"]
    if isinstance(lab, str) or isinstance(capture, str):
        return "No upload was measured."
    plain, captured = (UPLOAD_BYTES / MIB / cost.median * 1000 for cost in (lab, capture))
    return (
        f"A CPU second reads {plain:,.0f} MiB of uploads, or {captured:,.0f} MiB where they are captured; a capture\n"
        f"takes {capture.written / UPLOAD_BYTES:.2f} MiB for each MiB of body."
    )


def _held(measured: Measured) -> str:
    lines = ["## Memory of a stalled upload", "", "| server | uploads held | KiB each |", "|---|---|---|"]
    for (name, uploads), size in measured.held.items():
        lines.append(f"| {NAMES[name]} | {uploads:,} | {size / 1024:.0f} |")
    return "\n".join([*lines, ""])


def _ready(measured: Measured) -> str:
    lines = ["## From start to ready", "", "| | seconds | CPU seconds |", "|---|---|---|"]
    for fresh, ready in measured.ready.items():
        what = "first start: keys and certificates are made" if fresh else "every other start"
        lines.append(f"| {what} | {ready.elapsed:.2f} | {ready.cpu:.2f} |")
    return "\n".join([*lines, ""])


def _versions(measured: Measured) -> str:
    found = {
        name: cost.version
        for _, results in measured.costs.values()
        for name, cost in results.items()
        if isinstance(cost, Cost) and name not in EVIDENCE
    }
    return "\n".join(["## Versions", "", *(f"- {NAMES[name]}: {version}" for name, version in found.items()), ""])


def _method(measured: Measured) -> str:
    counts = ", ".join(f"{unit.count:,} {PLURALS[kind]}" for kind, (unit, _) in measured.costs.items())
    return f"""## Method

- CPU is user and system time of the server and its children, from the kernel's accounts, for a fixed number of units
  a run: {counts}. The clients' is not in it.
- "A second" is how many units went through, with {WORKERS} client processes in Python on the same machine. It says as
  much about them as about the server, and is here for orientation.
- The servers of a table run at the same time and are measured in turn, {measured.rounds} rounds after a warm-up.
  The middle run counts.
- TLS 1.2, {CIPHER}, P-256 certificates, no resumption, HTTP/1.1, loopback; answers as
  long as the lab's everywhere. OpenSSL is not the same everywhere, see above.
- tlslab is `tlslab serve`, its timeline going to a file. The peers write no access log. Apache is the system's, in a
  private instance with its MPM's defaults and `SSLVerifyClient require` in a `<Location>`. Hypercorn and uvicorn run
  one worker in an environment of their own (`bench/requirements.txt`) and serve a constant from memory.
- The bare loop (`bench/bare.py`) does the work with the same libraries, without events, policies, timers, checks of
  what arrives, or a word on the screen. What tlslab needs above it is what its features cost.
- Evidence is measured in the same rounds: each of the labs writes one kind of it, to a file that nobody reads
  meanwhile. What the captures of this page leave in the temporary folder is some 500 MB, removed at the end.
- A stalled upload announced {HELD_BYTES // 1024} KiB to a path that wants a certificate, and is held after 40 KiB.
  Memory is the growth of the server's resident set, divided. The kernel's socket buffers are not in it.
"""


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpu = model[1].strip() if model else platform.machine()
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{os.cpu_count()} CPUs ({cpu}), {memory:.0f} GiB, {system}, Python {platform.python_version()}"
