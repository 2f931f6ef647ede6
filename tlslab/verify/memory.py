"""Walks the steps of a scenario in memory: a lab and a client joined by two pipes, under a clock that jumps.

A freeze of 120 seconds takes milliseconds here and touches no socket, and it is the same freeze: the pipes hold as
much as a socket's buffers would, and what the lab does not read stays in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tlslab.client.https import Client, ClientState, Outcome
from tlslab.client.identities import People
from tlslab.core.connection import Connection
from tlslab.core.machine import Machine
from tlslab.core.plan import LabPlan, Listener
from tlslab.events import ALL, Event
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.tap import NO_TAP, ConnectionTap, Tap
from tlslab.text import format_host_port, format_peer
from tlslab.tls.client import Session
from tlslab.types import Drain, Reset
from tlslab.verify.observation import Observation

PIPE_BYTES = 64 * 1024  # about what a receive buffer holds while nobody reads
READ_BYTES = 64 * 1024
MAX_ROUNDS = 1_000_000


@dataclass
class Pipe:
    """One direction of a TCP connection."""

    data: bytearray = field(default_factory=bytearray)
    ended: bool = False

    @property
    def room(self) -> int:
        """How much more it takes."""
        return PIPE_BYTES - len(self.data)

    def take(self, limit: int = READ_BYTES) -> bytes:
        """Give what one read of `limit` bytes would give."""
        chunk = bytes(self.data[:limit])
        del self.data[: len(chunk)]
        return chunk


@dataclass
class Pair:
    """A client and the lab's side of its connection."""

    client: Client
    server: Connection
    wire: ConnectionTap
    up: Pipe = field(default_factory=Pipe)
    down: Pipe = field(default_factory=Pipe)
    over: bool = False

    def exchange(self, now: float) -> bool:
        """Move what can be moved; True when something was."""
        moved = False if self.over else self._up(now)
        return (False if self.over else self._down(now)) or moved

    def _up(self, now: float) -> bool:
        sent = self._write_up(now)
        if self.client.state is ClientState.OVER and not self.up.ended:
            self._end_up(now)
            return True
        if self.server.closing is not None or self.server.reading_paused or not self.up.data:
            return sent
        self._receive(now)
        return True

    def _write_up(self, now: float) -> bool:
        sent = self.client.data_to_send(self.up.room, now)
        self.up.data += sent
        return bool(sent)

    def _receive(self, now: float) -> None:
        data = self.up.take(min(self.server.read_limit, READ_BYTES))
        self.server.receive_data(data, now)
        self.wire.received(data, now)

    def _end_up(self, now: float) -> None:
        self.up.ended = True
        while self.up.data and not self.server.reading_paused and self.server.closing is None:
            self._receive(now)
        self.wire.waiting(bytes(self.up.data), now)
        self.wire.peer_ended(now, reset=False)
        self.server.receive_eof(now)

    def _down(self, now: float) -> bool:
        data = b""
        while flight := self.server.data_to_send():
            self.wire.sent(flight, now)
            data += flight
        self.down.data += data
        if self.server.wants_unread_count:
            self._write_up(now)
            self.server.note_unread(len(self.up.data), now)
            self.wire.waiting(bytes(self.up.data), now)
            if not self.up.room:
                self.wire.window_closed(now)
        if self.server.closing is not None:
            self._close(now)
            return True
        if not self.down.data or not self.client.wants_to_read:
            return bool(data)
        self.client.receive_data(self.down.take(), now)
        return True

    def _close(self, now: float) -> None:
        self.over = True
        self.wire.waiting(bytes(self.up.data), now)
        self.wire.ended(now, reset=isinstance(self.server.closing, Reset))
        if isinstance(self.server.closing, Reset):
            self.client.receive_reset(now)
        elif isinstance(self.server.closing, Drain):
            self._drain(self.server.closing.limit_bytes, now)
        self.server.note_closed(now)

    def _drain(self, limit_bytes: int, now: float) -> None:
        """Throw away what the client writes, so that it gets to its reading and the last answer arrives."""
        moved = True
        while moved:
            written = self.client.data_to_send(min(PIPE_BYTES, limit_bytes), now)
            if written:
                self.wire.received(written, now)
            limit_bytes -= len(written)
            moved = bool(written)
            if self.down.data and self.client.wants_to_read:
                self.client.receive_data(self.down.take(), now)
                moved = True
        if self.down.data:  # the client would still be writing, to a socket that is closed
            self.wire.ended(now, reset=True)
            self.client.receive_reset(now)
        else:
            self.wire.peer_ended(now, reset=False)
            self.client.receive_eof(now)

    def next_deadline(self) -> float | None:
        """When one of the two sides has something to do."""
        if self.over:
            return None
        deadlines = (self.client.next_deadline, self.server.next_deadline)
        return min((at for at in deadlines if at is not None), default=None)


