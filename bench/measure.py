"""Measures: CPU seconds of a server for a fixed number of units, memory of held uploads, time from start to ready."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median

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
    """CPU milliseconds of a unit, one number for each run, and the units a second that went through meanwhile."""

    version: str
    milliseconds: tuple[float, ...]
    per_second: float

    @property
    def median(self) -> float:
        """The middle run."""
        return median(self.milliseconds)


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
            each = tuple(cpu / unit.count * 1000 for cpu, _ in runs)
            results[name] = Cost(version, each, unit.count / median(elapsed for _, elapsed in runs))
    return {name: results[name] for name in unit.servers}


def _interleaved(
    unit: Unit, servers: list[Server], files: Files, rounds: int, say: Say
) -> dict[str, list[tuple[float, float]]]:
    for server in servers:
        _run(server, unit.kind, unit.count // 10, files)  # warm: imports, caches, the first allocations
    runs: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers:
            runs[server.name].append(_run(server, unit.kind, unit.count, files))
            cpu, _ = runs[server.name][-1]
            say(f"{unit.kind} {number + 1}/{rounds}: {server.name} {cpu / unit.count * 1000:.3f} ms")
    return runs


def _run(server: Server, kind: str, count: int, files: Files) -> tuple[float, float]:
    """CPU and elapsed seconds of `count` units, done by a few client processes at once."""
    server.settle()
    before, begun = server.cpu_seconds(), time.monotonic()
    with _clients(kind, count, server, files) as clients:
        for client in clients:
            if client.wait(LOAD_SECONDS) != 0:
                raise RuntimeError(f"a client of {server.name} failed ({kind})")
        elapsed = time.monotonic() - begun
    server.settle()
    return server.cpu_seconds() - before, elapsed


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
