"""What http.sys answers to something that is no request, and the reason its HTTPERR log gives.

Its answer has no substatus: that is IIS' notation, and IIS never saw the request. The short form of the page is that of
Microsoft's support article on HTTP 400 errors (a trace, headed HTTP API 1.0: 44 bytes for a header that is too long),
whose two texts are documented, with KB2020943. Every other text, and the whole long form, which users of Windows Server
2008 and later show, is unverified: no document has it.

The reasons are those of KB820729 and of the page "Types of Errors Logged by the HTTP Server API" (learn.microsoft.com).
Which fault gets which is documented in a few words each; where they do not decide, it is BadRequest.
"""

from __future__ import annotations

import h11

from tlslab.httpsys.effects import Response
from tlslab.httpsys.refusal_texts import TEXTS
from tlslab.httpsys.settings import ErrorPageForm, RequestSettings
from tlslab.text import shortened

BAD_REQUEST = "BadRequest"
# How h11 begins what it says of a fault -> status, reason. A parse error of the Host, of a number or of a header has a
# reason of its own; a request line that does not parse has none, for it does not say which part is wrong.
_FAULTS: tuple[tuple[str, int, str], ...] = (
    ("Missing mandatory Host", 400, "Hostname"),
    ("Found multiple Host", 400, "Hostname"),
    ("Receive buffer too long", 400, "RequestLength"),  # over MaxRequestBytes (KB820129)
    ("bad Content-Length", 400, "Number"),
    ("conflicting Content-Length", 400, "Number"),
    ("illegal chunk header", 400, "Number"),
    ("illegal header line", 400, "Header"),
    ("continuation line", 400, "Header"),
    ("Only Transfer-Encoding: chunked", 501, "N/I"),
    ("multiple Transfer-Encoding", 501, "N/I"),
)
DETAIL_LIMIT = 200  # characters of a peer's bytes that are told; a request line may have 16 KiB
SERVER = ("Server", "Microsoft-HTTPAPI/2.0")  # KB820129, DisableServerHeader: unless that says otherwise
_TITLES = {400: "Bad Request", 501: "Not Implemented", 503: "Service Unavailable", 505: "HTTP Version Not Supported"}
_LONG = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">
<HTML><HEAD><TITLE>{title}</TITLE>
<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>
<BODY><h2>{heading}</h2>
<hr><p>HTTP Error {status}. {sentence}</p>
</BODY></HTML>
"""


def refusal(error: h11.RemoteProtocolError, form: ErrorPageForm) -> tuple[Response, str, str]:
    """The response, what was wrong, and the reason for the HTTPERR log."""
    detail = str(error)
    for beginning, status, reason in _FAULTS:
        if detail.startswith(beginning):
            return page(status, reason, form), shortened(detail, DETAIL_LIMIT), reason
    return page(400, BAD_REQUEST, form), shortened(detail, DETAIL_LIMIT), BAD_REQUEST


def head_refusal(head: h11.Request, settings: RequestSettings) -> tuple[Response, str, str] | None:
    """The same, for a head that h11 takes and http.sys does not; None for one that it takes."""
    version = head.http_version.decode("latin-1")
    if not version.startswith("1."):  # 505 (KB820729)
        return _refused(505, "Version_N/S", f"HTTP/{version} in the request line", settings)
    headers = head.headers.raw_items()
    if (name := settings.limits.longest_field(headers)) is not None:
        return _refused(400, "FieldLength", f"the header {_text(name)} is longer than MaxFieldLength", settings)
    if settings.host_names:
        host = next((value for name, value in headers if name.lower() == b"host"), b"")
        if settings.is_unknown(host):
            status, reason = settings.unknown_host_name.answer
            return _refused(status, reason, f"no site has the host name {_text(host)}", settings)
    return None


def _refused(status: int, reason: str, detail: str, settings: RequestSettings) -> tuple[Response, str, str]:
    return page(status, reason, settings.error_page), shortened(detail, DETAIL_LIMIT), reason


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def page(status: int, reason: str, form: ErrorPageForm) -> Response:
    """The answer that http.sys makes itself; the connection ends with it."""
    short, after_hyphen, sentence = TEXTS[reason]
    title = _TITLES[status]
    if form is ErrorPageForm.SHORT:
        body = f"<h1>{title} ({short})</h1>" if short else f"<h1>{title}</h1>"
        return Response(status, 0, "text/html", body.encode(), is_own=True)
    heading = f"{title} - {after_hyphen}" if after_hyphen else title
    body = _LONG.format(title=title, heading=heading, status=status, sentence=sentence).replace("\n", "\r\n")
    return Response(status, 0, "text/html; charset=us-ascii", body.encode(), headers=(SERVER,), is_own=True)
