"""Requests, and how the client certificate is asked for."""

from __future__ import annotations

from tlslab import types as t
from tlslab.events.base import Event


@t.frozen_for_mypy
class RequestReceived(Event):
    """The head of a request was read. `content_length` is None for a chunked body; a header not sent is ""."""

    method: str
    target: str
    http_version: str
    content_length: int | None
    expects_continue: bool
    user_agent: str
    referer: str


@t.frozen_for_mypy
class CertificateRetrievalStarted(Event):
    """Decision: ask for the client certificate now. `reads_on` says whether the body is read while waiting."""

    kind: str
    body_received: int
    body_announced: int | None
    reads_on: bool
    timeout_seconds: float


@t.frozen_for_mypy
class CertificateUnavailable(Event):
    """The certificate cannot be asked for on this connection."""

    reason: t.Unavailable


@t.frozen_for_mypy
class EntityBodyStalled(Event):
    """The body is no longer read although more of it is on its way: what would answer is behind it.

    Bytes: `body_buffered` read and kept, `tls_unread` received but not taken, `socket_unread` waiting in the kernel.
    """

    body_buffered: int
    body_announced: int | None
    tls_unread: int
    socket_unread: int
    waiting_for: str


@t.frozen_for_mypy
class UnreadBytesChanged(Event):
    """While stalled: how many bytes wait now."""

    tls_unread: int
    socket_unread: int


@t.frozen_for_mypy
class EntityBodyResumed(Event):
    """The body is read again."""

    after_seconds: float


@t.frozen_for_mypy
class EntityBodyReceived(Event):
    """The whole body has been read."""

    length: int


@t.frozen_for_mypy
class ContinueSent(Event):
    """100 Continue went out. `after_certificate` says whether the certificate had been asked for before."""

    after_certificate: bool


@t.frozen_for_mypy
class RetrievalCancelled(Event):
    """More body than `max_bytes` arrived before the certificate did: the request and its connection are given up."""

    body_received: int
    max_bytes: int


@t.frozen_for_mypy
class ReadAheadExceeded(Event):
    """Decision: refuse, because the body goes on beyond the `size_bytes` read before the certificate."""

    body_received: int
    size_bytes: int
    body_announced: int | None


@t.frozen_for_mypy
class TimerExpired(Event):
    """A timer of http.sys ran out. `timer` is the knob's name, `seconds` its length in lab time."""

    timer: str
    seconds: float


@t.frozen_for_mypy
class HttpErrLogged(Event):
    """http.sys ends the request at hand (`is_routed`: it had found its site) and logs why; `status` is its answer."""

    reason: str
    method: str | None
    target: str | None
    http_version: str | None
    status: int | None
    is_routed: bool = False


@t.frozen_for_mypy
class BadRequestReceived(Event):
    """What the client sent is not HTTP, or not HTTP that can be served."""

    detail: str


@t.frozen_for_mypy
class ResponseSent(Event):
    """A whole response went out, `seconds` after the request's head was there.

    `substatus` is 0 where IIS has none, `win32` (sc-win32-status) None where no document shows a value.
    """

    status: int
    substatus: int
    method: str
    target: str
    certificate: str | None
    win32: int | None
    seconds: float
