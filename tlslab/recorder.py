"""Collects events for those who read them, and builds no others."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Concatenate, ParamSpec

from tlslab.events import Event

P = ParamSpec("P")


class Recorder:
    """Collects the events of one connection and builds only those whose type is in `wanted`.

    The rooms below the core get it as `emit`; the core keeps `now` and `binding` current and takes the events away.
    """

    __slots__ = ("binding", "connection", "events", "now", "wanted")

    def __init__(self, connection: int, wanted: Set[type[Event]], now: float) -> None:
        self.connection = connection
        self.wanted = wanted
        self.now = now
        self.binding = ""
        self.events: list[Event] = []

    def __call__(
        self, kind: Callable[Concatenate[float, int, str, P], Event], /, *args: P.args, **details: P.kwargs
    ) -> None:
        """Record `kind` with its details, if anyone wants it."""
        if kind in self.wanted:
            self.events.append(kind(self.now, self.connection, self.binding, *args, **details))

    def wants(self, kind: type[Event]) -> bool:
        """Whether anyone reads events of this type; asked where the details cost something."""
        return kind in self.wanted

    def take(self) -> list[Event]:
        """Give away what was recorded since the last call."""
        taken, self.events = self.events, []
        return taken
