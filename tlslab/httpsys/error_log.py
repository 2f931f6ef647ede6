"""HTTPERR, the log of what http.sys ends by itself.

Sources: KB820729 and W32, Format of the HTTP Server API error logs (the fields of the first version, and no headings);
W32, Error logging in Windows Server 2003 SP1 (the headings, and the queue name by default); the files that
`settings.ErrorLogForm` names for what came later.
"""

from __future__ import annotations

from datetime import datetime

from tlslab.events import HttpErrLogged, TimerExpired
from tlslab.httpsys.effects import Request
from tlslab.httpsys.settings import ErrorLogForm
from tlslab.httpsys.timers import HTTPERR_REASON, Stopwatch
from tlslab.recorder import Recorder
from tlslab.text import NOTHING, HostPort, cut_bytes, log_field

TRUNCATE_SIZE = 0x100000  # ErrorLogFileTruncateSize: the default, and the least it can be
URL_LIMIT = 4096  # bytes of URL and query
VERB_LIMIT = 255  # bytes of a verb that http.sys does not know; those that it knows are shorter
SITE_ID, QUEUE_NAME = "1", "DefaultAppPool"  # of the one site that a lab has, as a fresh IIS numbers and names them
SOFTWARE = "Microsoft HTTP API"

_REQUEST = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri"
_THIRTEEN = f"{_REQUEST} sc-status s-siteid s-reason s-queuename"
_TRANSPORT = f"{_REQUEST} streamid streamid_ex sc-status s-siteid s-reason s-queuename transport"
FIELDS = {
    ErrorLogForm.KB820729: f"{_REQUEST} sc-status s-siteid s-reason",
    ErrorLogForm.HTTP_API_1_0: _THIRTEEN,
    ErrorLogForm.HTTP_API_2_0: _THIRTEEN,
    ErrorLogForm.STREAMID: f"{_REQUEST} streamid sc-status s-siteid s-reason s-queuename",
    ErrorLogForm.TRANSPORT: _TRANSPORT,
    ErrorLogForm.FAULT_CODE: f"{_TRANSPORT} fault-code extended-fault-code",
}


def log(
    emit: Recorder, reason: str, request: Request | None, status: int | None, now: float, *, is_routed: bool = False
) -> None:
    """Tell that http.sys ends a connection by itself, with the request at hand, if any, and the status it answers.

    `is_routed`: the request had found its site and its queue.
    """
    emit(
        HttpErrLogged,
        now,
        reason=reason,
        method=request.method if request else None,
        target=request.target if request else None,
        http_version=request.http_version if request else None,
        status=status,
        is_routed=is_routed,
    )


def time_out(emit: Recorder, watch: Stopwatch, request: Request | None, now: float) -> None:
    """Tell that the timer which runs on a connection has run out; the connection ends unanswered."""
    emit(TimerExpired, now, timer=watch.timer, seconds=watch.seconds)
    # A head that is whole is routed at once, so a request that is waited for has its site.
    log(emit, HTTPERR_REASON[watch.timer], request, None, now, is_routed=request is not None)


def file_name(number: int) -> str:
    """Name a file, counted from 1."""
    return f"httperr{number}.log"


def heading(moment: datetime, form: ErrorLogForm) -> str:
    """Write what stands at the top of a file, and again where http.sys goes on with one; nothing in the first form."""
    if form is ErrorLogForm.KB820729:
        return ""
    version = "1.0" if form is ErrorLogForm.HTTP_API_1_0 else "2.0"
    lines = (
        f"#Software: {SOFTWARE} {version} (imitated by tlslab)",
        "#Version: 1.0",
        f"#Date: {moment:%Y-%m-%d %H:%M:%S}",
        f"#Fields: {FIELDS[form]}",
    )
    return "".join(f"{line}\n" for line in lines)


def line(
    moment: datetime,
    client: HostPort,
    server: HostPort,
    event: HttpErrLogged,
    form: ErrorLogForm = ErrorLogForm.HTTP_API_2_0,
) -> str:
    """Write a line. `moment` is UTC, `client` and `server` are address and port.

    Site id and queue name are there once a request was routed, as in published lines, and never in the first form,
    whose site id is always `-` (KB820729). Streams are HTTP/2's, and the lab has no fault codes: `-`.
    """
    names_site = event.is_routed and form is not ErrorLogForm.KB820729
    values = {
        "date": f"{moment:%Y-%m-%d}",
        "time": f"{moment:%H:%M:%S}",
        "c-ip": client[0],
        "c-port": str(client[1]),
        "s-ip": server[0],
        "s-port": str(server[1]),
        "cs-version": f"HTTP/{event.http_version}" if event.http_version else NOTHING,
        "cs-method": cut_bytes(event.method or "", VERB_LIMIT),
        "cs-uri": cut_bytes(event.target or "", URL_LIMIT),
        "sc-status": str(event.status or ""),
        "s-siteid": SITE_ID if names_site else NOTHING,
        "s-reason": event.reason,
        "s-queuename": QUEUE_NAME if names_site else NOTHING,
        "transport": "TCP",
    }
    return " ".join(log_field(values.get(name, NOTHING)) for name in FIELDS[form].split()) + "\n"
