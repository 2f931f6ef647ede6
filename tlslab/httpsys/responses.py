"""Responses as bytes."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

import h11

from tlslab.httpsys.effects import Response
from tlslab.httpsys.entity_body import EntityBody
from tlslab.httpsys.timers import DRAIN_LIMIT, Timers
from tlslab.types import Closing, Drain, Reset

# 413: the phrase of RFC 2616 and of IIS; HTTPStatus has RFC 9110's "Content Too Large" from Python 3.13 on.
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {413: b"Request Entity Too Large"}

_REFUSAL = h11.Response(status_code=400, headers=[("Content-Length", "0")])
# What is left, h11's MIGHT_SWITCH_PROTOCOL, is a state that it does not export.
_DECIDED = (h11.DONE, h11.MUST_CLOSE, h11.SEND_BODY, h11.ERROR)
_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
_OLD_REQUEST = b"GET / HTTP/1.0\r\n\r\n"  # whose answer h11 does not cut into chunks where it has no length


def closes_after(reader: h11.Connection) -> bool:
    """Whether the connection ends with the answer to the request at hand.

    It does where the request says so, or was not read to its end: what follows is no request then. An offer to go on
    with another protocol is declined.
    """
    if reader.their_state not in _DECIDED:
        reader.send(_REFUSAL)  # h11 knows what that leaves
    return reader.their_state is not h11.DONE


def encode(response: Response, method: str, *, closes: bool) -> bytes:
    """The bytes of a whole response to a request of this method; that to a HEAD has its length and no body."""
    head = (
        _own_head(response)
        if response.is_own
        else _head(response.status, response.content_type, _length(response), response.headers, closes)
    )
    return head if method == "HEAD" else head + response.body


# Kept, for few heads are sent, again and again: h11 takes as long to write one as to read the request.
@lru_cache(maxsize=256)
def _head(
    status: int, content_type: str, length: int | None, headers: tuple[tuple[str, str], ...], closes: bool
) -> bytes:
    fields = [
        ("Content-Type", content_type),
        *([("Content-Length", str(length))] if length is not None else []),
        ("Cache-Control", "no-store"),
        *headers,
        *([("Connection", "close")] if closes else []),
    ]
    response = h11.Response(status_code=status, headers=fields, reason=_REASONS.get(status, b""))
    return _written(response, _REQUEST if length is not None else _OLD_REQUEST)


def _length(response: Response) -> int | None:
    return len(response.body) if response.has_length else None


def _own_head(response: Response) -> bytes:
    """The head of an answer of http.sys' own, in the order of the one that was published; it has no date here."""
    fields = [
        ("Content-Type", response.content_type),
        *response.headers,
        ("Connection", "close"),
        ("Content-Length", str(len(response.body))),
    ]
    reason = _REASONS.get(response.status, b"")
    return _written(h11.Response(status_code=response.status, headers=fields, reason=reason), _REQUEST)


def _written(response: h11.Response, request: bytes) -> bytes:
    """The head of a response to that request, as h11 writes and checks it."""
    writer = h11.Connection(h11.SERVER)
    writer.receive_data(request)
    writer.next_event()
    return writer.send(response) or b""


def ending(timers: Timers, drain_limit: int, body: EntityBody, now: float) -> Closing:
    """How to end behind an answer: a reset where a body is still to come and nothing of it is thrown away."""
    if timers.drain_entity_body and drain_limit:
        return Drain(now + timers.drain_entity_body, drain_limit)
    if body.complete or body.announced == 0:
        return Drain(now + timers.idle_connection, DRAIN_LIMIT)  # for the client's FIN
    return Reset()
