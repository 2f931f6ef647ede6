"""What the clients of a run said and heard: one half of a ladder, of which the lab's events are the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tlslab.client.choice import Decision
from tlslab.scenario.schema import Step
from tlslab.tls.client import TlsPassed


class Said(StrEnum):
    """What passes between two sides."""

    HANDSHAKE = "handshake"
    ALERT = "alert"
    REQUEST = "request"
    BODY = "body"
    RESPONSE = "response"
    END = "end"
    RESET = "reset"


@dataclass(slots=True)
class Passed:
    """A message that one side sent or heard, from `at` to `until` (lab time).

    `name` is the RFC's of a handshake message or an alert, the method and target of a request, the status of an answer;
    of an end, why. `size` counts the bytes of a message or a body; of a request, those of the body that it announces.
    """

    at: float
    connection: int
    sent: bool
    what: Said
    name: str = ""
    size: int = 0
    until: float = 0.0
    waits: bool = False  # a request that wants 100 Continue


class Logbook:
    """What passed on the connections of a client, in order, and what it decided. The connections count from 1."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        self.decisions: list[tuple[int, Decision]] = []
        self.connections = 0

    def decided(self, decision: Decision) -> None:
        """Note what the client sends of what it has, on the connection that was opened last."""
        self.decisions.append((self.connections, decision))

    def somebody_else(self) -> None:
        """Count a connection of another client, of which nothing is kept."""
        self.connections += 1

    def note(self, one: Passed) -> None:
        """Note a message; the pieces of a body that nothing comes between are one."""
        one.until = one.at
        last = self.passed[-1] if self.passed else None
        if last is not None and one.what is last.what is Said.BODY and one.connection == last.connection:
            last.size += one.size
            last.until = one.at
        else:
            self.passed.append(one)


class Page:
    """One connection's part of a logbook; without one, nothing is kept."""

    def __init__(self, logbook: Logbook | None) -> None:
        self._logbook = logbook
        self._number = 0
        self._head_is_out = self._is_over = False
        if logbook is not None:
            logbook.connections += 1
            self._number = logbook.connections

    def begins(self) -> None:
        """A request begins."""
        self._head_is_out = False

    def note(self, now: float, what: Said, name: str = "", size: int = 0, *, sent: bool = True) -> None:
        """Note one thing that passed; behind the connection's end there is none."""
        if self._logbook is not None and not self._is_over:
            self._is_over = what in (Said.END, Said.RESET)
            self._logbook.note(Passed(now, self._number, sent, what, name, size))

    def tls(self, now: float, passed: Iterable[TlsPassed]) -> None:
        """Note messages of TLS."""
        for one in passed:
            self.note(now, Said.ALERT if one.is_alert else Said.HANDSHAKE, one.name, one.length, sent=one.sent)

    def piece(self, now: float, step: Step, size: int) -> None:
        """Note that a piece of the request went out: its head is the first."""
        if self._head_is_out:
            self.note(now, Said.BODY, size=size)
        elif self._logbook is not None:
            waits = step.expect_100 is not None
            head = Passed(now, self._number, True, Said.REQUEST, step.request, step.body, waits=waits)
            self._logbook.note(head)
        self._head_is_out = True
