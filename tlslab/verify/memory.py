"""Walks the steps of a scenario in memory: a lab and a client joined by two pipes, under a clock that jumps.

A freeze of 120 seconds takes milliseconds here and touches no socket, and it is the same freeze: the pipes hold as
much as a socket's buffers would, and what the lab does not read stays in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tlslab.client.https import Client, ClientState, Outcome
from tlslab.client.identities import People
from tlslab.client.logbook import Logbook
from tlslab.client.tries import another_try, client_for, gave_up
from tlslab.core.connection import Connection
from tlslab.core.driver import Driver
from tlslab.core.machine import Machine
from tlslab.core.plan import LabPlan, Listener
from tlslab.events import ALL, Event
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.tap import NO_TAP, Tap
from tlslab.text import format_host_port
from tlslab.tls.client import Session
from tlslab.types import Drain
from tlslab.verify.observation import Observation

PIPE_BYTES = 64 * 1024  # about what a receive buffer holds while nobody reads
READ_BYTES = 64 * 1024
MAX_ROUNDS = 1_000_000


@dataclass
class Pipe:
    """One direction of a TCP connection; `relay` are the bytes that a relay on the way buffers beside the sockets."""

    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    relay: int = 0

    @property
    def room(self) -> int:
        """How much more it takes."""
        return PIPE_BYTES + self.relay - len(self.data)

    def take(self, limit: int = READ_BYTES) -> bytes:
        """Give what one read of `limit` bytes would give."""
        chunk = bytes(self.data[:limit])
        del self.data[: len(chunk)]
        return chunk


@dataclass
class Pipes:
    """Both directions of a TCP connection: a `core.driver.Transport` for the lab's side of it."""

    up: Pipe = field(default_factory=Pipe)
    down: Pipe = field(default_factory=Pipe)

    def send(self, data: bytes) -> int:
        """Take it all: how much of an answer waits is nothing that a scenario turns on."""
        self.down.data += data
        return len(data)

    def unread(self) -> int:
        """How many bytes the lab has left unread."""
        return len(self.up.data)

    def peek(self, count: int) -> bytes:
        """The first of them."""
        return bytes(self.up.data[:count])

    def window_is_closed(self) -> bool:
        """Whether the client was told to send no more."""
        return self.up.room <= 0

    def peer_has_reset(self) -> bool:
        """No client here resets."""
        return False


@dataclass
class Pair:
    """A client and the lab's side of its connection."""

    client: Client
    driver: Driver
    pipes: Pipes
    over: bool = False
    deaf: bool = False  # the lab's end of the connection is on its way, and the client has not heard of it

    @property
    def server(self) -> Connection:
        """The lab's side."""
        return self.driver.connection

    def exchange(self, now: float) -> bool:
        """Move what can be moved; True when something was."""
        if self.over and self.deaf and (self.pipes.up.data or self.client.data_to_send(PIPE_BYTES, now)):
            self.deaf = False
            self.client.receive_reset(now)
            return True
        moved = False if self.over else self._up(now)
        return (False if self.over else self._down(now)) or moved

    def next_deadline(self) -> float | None:
        """When one of the two sides has something to do."""
        if self.over:
            return None
        deadlines = (self.client.next_deadline, self.server.next_deadline)
        return min((at for at in deadlines if at is not None), default=None)

    def _up(self, now: float) -> bool:
        """Bring the lab what it takes, and the client's FIN when there is nothing that it would read before."""
        sent = self._write_up(now)
        if self.pipes.up.data and self.driver.may_read and self.server.closing is None:
            self.driver.receive_data(self.pipes.up.take(min(self.server.read_limit, READ_BYTES)), now)
            return True
        if self.client.state is ClientState.OVER and not self.pipes.up.ended:
            self.pipes.up.ended = True
            self.driver.receive_eof(now)
            return True
        return sent

    def _write_up(self, now: float) -> bool:
        sent = self.client.data_to_send(self.pipes.up.room, now)
        self.pipes.up.data += sent
        return bool(sent)

    def _down(self, now: float) -> bool:
        if self.server.wants_unread_count:
            self._write_up(now)  # the client's kernel sends on while nobody reads
        before = len(self.pipes.down.data)
        self.driver.finish_step(now)
        if self.server.closing is not None:
            self._close(now)
            return True
        if not self.pipes.down.data or not self.client.wants_to_read:
            return len(self.pipes.down.data) > before
        self.client.receive_data(self.pipes.down.take(), now)
        return True

    def _close(self, now: float) -> None:
        self.over = True
        if self.deaf:
            pass
        elif isinstance(self.server.closing, Drain):
            self._drain(self.server.closing.limit_bytes, now)
        else:
            if self.client.wants_to_read:  # who looks while it writes has what came in front of the reset
                self.client.receive_data(self.pipes.down.take(), now)
            self.client.receive_reset(now)
        self.driver.about_to_close(now, reset=bool(self.pipes.down.data))
        self.driver.closed(now)

    def _drain(self, limit_bytes: int, now: float) -> None:
        """Throw away what the client writes, so that it gets to its reading and the last answer arrives."""
        if waiting := self.pipes.up.take():  # it had come before the lab's FIN went out
            self.driver.receive_data(waiting, now)
        self.driver.output_ended(now)
        moved = True
        while moved:
            written = self.client.data_to_send(min(PIPE_BYTES, limit_bytes), now)
            if written:
                self.driver.receive_data(written, now)
            limit_bytes -= len(written)
            moved = bool(written)
            if self.pipes.down.data and self.client.wants_to_read:
                self.client.receive_data(self.pipes.down.take(), now)
                moved = True
        if self.pipes.down.data:  # the client would still be writing, to a socket that is closed
            self.client.receive_reset(now)
        else:
            self.driver.receive_eof(now)
            self.client.receive_eof(now)


