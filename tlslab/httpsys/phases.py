"""Where a request stands and what moves it on: the pipeline's state machine, as a table."""

from __future__ import annotations

from enum import auto

from tlslab.httpsys.timers import Timer
from tlslab.tables import TableKey
from tlslab.types import Activity


class Phase(TableKey):
    """Where the request stands."""

    IDLE = auto()
    HEAD = auto()
    DELAYED = auto()
    RECEIVING = auto()
    CLOSED = auto()


class Cause(TableKey):
    """What moves a request on."""

    BYTES = auto()
    SERVE = auto()
    WAIT = auto()
    DELAY_OVER = auto()
    ANSWERED = auto()
    CLOSE = auto()


NEXT: dict[tuple[Phase, Cause], Phase] = {
    (Phase.IDLE, Cause.BYTES): Phase.HEAD,
    (Phase.HEAD, Cause.SERVE): Phase.RECEIVING,
    (Phase.HEAD, Cause.WAIT): Phase.DELAYED,
    (Phase.DELAYED, Cause.DELAY_OVER): Phase.RECEIVING,
    (Phase.RECEIVING, Cause.ANSWERED): Phase.IDLE,
    **{(phase, Cause.CLOSE): Phase.CLOSED for phase in Phase},
}

# What runs in a phase when no certificate is awaited; in the others it is the timer of the body.
WAITS_FOR = {Phase.IDLE: Timer.IDLE_CONNECTION, Phase.HEAD: Timer.HEADER_WAIT}

ACTIVITY = {
    Phase.IDLE: Activity.IDLE,
    Phase.HEAD: Activity.REQUEST_HEAD,
    Phase.DELAYED: Activity.APPLICATION,
    Phase.RECEIVING: Activity.ENTITY_BODY,
    Phase.CLOSED: Activity.ENDING,
}
