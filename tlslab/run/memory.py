"""Walks the steps of a scenario in memory: a lab and a client joined by two pipes, under a clock that jumps.

A freeze of 120 seconds takes milliseconds here and touches no socket, and it is the same freeze: the pipes hold as
much as a socket's buffers would, and what the lab does not read stays in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tlslab.core.connection import Connection
from tlslab.core.lab import Lab
from tlslab.core.plan import LabPlan, Listener
from tlslab.events import ALL, Event
from tlslab.run.client import Client, Outcome, State
from tlslab.run.observation import Observation
from tlslab.run.people import People
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.types import Drain, Reset

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

    def take(self) -> bytes:
        """Give what one read would give."""
        chunk = bytes(self.data[:READ_BYTES])
        del self.data[: len(chunk)]
        return chunk


@dataclass
class Pair:
    """A client and the lab's side of its connection."""

    client: Client
    server: Connection
    up: Pipe = field(default_factory=Pipe)
    down: Pipe = field(default_factory=Pipe)
    over: bool = False

    def exchange(self, now: float) -> bool:
        """Move what can be moved; True when something was."""
        moved = False if self.over else self._up(now)
        return (False if self.over else self._down(now)) or moved

    def _up(self, now: float) -> bool:
        sent = self.client.data_to_send(self.up.room, now)
        self.up.data += sent
        if self.server.wants_unread_count:
            self.server.note_unread(len(self.up.data), now)
        if self.client.state is State.OVER and not self.up.ended:
            self.up.ended = True
            self.server.receive_eof(now)
            return True
        if self.server.closing is not None or self.server.reading_paused or not self.up.data:
            return bool(sent)
        self.server.receive_data(self.up.take(), now)
        return True

    def _down(self, now: float) -> bool:
        data = self.server.data_to_send()
        self.down.data += data
        if self.server.closing is not None:
            self._close(now)
            return True
        if not self.down.data or not self.client.wants_to_read:
            return bool(data)
        self.client.receive_data(self.down.take(), now)
        return True

    def _close(self, now: float) -> None:
        self.over = True
        if isinstance(self.server.closing, Reset):
            self.client.receive_reset(now)
        elif isinstance(self.server.closing, Drain):
            while self.down.data:  # drained: the client gets to its reading, and the last answer arrives
                self.client.receive_data(self.down.take(), now)
            self.client.receive_eof(now)
        self.server.note_closed(now)

    def next_deadline(self) -> float | None:
        """When one of the two sides has something to do."""
        if self.over:
            return None
        deadlines = (self.client.next_deadline, self.server.next_deadline)
        return min((at for at in deadlines if at is not None), default=None)


class World:
    """A lab, its clients and their time."""

    def __init__(self, plan: LabPlan, people: People, style: WritingStyle) -> None:
        self._lab = Lab(plan, ALL)
        self._people = people
        self._style = style
        self._pairs: list[Pair] = []
        self._events: list[Event] = []
        self.now = 0.0

    def walk(self, steps: Sequence[Step]) -> Observation:
        """Take the steps one after the other, then close what is open."""
        outcomes = [self._walk_step(step) for step in steps]
        for pair in self._pairs:
            if not pair.over:
                pair.server.receive_eof(self.now)
                pair.exchange(self.now)
            pair.server.note_closed(self.now)
        self._collect()
        return Observation(tuple(outcomes), tuple(self._events))

    def _walk_step(self, step: Step) -> Outcome:
        if not step.same_connection or not self._pairs or self._pairs[-1].client.state is not State.IDLE:
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

    def _connect(self, step: Step) -> None:
        listener, name = find_listener(self._lab.plan, step.binding)
        number = len(self._pairs) + 1
        server = self._lab.accept(
            listener, f"127.0.0.1:{50_000 + number}", f"{listener.host}:{listener.port}", self.now
        )
        settings = self._people.client_settings(step.identity, refuses_renegotiation=step.renegotiation == "refuse")
        self._pairs.append(Pair(Client(settings, name, f"{name}:{listener.port}", self._style), server))

    def _exchange(self) -> bool:
        moved = False
        for pair in self._pairs:
            moved |= pair.exchange(self.now)
        self._collect()
        return moved

    def _jump(self) -> bool:
        """Go to the next moment at which anything happens; False when nothing ever will."""
        deadlines = [at for at in (pair.next_deadline() for pair in self._pairs) if at is not None]
        if not deadlines:
            return False
        self.now = max(self.now, min(deadlines))
        for pair in self._pairs:
            if not pair.over:
                pair.client.tick(self.now)
                pair.server.tick(self.now)
        return True

    def _collect(self) -> None:
        for pair in self._pairs:
            self._events += pair.server.take_events()


def find_listener(plan: LabPlan, binding_name: str | None) -> tuple[Listener, str]:
    """The listener of a binding (None: the first) and the name a client calls it by."""
    for listener in plan.listeners:
        for binding in listener.bindings:
            if binding_name in (None, binding.name):
                return listener, binding.endpoint.host if binding.endpoint.is_name else "localhost"
    raise KeyError(binding_name)
