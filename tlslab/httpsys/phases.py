"""Where a request stands and what moves it on: the pipeline's state machine, as a table."""

from __future__ import annotations

from enum import Enum, auto

from tlslab.httpsys.timers import Timer


class Phase(Enum):
    """Where the request stands."""

    IDLE = "an idle connection"
    HEAD = "the request headers"
    DELAYED = "the application's own work"
    RECEIVING = "the request body"
    CLOSED = "the end"


class Cause(Enum):
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


WAITS_FOR = {Phase.IDLE: Timer.IDLE_CONNECTION, Phase.HEAD: Timer.HEADER_WAIT}  # what runs when nobody is asked


class Certificate(Enum):
    """Where the client certificate stands."""

    NOT_WANTED = auto()
    WANTED = auto()
    ASKED = auto()
