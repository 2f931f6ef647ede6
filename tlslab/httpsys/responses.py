"""Responses as bytes."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

import h11

from tlslab.httpsys.effects import Response

# 413: the phrase of RFC 2616 and of IIS; HTTPStatus has RFC 9110's "Content Too Large" from Python 3.13 on.
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {413: b"Request Entity Too Large"}


_END = h11.EndOfMessage()


def encode(http: h11.Connection, response: Response, method: str) -> bytes:
    """The bytes of a whole response to a request of this method; that to a HEAD has its length and no body.

    One that comes before the body was read to its end closes the connection: what follows is no request.
    """
    early = http.their_state is h11.SEND_BODY
    head = _head(response.status, response.content_type, len(response.body), response.headers, early)
    pieces = [http.send(head)]
    if method != "HEAD":
        pieces.append(http.send(h11.Data(data=response.body)))
    pieces.append(http.send(_END))
    return b"".join(piece for piece in pieces if piece)


# Kept, for h11 checks the fields when a head is made, and changes nothing of it when it is sent.
@lru_cache(maxsize=256)
def _head(
    status: int, content_type: str, length: int, headers: tuple[tuple[str, str], ...], early: bool
) -> h11.Response:
    fields = [
        ("Content-Type", content_type),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
        *headers,
        *([("Connection", "close")] if early else []),
    ]
    return h11.Response(status_code=status, headers=fields, reason=_REASONS.get(status, b""))
