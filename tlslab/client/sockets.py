"""Walks the steps of a scenario over real sockets, with the lab's own client."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import trio

from tlslab.client.https import Client, ClientState, Outcome
from tlslab.client.identities import People
from tlslab.client.logbook import Logbook
from tlslab.client.relay import open_relay
from tlslab.client.tries import another_try, client_for, gave_up
from tlslab.net.readiness import first_of
from tlslab.net.server import Bound
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.text import format_host_port
from tlslab.tls.client import Session

CHUNK = 64 * 1024
Target = tuple[str, int, str]


def targets_of(bound: Iterable[Bound]) -> dict[str | None, Target]:
    """Where each binding of a lab is, and the name to call it by."""
    targets: dict[str | None, Target] = {}
    for one in bound:
        for binding in one.listener.bindings:
            endpoint = binding.record.endpoint
            targets[binding.name] = (one.host, one.port, endpoint.host if endpoint.is_name else "localhost")
    targets[None] = next(iter(targets.values()))
    return targets


def walk_now(
    steps: Sequence[Step], targets: Mapping[str | None, Target], people: People, style: WritingStyle
) -> list[Outcome]:
    """The same as `walk`, for a caller without an event loop."""
    return trio.run(walk, steps, targets, people, style)


async def walk(
    steps: Sequence[Step],
    targets: Mapping[str | None, Target],
    people: People,
    style: WritingStyle,
    on_step: Callable[[], None] = lambda: None,
    logbook: Logbook | None = None,
) -> list[Outcome]:
    """Take the steps one after the other and say how each ended. Waits pass by trio's clock, whatever its rate.

    `on_step` is called before each; `logbook` gets what passes, but for what other clients do.

    `targets` gives the host and port to connect to and the name to call it by, for each binding (None: the first).
    """
    if not any(step.relay for step in steps):
        return await _Walker(targets, people, style, logbook, None).walk(steps, on_step)
    async with trio.open_nursery() as relays:
        outcomes = await _Walker(targets, people, style, logbook, relays).walk(steps, on_step)
        relays.cancel_scope.cancel()
    return outcomes


class _Walker:
    """The clients of a run: the one that takes the steps on one connection after the other, and the others."""

    def __init__(
        self,
        targets: Mapping[str | None, Target],
        people: People,
        style: WritingStyle,
        logbook: Logbook | None,
        relays: trio.Nursery | None,
    ) -> None:
        self._relays = relays
        self._targets = targets
        self._people = people
        self._style = style
        self._logbook = logbook
        self._open: list[_Exchange] = []

    async def walk(self, steps: Sequence[Step], on_step: Callable[[], None]) -> list[Outcome]:
        """Take them all, and close what is open then."""
        outcomes = []
        try:
            for step in steps:
                on_step()
                outcomes.append(await self.walk_step(step))
        finally:
            await self.close()
        return outcomes

    async def walk_step(self, step: Step) -> Outcome:
        """Take a step, on as many connections as it takes: the first try begins once the wait is over."""
        outcome, began = await self._try(step, None)
        while (again := another_try(step, outcome)) is not None:
            step = again
            outcome, _ = await self._try(step, began)
        return outcome

    async def _try(self, step: Step, began: float | None) -> tuple[Outcome, float]:
        for _ in range(step.others):
            await self._visit(step)
        if step.crosses_close:
            await trio.sleep(step.wait)
        else:
            await self._pass(step.wait)
        if began is not None and (ended := gave_up(step, began, trio.current_time())) is not None:
            return ended, began
        if not step.same_connection or not self._open or self._open[-1].client.state is not ClientState.IDLE:
            session = self._open[-1].client.session() if step.resumes and self._open else None
            self._open.append(await self._connect(step, session, self._logbook))
        began = trio.current_time() if began is None else began
        exchange = self._open[-1]
        client = exchange.client
        client.start(step, trio.current_time(), began)
        outcome = await exchange.run()
        if client.state is ClientState.OVER:
            alert = client.data_to_send(CHUNK, trio.current_time()) if outcome.kind == "alert" else b""
            await _leave(exchange.stream, alert)
        return outcome, began

    async def _connect(self, step: Step, session: Session | None, logbook: Logbook | None) -> _Exchange:
        host, port, name = self._targets[step.binding]
        place = host, port
        if step.relay and self._relays is not None:
            place = await open_relay(self._relays, place, step.relay)
        stream = await trio.open_tcp_stream(*place)
        client = client_for(step, self._people, name, format_host_port((name, port)), self._style, session, logbook)
        return _Exchange(client, stream)

    async def _visit(self, step: Step) -> None:
        """Somebody else connects, shakes hands, and leaves."""
        if self._logbook is not None:
            self._logbook.somebody_else()
        exchange = await self._connect(step, None, None)
        async with exchange.stream:
            await exchange.shake_hands()
            await exchange.leave()

    async def _pass(self, seconds: float) -> None:
        """Let time go by; the client notices when the lab ends its connection meanwhile."""
        with trio.move_on_after(seconds):
            if self._open:
                await self._open[-1].listen()
            await trio.sleep_forever()

    async def close(self) -> None:
        for exchange in self._open:
            with trio.CancelScope(shield=True):
                await _leave(exchange.stream)


async def _leave(stream: trio.SocketStream, last: bytes = b"") -> None:
    """Say a last thing, and close a connection with FIN: with something unread, the system would say RST."""
    sock = stream.socket
    if sock.fileno() >= 0:
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as same, suppress(OSError):
            same.setblocking(False)
            same.send(last)
            while same.recv(CHUNK):
                pass
    await trio.aclose_forcefully(stream)


class _Exchange:
    """What a client says and hears on its connection.

    What it has said and is not on the wire yet is kept here, from one request to the next: whoever listens while time
    passes answers a HelloRequest, and may be interrupted before that is sent.
    """

    def __init__(self, client: Client, stream: trio.SocketStream) -> None:
        self.client = client
        self.stream = stream
        self._sock = stream.socket
        self._out = bytearray()

    async def run(self) -> Outcome:
        """Carry a request to its end."""
        while self.client.outcome is None:
            await self._talk()
        return self.client.outcome

    async def shake_hands(self) -> None:
        """Carry the handshake to its end, or to the connection's."""
        while not self.client.established and self.client.state is not ClientState.OVER:
            await self._talk()

    async def listen(self) -> None:
        """Carry what needs no request, until the connection is over."""
        while self.client.state is not ClientState.OVER:
            await self._talk()

    async def leave(self) -> None:
        """Say goodbye."""
        self.client.leave()
        self._out += self.client.data_to_send(CHUNK, trio.current_time())
        while self._out:
            await self._send()

    async def _talk(self) -> None:
        self._out += self.client.data_to_send(CHUNK - len(self._out), trio.current_time())
        deadline = self.client.next_deadline
        with trio.move_on_at(float("inf") if deadline is None else deadline):
            await self._move()
        self.client.tick(trio.current_time())

    async def _move(self) -> None:
        match bool(self._out), self.client.wants_to_read:
            case True, True:
                await first_of(self._send, self._receive)
            case True, False:
                await self._send()
            case False, False if self.client.pauses:
                await trio.sleep_forever()
            case _:
                await self._receive()

    async def _send(self) -> None:
        with self._resets():
            sent = await self._sock.send(self._out)
            del self._out[:sent]

    async def _receive(self) -> None:
        with self._resets():
            data = await self._sock.recv(CHUNK)
            if data:
                self.client.receive_data(data, trio.current_time())
            else:
                # The system says a reset once, maybe to `_send`, and trio lets others run before that hears of it.
                await trio.lowlevel.cancel_shielded_checkpoint()
                self.client.receive_eof(trio.current_time())

    @contextmanager
    def _resets(self) -> Iterator[None]:
        """Tell the client of a reset where it is seen first: whoever asks the socket next gets an end of file."""
        try:
            yield
        except OSError:
            self.client.receive_reset(trio.current_time())
