"""Measures: CPU seconds of a server for a fixed number of units, memory of held uploads, time from start to ready."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import load, process
from bench.servers import Files, Server, Skipped, started

WORKERS = 4
LOAD_SECONDS = 120.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit of work is, the path it asks for, how many make a run, and who does it: the lab first."""

    kind: str
    path: str
    count: int
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of a unit, one number for each run; the units a second that went through; bytes of evidence."""

    version: str
    milliseconds: tuple[float, ...]
    per_second: float
    written: float

    @property
    def median(self) -> float:
        """The middle run."""
        return median(self.milliseconds)


class Run(NamedTuple):
    """CPU and elapsed seconds of so many units, and the bytes of evidence they left."""

    cpu: float
    elapsed: float
    written: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Seconds from start to ready: elapsed, and of CPU."""

    elapsed: float
    cpu: float


def body_bytes(path: str, files: Files) -> int:
    """How long the lab's answer is: the peers answer with as much."""
    with started("tlslab", files) as server:
        tls = load.context(str(files.ca), str(files.client_cert), str(files.client_key))
        with load.connect(tls, server.port) as sock:
            return load.get(sock, path, close=True)


def costs(unit: Unit, files: Files, rounds: int, say: Say) -> dict[str, Cost | str]:
    """Run every server of a unit in turn, `rounds` times; a server that cannot be had is its reason."""
    files = replace(files, body_bytes=body_bytes(unit.path, files))
    results: dict[str, Cost | str] = {}
    with ExitStack() as stack:
        servers: list[Server] = []
        for name in unit.servers:
            try:
                servers.append(stack.enter_context(started(name, files)))
            except Skipped as skipped:
                results[name] = str(skipped)
        for name, runs in _interleaved(unit, servers, files, rounds, say).items():
            version = next(server.version for server in servers if server.name == name)
            each = tuple(run.cpu / unit.count * 1000 for run in runs)
            per_second = unit.count / median(run.elapsed for run in runs)
            results[name] = Cost(version, each, per_second, median(run.written for run in runs) / unit.count)
    return {name: results[name] for name in unit.servers}


def _interleaved(unit: Unit, servers: list[Server], files: Files, rounds: int, say: Say) -> dict[str, list[Run]]:
    for server in servers:
        _run(server, unit.kind, max(unit.count // 10, WORKERS), files)  # warm: imports, caches, the first allocations
    runs: dict[str, list[Run]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers:
            runs[server.name].append(_run(server, unit.kind, unit.count, files))
            cpu = runs[server.name][-1].cpu
            say(f"{unit.kind} {number + 1}/{rounds}: {server.name} {cpu / unit.count * 1000:.3f} ms")
    return runs


def _run(server: Server, kind: str, count: int, files: Files) -> Run:
    """What `count` units cost, done by a few client processes at once."""
    server.settle()
    evidence = files.evidence(server.name)
    written, before, begun = _size(evidence), server.cpu_seconds(), time.monotonic()
    with _clients(kind, count, server, files) as clients:
        for client in clients:
            if client.wait(LOAD_SECONDS) != 0:
                raise RuntimeError(f"a client of {server.name} failed ({kind})")
        elapsed = time.monotonic() - begun
    server.settle()
    return Run(server.cpu_seconds() - before, elapsed, _size(evidence) - written)


def _size(path: Path) -> int:
    """Bytes of a file or of those in a folder; 0 where there is neither."""
    return sum(file.stat().st_size for file in (path, *path.glob("*")) if file.is_file())


@contextmanager
def _clients(kind: str, count: int, server: Server, files: Files) -> Iterator[list[subprocess.Popen[bytes]]]:
    line = [sys.executable, "-m", "bench.load", kind, str(count // WORKERS), str(server.port)]
    line += [str(path) for path in (files.ca, files.client_cert, files.client_key)]
    clients: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(WORKERS):
            clients.append(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        yield clients
    finally:
        for client in clients:
            process.end(client)


def held_bytes(name: str, uploads: int, files: Files) -> float:
    """Resident bytes that each of so many stalled uploads takes in a server that was warm before."""
    with started(name, files) as server:
        _run(server, "cycle", 20 * WORKERS, files)
        before = process.rss_bytes(server.process.pid)
        with _clients("hold", uploads, server, files) as clients:
            for client in clients:
                assert client.stdout is not None
                if client.stdout.readline() != b"held\n":
                    raise RuntimeError(f"{name} did not stall {uploads} uploads")
            server.settle()
            return (process.rss_bytes(server.process.pid) - before) / uploads


def ready(name: str, files: Files, times: int, *, fresh: bool) -> Ready:
    """How long a server takes from its start until it is ready; `fresh`: the lab makes its certificates on the way."""
    runs: list[Ready] = []
    for _ in range(times):
        home = files.folder / "fresh-home"
        shutil.rmtree(home, ignore_errors=True)
        with started(name, files, {"TLSLAB_HOME": str(home)} if fresh else {}) as server:
            runs.append(Ready(server.ready_after, server.cpu_seconds()))
    return Ready(median(run.elapsed for run in runs), median(run.cpu for run in runs))
