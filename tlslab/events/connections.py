"""How connections come and go."""

from __future__ import annotations

from tlslab import types as t
from tlslab.events.base import Event


@t.frozen_for_mypy
class ConnectionOpened(Event):
    """A TCP connection was accepted. Both addresses are `host:port`."""

    peer: str
    local: str


@t.frozen_for_mypy
class PeerClosed(Event):
    """The client ended its side. `fin_stuck`: its FIN has no room to arrive, but its socket here shows that it left."""

    during: t.Activity
    fin_stuck: bool


@t.frozen_for_mypy
class PeerReset(Event):
    """The client, or the network, reset the connection. `during` names what the lab was doing for it."""

    during: t.Activity


@t.frozen_for_mypy
class ConnectionClosed(Event):
    """The connection is over, after so many seconds."""

    how: t.ConnectionEnd
    seconds: float


@t.frozen_for_mypy
class ConnectionSummary(Event):
    """What a connection came to, told when it is over.

    `requests` are a method and a target, `statuses` an answer each (the first 100), `body_received` all bytes of bodies
    that were read.
    `deadlocked`: an upload was left unread for a certificate that could only come behind it. `why` is the event that
    ended it and what tells most of it, such as `TimerExpired: ssl_renegotiation`; "" where nobody ended it.
    """

    peer: str
    protocol: str
    handshakes: int
    renegotiated: bool
    resumed: bool
    certificate: str | None
    requests: tuple[str, ...]
    statuses: tuple[str, ...]
    body_received: int
    deadlocked: bool
    how: t.ConnectionEnd
    why: str
    seconds: float
