"""A pipeline and the plaintext it is fed, without TLS: what is not taken waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h11
import pytest

from tlslab.events import ALL, Event
from tlslab.httpsys.effects import (
    Answer,
    Close,
    DecideService,
    RequestClientCertificate,
    Response,
    Send,
    Service,
)
from tlslab.httpsys.entity_body import BodyFacts
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.question import Question
from tlslab.httpsys.timers import Timers
from tlslab.recorder import Recorder
from tlslab.types import Closing


class Conversation:
    """Plays the owner of a connection: feeds what the pipeline has capacity for and carries out what it wants."""

    def __init__(self, timers: Timers, service: Service) -> None:
        self.told: list[Event] = []
        self.service = service
        self.response = Response(200, 0, "text/plain", b"fine\n")
        self.bodies: list[BodyFacts] = []
        self.questions = 0
        self.closed: Closing | None = None
        self.out = b""
        self.waiting = b""
        self.now = 0.0
        self.recorder = Recorder(1, ALL)
        self.question = Question()
        self.pipeline = Pipeline(timers, self.question, self.recorder, self.now)

    def feed(self, plaintext: bytes) -> None:
        """Bytes of the client."""
        self.waiting += plaintext
        self.run()

    def pass_time(self, seconds: float) -> None:
        """Let time go by, and its work be done."""
        self.now += seconds
        self.pipeline.tick(self.now)
        self.run()

    def settle(self) -> None:
        """The certificate came, or the word that there is none."""
        self.question.answer()
        self.pipeline.question_over(self.now)
        self.run()

    def run(self) -> None:
        """Decide, act and read until nothing moves."""
        moved = True
        while moved and self.closed is None:
            self.pipeline.decide(len(self.waiting), self.now)
            moved = self._act()
            if not moved and self.waiting and self.pipeline.capacity:
                piece, self.waiting = self.waiting[: self.pipeline.capacity], self.waiting[self.pipeline.capacity :]
                self.pipeline.receive(piece, self.now)
                moved = True
        self.told += self.recorder.take()

    def _act(self) -> bool:
        effects = self.pipeline.take_effects()
        for effect in effects:
            match effect:
                case DecideService():
                    self.pipeline.serve(self.service, self.now)
                case Answer(_, body):
                    self.bodies.append(body)
                    self.pipeline.respond(self.response, self.now)
                case RequestClientCertificate():
                    self.questions += 1
                case Send(plaintext):
                    self.out += plaintext
                case Close(how):
                    self.closed = how
        return bool(effects)

    def all(self, kind: type[Any]) -> list[Any]:
        """The events of one type so far."""
        return [event for event in self.told if isinstance(event, kind)]

    def only(self, kind: type[Any]) -> Any:
        """The one event of its type."""
        [event] = self.all(kind)
        return event

    def statuses(self, *methods: bytes) -> list[int]:
        """The status of each response so far, read as the client that sent these requests would (GET if none)."""
        found: list[int] = []
        data = self.out
        for method in methods or (b"GET",) * len(self.bodies):
            client = h11.Connection(h11.CLIENT)
            client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
            client.send(h11.EndOfMessage())
            client.receive_data(data)
            while data and isinstance(event := client.next_event(), h11.Event) and not ends(event):
                found += [event.status_code] if hasattr(event, "status_code") else []
            data = client.trailing_data[0]
        return found


def ends(event: h11.Event) -> bool:
    """Whether this is the end of a response."""
    return isinstance(event, h11.EndOfMessage)


@pytest.fixture
def converse() -> Callable[..., Conversation]:
    """Begin a conversation; the service is the same for every request until it is changed."""

    def make(timers: Timers | None = None, service: Service | None = None) -> Conversation:
        return Conversation(timers or Timers(), service or Service())

    return make
