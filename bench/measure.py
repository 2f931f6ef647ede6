"""Measures what a unit of work costs each server: CPU seconds for a fixed number of units, several rounds in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import load, process
from bench.servers import EVIDENCE, Files, Server, Skipped, started

AT_ONCE, ALONE = 4, 1  # clients, each a process with one connection at a time
LOAD_SECONDS = 120.0
WRITTEN_AT_ONCE = 32 * 1024
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit of work is, the path it asks for, who does it (the lab first), and how many make a run.

    `counts` is by how many clients share them; the labs that write evidence are measured with the first number only.
    """

    kind: str
    path: str
    servers: tuple[str, ...]
    counts: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Series:
    """CPU milliseconds of a unit, one number for each run, and the units a second that went through."""

    milliseconds: tuple[float, ...]
    per_second: float

    @property
    def median(self) -> float:
        """The middle run."""
        return median(self.milliseconds)

    def beside(self, other: Series) -> float:
        """How many times the CPU of another: the middle of the rounds' own ratios, for a machine's speed drifts."""
        return median(mine / its for mine, its in zip(self.milliseconds, other.milliseconds, strict=True))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a unit costs, by the number of clients; and how many bytes of evidence it leaves for each."""

    version: str
    series: Mapping[int, Series]
    written: float
    writing: float  # CPU milliseconds to write as much and do nothing else

    @property
    def median(self) -> float:
        """The middle run with several clients at once, in milliseconds."""
        return self.series[AT_ONCE].median

    def beside(self, other: Cost) -> float:
        """How many times the CPU of another, with several clients at once."""
        return self.series[AT_ONCE].beside(other.series[AT_ONCE])


class Run(NamedTuple):
    """CPU and elapsed seconds of so many units, the bytes of evidence they left, and what the clients printed.

    `writing` is what it takes to write as many bytes and do nothing else, in CPU seconds.
    """

    cpu: float
    elapsed: float
    written: int
    writing: float
    printed: tuple[bytes, ...]


def costs(unit: Unit, files: Files, rounds: int, say: Say) -> dict[str, Cost | str]:
    """Run every server of a unit in turn, `rounds` times; a server that cannot be had is its reason."""
    files = replace(files, body_bytes=_answer_bytes(unit, files))
    results: dict[str, Cost | str] = {}
    with ExitStack() as stack:
        servers: list[Server] = []
        for name in unit.servers:
            try:
                servers.append(stack.enter_context(started(name, files)))
            except Skipped as skipped:
                results[name] = str(skipped)
        if unit.kind == "cycle":
            _check_that_all_ask(servers, files)
        runs = _interleaved(unit, servers, files, rounds, say)
        results |= {server.name: _cost(unit, server, runs) for server in servers}
    return {name: results[name] for name in unit.servers}


def _answer_bytes(unit: Unit, files: Files) -> int:
    """How long the lab's answer is: all others must answer with as much."""
    with started("tlslab", files) as server:
        peer = load.Peer(load.context(*files.client), server.port)
        with peer.connect() as sock:
            return peer.post(sock) if unit.kind == "upload" else peer.get(sock, unit.path, close=False)


def _check_that_all_ask(servers: list[Server], files: Files) -> None:
    for server in servers:
        if not load.refuses(load.Peer(load.context(str(files.ca)), server.port)):
            raise SystemExit(f"bench: {server.name} answers with 200 although the client has no certificate")


def _interleaved(
    unit: Unit, servers: list[Server], files: Files, rounds: int, say: Say
) -> dict[tuple[str, int], list[Run]]:
    for server in servers:  # warm: imports, caches, the first allocations
        run(server, unit.kind, max(unit.counts[AT_ONCE] // 10, AT_ONCE), files, AT_ONCE)
    ways = [
        (server, many) for server in servers for many in unit.counts if many == AT_ONCE or server.name not in EVIDENCE
    ]
    runs: dict[tuple[str, int], list[Run]] = {(server.name, many): [] for server, many in ways}
    for number in range(rounds):
        for server, many in ways if number % 2 == 0 else reversed(ways):  # so that nobody is always the first
            ran = run(server, unit.kind, unit.counts[many], files, many)
            runs[server.name, many].append(ran)
            milliseconds = ran.cpu / unit.counts[many] * 1000
            say(f"{unit.kind} {number + 1}/{rounds}: {server.name} {milliseconds:.3f} ms, {many} at once")
    return runs


def _cost(unit: Unit, server: Server, runs: Mapping[tuple[str, int], list[Run]]) -> Cost:
    series = {}
    for clients, count in unit.counts.items():
        if of_it := runs.get((server.name, clients)):
            each = tuple(one.cpu / count * 1000 for one in of_it)
            series[clients] = Series(each, count / median(one.elapsed for one in of_it))
    of_many, count = runs[server.name, AT_ONCE], unit.counts[AT_ONCE]
    written = median(one.written for one in of_many) / count
    return Cost(server.version, series, written, median(one.writing for one in of_many) / count * 1000)


def run(server: Server, kind: str, count: int, files: Files, clients: int) -> Run:
    """What `count` units cost, done by so many client processes at once."""
    evidence = files.evidence(server.name)
    with started_clients(kind, count, server, files, clients) as working:
        server.settle()
        written, before, begun = _size(evidence), server.cpu_seconds(), time.monotonic()
        tell_to_go(working)
        printed = tuple(client.communicate(timeout=LOAD_SECONDS)[0] for client in working)
        elapsed = time.monotonic() - begun
        if any(client.returncode for client in working):
            raise SystemExit(f"bench: a client of {server.name} failed ({kind}), see above")
    server.settle()
    cpu, left = server.cpu_seconds() - before, _size(evidence) - written
    return Run(cpu, elapsed, left, _writing(evidence.with_suffix(".beside"), left), printed)


def _writing(path: Path, count: int) -> float:
    """CPU seconds of writing so many bytes behind those that the file has, as large as a read of the lab's brings."""
    piece, begun = bytes(WRITTEN_AT_ONCE), time.process_time()
    with path.open("ab", buffering=0) as file:
        for _ in range(count // WRITTEN_AT_ONCE):
            file.write(piece)
    return time.process_time() - begun


def _size(path: Path) -> int:
    """Bytes of a file or of those in a folder; 0 where there is neither."""
    return sum(file.stat().st_size for file in (path, *path.glob("*")) if file.is_file())


@contextmanager
def started_clients(
    kind: str, count: int, server: Server, files: Files, clients: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Client processes that have imported what they need, and wait until they are told to go."""
    line = [sys.executable, "-m", "bench.load", kind, str(count // clients), str(server.port), str(files.body_bytes)]
    waiting: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(clients):
            waiting.append(subprocess.Popen([*line, *files.client], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for client in waiting:
            expect_line(client, b"ready\n", f"a client of {server.name} did not start ({kind})")
        yield waiting
    finally:
        for client in waiting:
            process.end(client)


def tell_to_go(clients: list[subprocess.Popen[bytes]]) -> None:
    """Let them work."""
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(b"go\n")
        client.stdin.flush()


def expect_line(client: subprocess.Popen[bytes], line: bytes, otherwise: str) -> None:
    """Wait until a client has printed this line."""
    assert client.stdout is not None
    if client.stdout.readline() != line:
        raise SystemExit(f"bench: {otherwise}, see above")
