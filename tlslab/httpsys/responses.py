"""Responses as bytes."""

from __future__ import annotations

from http import HTTPStatus

import h11

from tlslab.httpsys.effects import Request, Response

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


def encode(http: h11.Connection, response: Response, request: Request) -> bytes:
    """The bytes of a whole response; that to a HEAD has its length and no body."""
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("Cache-Control", "no-store"),
        *response.headers,
    ]
    head = h11.Response(status_code=response.status, headers=headers, reason=_REASONS.get(response.status, b""))
    pieces = [http.send(head)]
    if request.method != "HEAD":
        pieces.append(http.send(h11.Data(data=response.body)))
    pieces.append(http.send(h11.EndOfMessage()))
    return b"".join(piece for piece in pieces if piece)
