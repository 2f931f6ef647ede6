"""Writes docs/benchmarks.md from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.load import CIPHER, HELD_BYTES, UPLOAD_BYTES
from bench.machine import Work, facts
from bench.measure import ALONE, AT_ONCE, Cost, Series, Unit
from bench.scale import BATCHES, CONNECTIONS, GETS, Step
from bench.servers import EVIDENCE
from bench.starts import FIRST_SERVE, SERVE, Start

MIB = 1024 * 1024
KEPT = "<!-- Above: written by `make bench`. Below: written by hand, and kept. -->"
NAMES = {
    "tlslab": "**tlslab serve**",
    "tlslab-events": "tlslab serve --events FILE",
    "tlslab-keylog": "tlslab serve --keylog FILE",
    "tlslab-logs": "tlslab serve --logs DIR",
    "tlslab-pcapng": "tlslab serve --pcapng FILE",
    "bare": "bare loop, same libraries",
    "bare-sha256": "bare loop that tells the SHA-256 too",
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
STARTS = {SERVE: "`tlslab serve`, until it is ready", FIRST_SERVE: "the first time: keys and certificates are made"}
UPLOADS = """The lab tells the SHA-256 of each body in its answer. The bare loop of the last row does that too, the one
above it does not. So the upper ratio has the price of the hash in it, the lower one has not.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything of one run; `stalled` by server and number of uploads, `sessions` by their number."""

    rounds: int
    work: Work
    costs: Mapping[str, tuple[Unit, Mapping[str, Cost | str]]]
    stalled: Mapping[str, Mapping[int, Step | str]]
    sessions: Mapping[int, Step | str]
    starts: Mapping[str, Start]


def write(path: Path, measured: Measured) -> None:
    """Write the page; what stands below its line `KEPT` stays."""
    kept = path.read_text(encoding="utf-8").partition(KEPT)[2] if path.exists() else "\n"
    path.write_text(page(measured) + KEPT + kept, encoding="utf-8")


def page(measured: Measured) -> str:
    """The page as Markdown."""
    parts = [_beginning(measured)]
    parts += [_costs(kind, unit, results) for kind, (unit, results) in measured.costs.items()]
    parts += [_evidence(measured), _crowd(measured), _memory(measured), _starts(measured), _versions(measured)]
    return "\n".join([*parts, _method(measured), ""])


def _beginning(measured: Measured) -> str:
    return f"""# Benchmarks

What the lab costs, beside servers that do a part of its work. A ratio above 1 means that tlslab needs more. Measured
on {datetime.now(UTC):%d %B %Y} by `make bench`, which writes this page.

Each unit is measured with {AT_ONCE} clients at once, and with one that does one after the other. Then each wait is a
wake-up, and all servers need more. In brackets: the lowest and the highest run.