class World:
    """A lab, its clients and their time. `tap` is told what passes, `read` every event."""

    def __init__(
        self,
        plan: LabPlan,
        people: People,
        style: WritingStyle,
        tap: Tap = NO_TAP,
        read: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        keylog = None if tap is NO_TAP else lambda line: tap.secrets(line.decode())
        self._lab = Machine(plan, ALL, keylog)
        self._people = people
        self._style = style
        self._tap = tap
        self._read = read
        self._pairs: list[Pair] = []
        self._events: list[Event] = []
        self.now = 0.0

    def walk(self, steps: Sequence[Step]) -> Observation:
        """Take the steps one after the other, then close what is open."""
        self._tell(self._lab.take_events())
        outcomes = [self._walk_step(step) for step in steps]
        for pair in self._pairs:
            if not pair.over:
                pair.wire.peer_ended(self.now, reset=False)
                pair.server.receive_eof(self.now)
                pair.exchange(self.now)
            pair.server.note_closed(self.now)
            self._collect(pair)
        return Observation(tuple(outcomes), tuple(self._events))

    def _walk_step(self, step: Step) -> Outcome:
        for _ in range(step.others):
            self._visit(step)
        self._pass(step.wait)
        if not step.same_connection or not self._pairs or self._pairs[-1].client.state is not ClientState.IDLE:
            self._connect(step)
        client = self._pairs[-1].client
        client.start(step, self.now)
        for _ in range(MAX_ROUNDS):
            if client.outcome is not None:
                self._settle()
                return client.outcome
            if not self._exchange() and not self._jump():
                return Outcome("stuck", self.now, 0.0)
        return Outcome("endless", self.now, 0.0)

    def _settle(self) -> None:
        """Let what is on its way arrive: a lab that asks after its answer gets to ask."""
        while self._exchange():
            pass

    def _visit(self, step: Step) -> None:
        """Somebody else connects, and leaves."""
        pair = self._pair(step, None)
        while pair.exchange(self.now):
            self._collect(pair)
        pair.client.leave()
        while pair.exchange(self.now):
            self._collect(pair)
        self._collect(pair)

    def _pass(self, seconds: float) -> None:
        """Let time go by."""
        until = self.now + seconds
        while self.now < until:
            if not self._exchange():
                self._jump(until)

    def _connect(self, step: Step) -> None:
        session = self._pairs[-1].client.session() if step.resumes and self._pairs else None
        self._pairs.append(self._pair(step, session))

    def _pair(self, step: Step, session: Session | None) -> Pair:
        listener, name = find_listener(self._lab.plan, step.binding)
        peer = ("127.0.0.1", 50_000 + self._lab.connections_accepted % 10_000)
        local = (listener.host, listener.port)
        server = self._lab.accept(listener, format_peer(peer), format_peer(local), self.now)
        wire = self._tap.open(server.number, peer, local, self.now)
        settings = self._people.settings_for(step)
        return Pair(Client(settings, name, format_host_port((name, listener.port)), self._style, session), server, wire)

    def _exchange(self) -> bool:
        moved = False
        for pair in self._pairs:
            moved |= pair.exchange(self.now)
            self._collect(pair)
        return moved

    def _jump(self, until: float | None = None) -> bool:
        """Go to the next moment at which anything happens, `until` at the latest; False when nothing ever will."""
        deadlines = [until, *(pair.next_deadline() for pair in self._pairs)]
        if all(at is None for at in deadlines):
            return False
        deadlines.append(self._lab.next_deadline)
        self.now = max(self.now, min(at for at in deadlines if at is not None))
        self._lab.tick(self.now)
        for pair in self._pairs:
            if not pair.over:
                pair.client.tick(self.now)
                pair.server.tick(self.now)
        return True

    def _collect(self, pair: Pair) -> None:
        self._tell(pair.server.take_events() + self._lab.take_events())
        pair.wire.settle()

    def _tell(self, events: list[Event]) -> None:
        self._events += events
        for event in events:
            self._read(event)


def find_listener(plan: LabPlan, binding_name: str | None) -> tuple[Listener, str]:
    """The listener of a binding (None: the first) and the name a client calls it by."""
    for listener in plan.listeners:
        for binding in listener.bindings:
            if binding_name in (None, binding.name):
                return listener, binding.record.endpoint.host if binding.record.endpoint.is_name else "localhost"
    raise KeyError(binding_name)