class World:
    """A lab, its clients and their time. `tap` is told what passes, `read` every event, `logbook` what clients see."""

    def __init__(
        self,
        plan: LabPlan,
        people: People,
        style: WritingStyle,
        tap: Tap = NO_TAP,
        read: Callable[[Event], None] = lambda _event: None,
        logbook: Logbook | None = None,
    ) -> None:
        keylog = None if tap is NO_TAP else lambda line: tap.secrets(line.decode())
        self._machine = Machine(plan, ALL, keylog)
        self._people = people
        self._style = style
        self._tap = tap
        self._read = read
        self._logbook = logbook
        self._pairs: list[Pair] = []
        self._events: list[Event] = []
        self.now = 0.0

    def walk(self, steps: Sequence[Step]) -> Observation:
        """Take the steps one after the other, then close what is open."""
        self._tell(self._machine.take_events())
        outcomes, before_last = [], 0
        for step in steps:
            before_last = len(self._events)
            outcomes.append(self._walk_step(step))
        for pair in self._pairs:
            if not pair.over:
                pair.driver.receive_eof(self.now)
                pair.exchange(self.now)
        return Observation(tuple(outcomes), tuple(self._events), before_last)

    def _walk_step(self, step: Step) -> Outcome:
        """Take a step, on as many connections as it takes: the first try begins once the wait is over."""
        outcome, began = self._try(step, None)
        while (again := another_try(step, outcome)) is not None:
            step = again
            outcome, _ = self._try(step, began)
        return outcome

    def _try(self, step: Step, began: float | None) -> tuple[Outcome, float]:
        for _ in range(step.others):
            self._visit(step)
        if self._pairs:
            self._pairs[-1].deaf = step.crosses_close
        self._pass(step.wait)
        if began is not None and (ended := gave_up(step, began, self.now)) is not None:
            return ended, began
        if not step.same_connection or not self._pairs or self._pairs[-1].client.state is not ClientState.IDLE:
            self._connect(step)
        began = self.now if began is None else began
        client = self._pairs[-1].client
        client.start(step, self.now, began)
        return self._hear(client), began

    def _hear(self, client: Client) -> Outcome:
        for _ in range(MAX_ROUNDS):
            if client.outcome is not None:
                self._let_arrive()
                return client.outcome
            if not self._exchange() and not self._jump():
                return Outcome("stuck", self.now, 0.0)
        return Outcome("endless", self.now, 0.0)

    def _let_arrive(self) -> None:
        """Let what is on its way arrive: a lab that asks after its answer gets to ask."""
        while self._exchange():
            pass

    def _visit(self, step: Step) -> None:
        """Somebody else connects, and leaves."""
        if self._logbook is not None:
            self._logbook.somebody_else()
        pair = self._pair(step, None, None)
        while pair.exchange(self.now):
            pass
        pair.client.leave()
        while pair.exchange(self.now):
            pass

    def _pass(self, seconds: float) -> None:
        """Let time go by."""
        until = self.now + seconds
        while self.now < until:
            if not self._exchange():
                self._jump(until)

    def _connect(self, step: Step) -> None:
        session = self._pairs[-1].client.session() if step.resumes and self._pairs else None
        self._pairs.append(self._pair(step, session, self._logbook))

    def _pair(self, step: Step, session: Session | None, logbook: Logbook | None) -> Pair:
        listener, name = find_listener(self._machine.plan, step.binding)
        peer = ("127.0.0.1", 50_000 + self._machine.connections_accepted % 10_000)
        local = (listener.host, listener.port)
        pipes = Pipes(up=Pipe(relay=step.relay))
        driver = Driver(self._machine, listener, peer, local, self._tap, self._tell, pipes, self.now)
        driver.finish_step(self.now)
        host = format_host_port((name, listener.port))
        client = client_for(step, self._people, name, host, self._style, session, logbook)
        return Pair(client, driver, pipes)

    def _exchange(self) -> bool:
        moved = False
        for pair in self._pairs:
            moved |= pair.exchange(self.now)
        return moved

    def _jump(self, until: float | None = None) -> bool:
        """Go to the next moment at which anything happens, `until` at the latest; False when nothing ever will."""
        deadlines = [until, *(pair.next_deadline() for pair in self._pairs)]
        if all(at is None for at in deadlines):
            return False
        deadlines.append(self._machine.next_deadline)
        self.now = max(self.now, min(at for at in deadlines if at is not None))
        self._machine.tick(self.now)
        self._tell(self._machine.take_events())
        for pair in self._pairs:
            if not pair.over:
                pair.client.tick(self.now)
                pair.driver.tick(self.now)
        return True

    def _tell(self, events: Iterable[Event]) -> None:
        events = list(events)
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
