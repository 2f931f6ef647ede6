"""What the tests of the net room share: a lab on loopback sockets, and a TLS client whose every step is the test's."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import trio

from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.core.plan import LabPlan
from tlslab.events import ALL, Event
from tlslab.net.bus import Bus
from tlslab.net.clock import RateClock
from tlslab.net.server import Bound, bind, close_all, serve
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.tap import NO_TAP, Tap

E = TypeVar("E", bound=Event)
PATIENCE = 30.0  # wall seconds until a test gives up on something that a sound lab does within milliseconds
FAST = 60.0
LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass
class Running:
    """A lab that serves, and every event it told; `wait_for` wakes with each event."""

    lab: Machine
    bus: Bus
    bound: Sequence[Bound]
    patience: float
    events: list[Event] = field(default_factory=list)
    _lot: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    def take(self, event: Event) -> None:
        """Keep an event (evidence)."""
        self.events.append(event)
        self._lot.unpark_all()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one type so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until `count` events of a type have been told, and give them."""
        with trio.fail_after(self.patience):
            while len(self.of(kind)) < count:
                await self._lot.park()
        return self.of(kind)


class Peer:
    """A TLS client (the standard library's) that reads and writes only when it is told to."""

    def __init__(self, sock: trio.socket.SocketType, context: ssl.SSLContext, patience: float) -> None:
        self.sock = sock
        self._patience = patience
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.sent, self.received = bytearray(), bytearray()  # what passed on the wire

    async def handshake(self) -> None:
        """Shake hands."""
        await self._do(self._tls.do_handshake)

    async def read(self) -> bytes:
        """Read what comes next; b"" at the end."""
        try:
            data: bytes = await self._do(lambda: self._tls.read(65536))
            return data
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # http.sys ends without close_notify unless it is set to
            return b""

    async def read_to_end(self) -> bytes:
        """Read until the lab ends its side."""
        data = b""
        while piece := await self.read():
            data += piece
        return data

    async def write(self, plaintext: bytes) -> None:
        """Send plaintext and look at nothing that comes."""
        self._tls.write(plaintext)
        await self._flush()

    def send_and_close(self, plaintext: bytes) -> None:
        """Do both before the lab has a turn."""
        self._tls.write(plaintext)
        with socket.fromfd(self.sock.fileno(), self.sock.family, self.sock.type) as now:  # which does not await
            now.sendall(self._out.read())
        self.sock.close()

    async def leave(self, *, with_reset: bool = False) -> None:
        """Go, with FIN or with a reset."""
        if with_reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            self.sock.close()
        else:
            self.sock.shutdown(socket.SHUT_WR)

    async def _do(self, step: Callable[[], Any]) -> Any:
        with trio.fail_after(self._patience):
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    await self._flush()
                    data = await self.sock.recv(65536)
                    self.received += data
                    self._in.write(data) if data else self._in.write_eof()
                else:
                    await self._flush()
                    return result

    async def _flush(self) -> None:
        waiting = memoryview(self._out.read())
        self.sent += waiting
        while waiting:
            waiting = waiting[await self.sock.send(waiting) :]


Serving = Callable[..., Any]
Dial = Callable[..., Awaitable[Peer]]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def plan(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Callable[..., LabPlan]:
    """Return a function that plans a scenario on free ports, with `--set` overrides."""

    def make(scenario: str = "large-post-deadlock", **overrides: Any) -> LabPlan:
        dotted = {path.replace("__", "."): value for path, value in overrides.items()}
        return build(shipped(scenario), (), dotted, pki, port=0)

    return make


@pytest.fixture
def fast_clock() -> RateClock:
    """A lab clock of 60 lab seconds in a second; a test that asks for it runs on it."""
    return RateClock(FAST)


@pytest.fixture
def serving(request: pytest.FixtureRequest) -> Serving:
    """Return a context manager that serves a plan while it is open, and gives a `Running`."""
    speed = FAST if "fast_clock" in request.fixturenames else 1.0
    patience = PATIENCE * speed

    @asynccontextmanager
    async def run(plan: LabPlan, tap: Tap = NO_TAP) -> AsyncIterator[Running]:
        bus = Bus()
        bound = bind(plan.listeners)
        keylog = None if tap is NO_TAP else lambda line: tap.secrets(line.decode())
        bus.record(ALL, lambda event: running.take(event))  # before there is a lab, which speaks from its start
        running = Running(Machine(plan, bus.wanted, keylog, Patience(speed, reaction=0)), bus, bound, patience)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, running.lab, bound, bus, tap)
                yield running
                nursery.cancel_scope.cancel()
        finally:
            close_all(bound)

    return run


@pytest.fixture
def context(pki: Pki) -> ssl.SSLContext:
    """What alice's client trusts and shows, at TLS 1.2."""
    context = ssl.create_default_context(cafile=str(pki.ca_file))
    context.load_cert_chain(pki.identities["alice"].cert_file, pki.identities["alice"].key_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture
async def dial(context: ssl.SSLContext) -> AsyncIterator[Dial]:
    """Return a function that connects a `Peer` to a lab and shakes hands; `receive_buffer` is in bytes."""
    opened: list[trio.socket.SocketType] = []

    async def connect(running: Running, *, receive_buffer: int | None = None) -> Peer:
        opened.append(sock := trio.socket.socket())
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect((running.bound[0].host, running.bound[0].port))
        peer = Peer(sock, context, running.patience)
        await peer.handshake()
        return peer

    yield connect
    for sock in opened:
        sock.close()
