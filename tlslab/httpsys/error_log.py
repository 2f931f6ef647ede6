"""HTTPERR, the log of what http.sys ends by itself (KB820729; Learn, Format of the HTTP Server API Error Logs)."""

from __future__ import annotations

from datetime import datetime

from tlslab.events import HttpErrLogged, TimerExpired
from tlslab.httpsys.effects import Request
from tlslab.httpsys.timers import HTTPERR_REASON, Stopwatch
from tlslab.recorder import Recorder
from tlslab.text import NOTHING, HostPort, cut_bytes, log_field

TRUNCATE_SIZE = 0x100000  # ErrorLogFileTruncateSize: the default, and the least it can be
URL_LIMIT = 4096  # bytes of URL and query
VERB_LIMIT = 255  # bytes of a verb that http.sys does not know; those that it knows are shorter


def log(emit: Recorder, reason: str, request: Request | None, status: int | None, now: float) -> None:
    """Tell that http.sys ends a connection by itself, with the request at hand, if any, and the status it answers."""
    emit(
        HttpErrLogged,
        now,
        reason=reason,
        method=request.method if request else None,
        target=request.target if request else None,
        http_version=request.http_version if request else None,
        status=status,
    )


def time_out(emit: Recorder, watch: Stopwatch, request: Request | None, now: float) -> None:
    """Tell that the timer which runs on a connection has run out; the connection ends unanswered."""
    emit(TimerExpired, now, timer=watch.timer, seconds=watch.seconds)
    log(emit, HTTPERR_REASON[watch.timer], request, None, now)


def file_name(number: int) -> str:
    """Name a file, counted from 1."""
    return f"httperr{number}.log"


def line(moment: datetime, client: HostPort, server: HostPort, event: HttpErrLogged) -> str:
    """Write a line; there are no headings.

    `moment` is UTC, `client` and `server` are address and port. The site id is always `-`; so is the queue name here,
    for the lab has no application pools.
    """
    fields = (
        f"{moment:%Y-%m-%d}",
        f"{moment:%H:%M:%S}",
        client[0],
        str(client[1]),
        server[0],
        str(server[1]),
        f"HTTP/{event.http_version}" if event.http_version else "",
        cut_bytes(event.method or "", VERB_LIMIT),
        cut_bytes(event.target or "", URL_LIMIT),
        str(event.status or ""),
        NOTHING,
        event.reason,
        NOTHING,
    )
    return " ".join(map(log_field, fields)) + "\n"
