"""Responses as bytes."""

from __future__ import annotations

from http import HTTPStatus

import h11

from tlslab.httpsys.effects import Response

# 413: the phrase of RFC 2616 and of IIS; HTTPStatus has RFC 9110's "Content Too Large" from Python 3.13 on.
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {413: b"Request Entity Too Large"}


def encode(http: h11.Connection, response: Response, method: str) -> bytes:
    """The bytes of a whole response to a request of this method; that to a HEAD has its length and no body.

    One that comes before the body was read to its end closes the connection: what follows is no request.
    """
    early = [("Connection", "close")] if http.their_state is h11.SEND_BODY else []
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("Cache-Control", "no-store"),
        *response.headers,
        *early,
    ]
    head = h11.Response(status_code=response.status, headers=headers, reason=_REASONS.get(response.status, b""))
    pieces = [http.send(head)]
    if method != "HEAD":
        pieces.append(http.send(h11.Data(data=response.body)))
    pieces.append(http.send(h11.EndOfMessage()))
    return b"".join(piece for piece in pieces if piece)
