"""A connection's life, as tables.

Causes move a connection on (`BY_CAUSE`). One move is TLS's (`WITH_TLS`): the two machines move together where the first
handshake ends. A pair that `BY_CAUSE` lacks is a defect of tlslab. A renegotiation changes nothing here: while it goes
on, requests are served, or stand still.
"""

from __future__ import annotations

from enum import auto

from tlslab.tables import TableKey
from tlslab.tls.server import Handshake
from tlslab.types import ConnectionEnd


class Life(TableKey):
    """Where a connection stands."""

    GREETING = auto()  # its first ClientHello is read: there is no binding yet, and no TLS
    HANDSHAKE = auto()  # the first handshake goes on
    SERVING = auto()
    PARTING = auto()  # the client has said close_notify, and its FIN is awaited
    DRAINING = auto()  # what is left goes out, what still comes is thrown away
    RESETTING = auto()  # by the lab
    RESET_BY_PEER = auto()
    OVER = auto()  # the socket is closed


class LifeCause(TableKey):
    """What moves a connection on."""

    BINDING_CHOSEN = auto()
    CLOSE_NOTIFY = auto()
    DRAIN = auto()
    RESET = auto()
    PEER_RESET = auto()
    SOCKET_CLOSED = auto()


ENDING = {
    LifeCause.DRAIN: Life.DRAINING,
    LifeCause.RESET: Life.RESETTING,
    LifeCause.PEER_RESET: Life.RESET_BY_PEER,
}
ALIVE = (Life.GREETING, Life.HANDSHAKE, Life.SERVING, Life.PARTING)

BY_CAUSE: dict[tuple[Life, LifeCause], Life] = {
    (Life.GREETING, LifeCause.BINDING_CHOSEN): Life.HANDSHAKE,
    (Life.HANDSHAKE, LifeCause.CLOSE_NOTIFY): Life.PARTING,
    (Life.SERVING, LifeCause.CLOSE_NOTIFY): Life.PARTING,
    **{(life, cause): ending for life in ALIVE for cause, ending in ENDING.items()},
    **{(life, LifeCause.SOCKET_CLOSED): Life.OVER for life in Life},
}

WITH_TLS: dict[tuple[Life, Handshake], Life] = {(Life.HANDSHAKE, Handshake.NONE): Life.SERVING}

# How a connection ended whose socket is closed now.
ENDS = {
    Life.DRAINING: ConnectionEnd.CLOSED,
    Life.RESETTING: ConnectionEnd.RESET,
    Life.RESET_BY_PEER: ConnectionEnd.RESET_BY_PEER,
    **dict.fromkeys(ALIVE, ConnectionEnd.ABANDONED),
}


def with_tls(life: Life, handshake: Handshake) -> Life:
    """Where a connection stands when this is the handshake that goes on."""
    return WITH_TLS.get((life, handshake), life)
