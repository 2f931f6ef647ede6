"""The lab: what all its connections share."""

from __future__ import annotations

from collections.abc import Set
from itertools import count

from tlslab.core.connection import Connection
from tlslab.core.plan import LabPlan, Listener
from tlslab.events import Event
from tlslab.tls.context import KeyLog, ServerContext, server_context


class Lab:
    """A running scenario without its sockets: give it connections, it gives back `Connection` objects.

    `wanted` is the set of event types that are built; it may grow and shrink while the lab runs.
    """

    def __init__(self, plan: LabPlan, wanted: Set[type[Event]], keylog: KeyLog | None = None) -> None:
        self.plan = plan
        self.wanted = wanted
        self.connections_accepted = 0
        self._ids = count(1)
        self._contexts = {name: server_context(settings, name, keylog) for name, settings in plan.tls.items()}

    def context(self, binding: str) -> ServerContext:
        """The TLS context of a binding."""
        return self._contexts[binding]

    def accept(self, listener: Listener, peer: str, local: str, now: float) -> Connection:
        """Take a new connection on `listener`; both addresses are `host:port`."""
        self.connections_accepted += 1
        return Connection(self, next(self._ids), listener, peer, local, now)
