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