The machine: {facts()}.
{measured.work}
"""


# --- what a unit costs -----------------------------------------------------------------------------------------------


def _costs(kind: str, unit: Unit, results: Mapping[str, Cost | str]) -> str:
    lines = [f"## {UNITS[kind]}", ""]
    lines.append(
        f"| server | CPU ms, {AT_ONCE} at once | tlslab needs | a second | CPU ms, one by one | tlslab needs |"
    )
    lines.append("|---|---|---|---|---|---|")
    lab = results["tlslab"]
    assert isinstance(lab, Cost)
    for name in (server for server in unit.servers if server not in EVIDENCE):
        cost = results[name]
        if isinstance(cost, str):
            lines.append(f"| {NAMES[name]} | skipped: {cost} | | | | |")
            continue
        (busy, more), (alone, more_alone) = (_series(lab.series[many], cost.series[many]) for many in (AT_ONCE, ALONE))
        lines.append(
            f"| {NAMES[name]} | {busy} | {more} | {cost.series[AT_ONCE].per_second:,.0f} | {alone} | {more_alone} |"
        )
    return "\n".join([*lines, "", *([UPLOADS] if kind == "upload" else [])])


def _series(lab: Series, its: Series) -> tuple[str, str]:
    """The cell with milliseconds, and the one that compares."""
    digits = 1 if its.median > 10 else 2 if its.median > 1 else 3
    low, middle, high = (
        f"{number:.{digits}f}" for number in (min(its.milliseconds), its.median, max(its.milliseconds))
    )
    return f"{middle} ({low} to {high})", "" if its is lab else f"{lab.beside(its):.2f} times that"


def _evidence(measured: Measured) -> str:
    kinds = list(measured.costs)
    lines = [
        "## What evidence costs",
        "",
        f"CPU beside the lab that writes none of it, with {AT_ONCE} clients, and what one unit leaves in the file.",
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
    return f"{cost.beside(lab):.2f} times that, {cost.written / 1024:,.1f} KiB"


def _uploads(results: Mapping[str, Cost | str]) -> str:
    lab, capture = results["tlslab"], results["tlslab-pcapng"]
    if isinstance(lab, str) or isinstance(capture, str):
        return "No upload was measured."
    plain, captured = (UPLOAD_BYTES / MIB / cost.median * 1000 for cost in (lab, capture))
    bare = (capture.median - capture.writing) / lab.median
    return (
        f"A CPU second reads {plain:,.0f} MiB of uploads, or {captured:,.0f} MiB where they are captured; a capture\n"
        f"takes {capture.written / UPLOAD_BYTES:.2f} MiB for each MiB of body. "
        f"Of the {capture.median:.1f} ms of a captured upload\n"
        f"{capture.writing:.1f} are what any program takes to write as much; "
        f"without them it is {bare:.2f} times one\nthat is not captured."
    )


# --- many at once, and the start -------------------------------------------------------------------------------------


def _crowd(measured: Measured) -> str:
    lines = [
        "## What thousands do to one more client",
        "",
        "In brackets: times what a lab that holds nothing shows at the same time.",
        "",
        "| held | a new client is done in | 19 of 20 within | CPU for that | CPU of one more GET | CPU for holding |",
        "|---|---|---|---|---|---|",
    ]
    for what, steps in (("stalled uploads", measured.stalled["tlslab"]), ("sessions", measured.sessions)):
        for count, step in steps.items():
            if isinstance(step, str):
                lines.append(f"| {count:,} {what} | skipped: {step} | | | | |")
            elif step.probes:
                cells = (f"{here:.2f} ms ({here / idle:.2f})" for here, idle in zip(*step.probes, strict=True))
                lines.append(f"| {count:,} {what} | {' | '.join(cells)} | {step.holding:.1f} ms a second |")
    return "\n".join([*lines, ""])


def _memory(measured: Measured) -> str:
    counts = [count for count in measured.stalled["tlslab"] if count]
    lines = ["## Memory, KiB each", "", f"| what | {' | '.join(f'{count:,} held' for count in counts)} |"]
    lines.append(f"|---{'|---' * len(counts)}|")
    rows = {f"a stalled upload, {NAMES[name]}": steps for name, steps in measured.stalled.items()}
    rows[f"a session, {NAMES['tlslab']}"] = measured.sessions
    for what, steps in rows.items():
        lines.append(f"| {what} | {' | '.join(_kibibytes(steps.get(count)) for count in counts)} |")
    return "\n".join([*lines, ""])


def _kibibytes(step: Step | str | None) -> str:
    if isinstance(step, Step):
        size = step.bytes_each / 1024
        return f"{size:.0f}" if size > 10 else f"{size:.1f}"
    return f"skipped: {step}" if step else ""


def _starts(measured: Measured) -> str:
    lines = ["## From start to end, or to ready", ""]
    lines += ["| command | seconds | CPU ms | what its imports cost | the command needs |", "|---|---|---|---|---|"]
    for what, start in measured.starts.items():
        name = STARTS.get(what, f"`tlslab {what}`")
        milliseconds = f"{start.cpu * 1000:.0f} | {start.floor * 1000:.0f}"
        lines.append(f"| {name} | {start.elapsed:.2f} | {milliseconds} | {start.needs:.2f} times that |")
    return "\n".join([*lines, ""])


# --- how it was measured ---------------------------------------------------------------------------------------------


def _versions(measured: Measured) -> str:
    found = {
        name: cost.version
        for _, results in measured.costs.values()
        for name, cost in results.items()
        if isinstance(cost, Cost) and name not in (*EVIDENCE, "bare-sha256")
    }
    return "\n".join(["## Versions", "", *(f"- {NAMES[name]}: {version}" for name, version in found.items()), ""])


def _method(measured: Measured) -> str:
    return METHOD.format(
        at_once=AT_ONCE,
        rounds=measured.rounds,
        cipher=CIPHER,
        counts=", ".join(
            f"{unit.counts[AT_ONCE]:,} and {unit.counts[ALONE]:,} {PLURALS[kind]}"
            for kind, (unit, _) in measured.costs.items()
        ),
        connections=BATCHES * CONNECTIONS,
        gets=BATCHES * GETS,
        held=HELD_BYTES // 1024,
        batches=BATCHES,
    )


METHOD = """## Method

- CPU is user and system time of a server, of all processes that it started and of those of them that have ended, from
  the scheduler's own accounts in nanoseconds, ended threads included. The clients' is not in it.
- A run, with {at_once} clients and with one, is
  {counts}.
- "A second" is how many units went through, with {at_once} client processes in Python on the same machine. It says as
  much about them as about the server, and is here for orientation.
- The servers of a table run at the same time and are measured in turn, {rounds} rounds after a warm-up, forwards and
  backwards. A ratio is the middle one of the rounds' own, milliseconds are those of the middle run: how fast a machine
  is changes within minutes, so the ratio of two numbers of a table may be another.
- TLS 1.2, {cipher}, P-256 certificates, HTTP/1.1, loopback. Each client checks that
  no session was resumed, that a cycle had a second handshake and that this was a full one too; and before a cycle is
  measured, that each server refuses a client without a certificate.
- The body of each answer is as long as the lab's, which the clients check. The head is each server's own, and its
  length differs. OpenSSL is not the same everywhere, see above.
- tlslab is `tlslab serve`, its timeline going to a file. The peers write no access log. Apache is the system's, in a
  private instance with its MPM's defaults and `SSLVerifyClient require` in a `<Location>`. Hypercorn and uvicorn run
  one worker in an environment of their own (`bench/requirements.txt`) and serve a constant from memory.
- The bare loop (`bench/bare.py`) does the work with the same libraries, without events, policies, timers, checks of
  what arrives, or a word on the screen. What tlslab needs above it is what its features cost.
- Evidence is measured in the same rounds: each of the labs writes one kind of it, to a file that nobody reads
  meanwhile. What the captures of this page leave in the temporary folder is some 500 MB, removed at the end.
- A stalled upload announced {held} KiB to a path that wants a certificate, and is held after 40 KiB. Sessions are those
  of ended connections that a client may resume; that the first still can be is checked.
- What thousands do is measured with {connections} new connections with a GET, one after the other, from before the
  handshake until the connection is closed, and with {gets} GETs on one; an idle lab is measured in turn with the other.
  CPU is that of the cheapest of {batches} batches, and so without what holding takes by itself: that comes in bursts.
- `tlslab serve` does not raise its limit of open files; here it is started with the soft limit as high as the hard one.
- Memory is the growth of the server's resident set, divided. The kernel's socket buffers are not in it.
- What imports cost is the CPU of a bare Python that imports the packages and standard modules that the command cannot
  do without (`bench/starts.py`), and ends.
"""
