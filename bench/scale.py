"""Measures what thousands of stalled uploads, or of sessions, take, and what a new client feels of them."""

from __future__ import annotations

import json
import resource
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median, quantiles
from typing import NamedTuple

from bench import process
from bench.measure import ALONE, AT_ONCE, Say, expect_line, run, started_clients, tell_to_go
from bench.servers import Files, Server, started

PROBED = (0, 2_000, 10_000)
BATCHES, CONNECTIONS, GETS = 4, 50, 150  # of a probe: so many batches of each, in turn with the idle lab
IDLE_SECONDS = 3.0
SPARE_DESCRIPTORS = 100  # what a server has open beside its connections


class Probe(NamedTuple):
    """Milliseconds: after which half of the new clients are done with a GET, and 19 of 20; of CPU for that and a GET.

    CPU is that of the cheapest batch: what holding takes by itself comes in bursts, which hit a batch or do not.
    """

    half: float
    most: float
    connection: float
    get: float


@dataclass(frozen=True, slots=True)
class Step:
    """With so many held: resident bytes that each takes.

    And of the lab what holding takes by itself, in CPU milliseconds a second, and its probe beside that of an idle one.
    """

    bytes_each: float
    holding: float = 0.0
    probes: tuple[Probe, ...] = ()


def held(kind: str, name: str, counts: tuple[int, ...], files: Files, say: Say) -> dict[int, Step | str]:
    """Let a server hold more and more; `kind` is `hold` for stalled uploads, `fill` for sessions.

    The lab is probed meanwhile. A number that the machine has not enough descriptors for is its reason.
    """
    steps: dict[int, Step | str] = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(started(name, files))]
        if name == "tlslab":
            servers.append(stack.enter_context(started("tlslab-idle", files)))
        for server in servers:
            run(server, "cycle", 20 * AT_ONCE, files, AT_ONCE)
        steps[0] = _look(servers, files, 0, 0)
        before, so_far = process.rss_bytes(servers[0].process.pid), 0
        for count in counts:
            if kind == "hold" and (reason := _too_few_descriptors(count)):
                steps[count] = reason
                continue
            _hold_more(stack, kind, count - so_far, servers[0], files)
            so_far = count
            steps[count] = step = _look(servers, files, count, before)
            say(f"{kind} {count:,}: {name} {step.bytes_each / 1024:.1f} KiB each")
    return steps


def _too_few_descriptors(count: int) -> str:
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS
    return f"a process may open only {room:,} files here (`ulimit -Hn`)" if count > room else ""


def _hold_more(stack: ExitStack, kind: str, count: int, server: Server, files: Files) -> None:
    clients = stack.enter_context(started_clients(kind, count, server, files, AT_ONCE))
    tell_to_go(clients)
    for client in clients:
        expect_line(client, b"held\n", f"{server.name} does not hold {count} more ({kind})")
    server.settle()


def _look(servers: list[Server], files: Files, count: int, before: int) -> Step:
    """What is to be seen now; the resident set was `before` with none held."""
    bytes_each = (process.rss_bytes(servers[0].process.pid) - before) / count if count else 0.0
    if count not in PROBED or len(servers) == 1:
        return Step(bytes_each)
    spent = servers[0].cpu_seconds()
    time.sleep(IDLE_SECONDS)
    holding = (servers[0].cpu_seconds() - spent) / IDLE_SECONDS * 1000
    return Step(bytes_each, holding, _probes(servers, files))


def _probes(servers: list[Server], files: Files) -> tuple[Probe, ...]:
    """Probe two servers in turn."""
    waits, connections, gets = ({server.name: list[float]() for server in servers} for _ in range(3))
    for _ in range(BATCHES):
        for server in servers:
            batch = run(server, "wait", CONNECTIONS, files, ALONE)
            waits[server.name] += json.loads(batch.printed[0])
            connections[server.name].append(batch.cpu / CONNECTIONS * 1000)
            gets[server.name].append(run(server, "keepalive", GETS, files, ALONE).cpu / GETS * 1000)
    return tuple(
        Probe(median(waits[name]), quantiles(waits[name], n=20)[-1], min(connections[name]), min(gets[name]))
        for name in waits
    )
