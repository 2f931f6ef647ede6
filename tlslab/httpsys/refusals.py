"""What http.sys answers to something that is no request, and the reason its HTTPERR log gives.

The reasons are those of KB820729 and of the page "Types of Errors Logged by the HTTP Server API" (learn.microsoft.com).
Which fault gets which is documented in a few words each; where they do not decide, it is BadRequest.
"""

from __future__ import annotations

import h11

from tlslab.httpsys.effects import Response
from tlslab.text import shortened

BAD_REQUEST = "BadRequest"
# How h11 begins what it says of a fault -> status, reason. A parse error of the Host, of a number or of a header has a
# reason of its own; a request line that does not parse has none, for it does not say which part is wrong.
_FAULTS: tuple[tuple[str, int, str], ...] = (
    ("Missing mandatory Host", 400, "Hostname"),
    ("Found multiple Host", 400, "Hostname"),
    ("Receive buffer too long", 400, "RequestLength"),  # over MaxRequestBytes; MaxFieldLength is as large (KB820129)
    ("bad Content-Length", 400, "Number"),
    ("conflicting Content-Length", 400, "Number"),
    ("illegal chunk header", 400, "Number"),
    ("illegal header line", 400, "Header"),
    ("continuation line", 400, "Header"),
    ("Only Transfer-Encoding: chunked", 501, "N/I"),
    ("multiple Transfer-Encoding", 501, "N/I"),
)
_BODIES = {
    400: b"400.0 Bad Request\n",
    501: b"501.0 Not Implemented\n",
    505: b"505.0 HTTP Version Not Supported\n",
}
DETAIL_LIMIT = 200  # characters of a peer's bytes that are told; a request line may have 16 KiB


def refusal(error: h11.RemoteProtocolError) -> tuple[Response, str, str]:
    """The response, what was wrong, and the reason for the HTTPERR log."""
    detail = str(error)
    for beginning, status, reason in _FAULTS:
        if detail.startswith(beginning):
            return _response(status), shortened(detail, DETAIL_LIMIT), reason
    return _response(400), shortened(detail, DETAIL_LIMIT), BAD_REQUEST


def version_refusal(version: str) -> tuple[Response, str, str]:
    """The same, for a version that is no HTTP/1: 505 (KB820729)."""
    return _response(505), f"HTTP/{version} in the request line", "Version_N/S"


def _response(status: int) -> Response:
    return Response(status, 0, "text/plain", _BODIES[status])
