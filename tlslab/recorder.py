"""Collects events for those who read them, and builds no others."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Concatenate, ParamSpec

from tlslab.events import Event

P = ParamSpec("P")


class Recorder:
    """Collects the events of one connection (0: of the machine) and builds only those whose type is in `wanted`.

    The rooms below the core get one as `emit`. It knows whose events they are and nothing that changes: the time comes
    with each event, and what happens once a binding is chosen is recorded with `of`.
    """

    __slots__ = ("_events", "binding", "connection", "wanted")

    def __init__(
        self, connection: int, wanted: Set[type[Event]], binding: str = "", events: list[Event] | None = None
    ) -> None:
        self.connection = connection
        self.wanted = wanted
        self.binding = binding
        self._events = [] if events is None else events

    def of(self, binding: str) -> Recorder:
        """Give the recorder of what happens on a binding; what the two record is one stream, in order."""
        return Recorder(self.connection, self.wanted, binding, self._events)

    def __call__(
        self, kind: Callable[Concatenate[float, int, str, P], Event], now: float, /, *args: P.args, **details: P.kwargs
    ) -> None:
        """Record that `kind` happened at `now` (lab time), with its details, if anyone wants it."""
        if kind in self.wanted:
            self._events.append(kind(now, self.connection, self.binding, *args, **details))

    def add(self, event: Event) -> None:
        """Record an event that was made elsewhere, because it is wanted."""
        self._events.append(event)

    def wants(self, kind: type[Event]) -> bool:
        """Whether anyone reads events of this type; asked where the details cost something."""
        return kind in self.wanted

    def take(self) -> list[Event]:
        """Give away what was recorded since the last call."""
        if not self._events:  # most often
            return []
        taken = self._events[:]
        self._events.clear()
        return taken
