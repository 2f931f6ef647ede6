"""The timers of http.sys and what its HTTPERR log says when one runs out.

Defaults: sdk-api HTTP_TIMEOUT_LIMIT_INFO gives two minutes each; the renegotiation timer's two minutes are KB820729's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tlslab.knobs import Knob, Seconds, TakesEffect, Tool, WindowsSetting

# Chosen: bytes thrown away after an early answer so that it is not lost to a reset.
DRAIN_LIMIT = 64 * 1024 * 1024


class Timer(StrEnum):
    """A timer, by the name of its knob."""

    SSL_RENEGOTIATION = "ssl_renegotiation"
    ENTITY_BODY = "entity_body"
    HEADER_WAIT = "header_wait"
    IDLE_CONNECTION = "idle_connection"


# Reason phrases of the HTTPERR log: KB820729.
HTTPERR_REASON = {
    Timer.SSL_RENEGOTIATION: "Timer_SslRenegotiation",
    Timer.ENTITY_BODY: "Timer_EntityBody",
    Timer.HEADER_WAIT: "Timer_HeaderWait",
    Timer.IDLE_CONNECTION: "Timer_ConnectionIdle",
}


class Timers(Knob):
    """How long http.sys waits, in lab seconds."""

    ssl_renegotiation: Annotated[
        Seconds,
        WindowsSetting(
            "HTTPERR Timer_SslRenegotiation, default two minutes (KB820729)", Tool.NONE, TakesEffect.LAB_START
        ),
    ] = Field(default=120.0, gt=0)
    entity_body: Annotated[
        Seconds, WindowsSetting("HTTP_TIMEOUT_LIMIT_INFO EntityBody", Tool.NONE, TakesEffect.NEXT_CONNECTION)
    ] = Field(default=120.0, gt=0)
    header_wait: Annotated[
        Seconds,
        WindowsSetting(
            "HTTP_TIMEOUT_LIMIT_INFO HeaderWait; netsh http add timeout headerwaittimeout",
            Tool.NETSH,
            TakesEffect.NEXT_CONNECTION,
        ),
    ] = Field(default=120.0, gt=0)
    idle_connection: Annotated[
        Seconds,
        WindowsSetting(
            "HTTP_TIMEOUT_LIMIT_INFO IdleConnection; netsh http add timeout idleconnectiontimeout; IIS: "
            "connectionTimeout",
            Tool.NETSH,
            TakesEffect.NEXT_CONNECTION,
        ),
    ] = Field(default=120.0, gt=0)
    drain_entity_body: Annotated[
        Seconds, WindowsSetting("HTTP_TIMEOUT_LIMIT_INFO DrainEntityBody", Tool.NONE, TakesEffect.NEXT_CONNECTION)
    ] = 120.0  # 0: reset at once, and the answer may be lost


class Stopwatch:
    """The one timer that runs on a connection at a time: `timer`, for `seconds`; it runs out at `ends` (lab time)."""

    __slots__ = ("_timers", "ends", "seconds", "timer")

    def __init__(self, timers: Timers, timer: Timer, now: float) -> None:
        self._timers = timers
        self.start(timer, now)

    def start(self, timer: Timer, now: float) -> None:
        """Let `timer` run from now on, instead of what ran before."""
        self.timer = timer
        seconds: float = getattr(self._timers, timer)  # a Timer is the name of its knob
        self.seconds, self.ends = seconds, now + seconds
