"""What is told of a body that stays unread while the client certificate is awaited."""

from __future__ import annotations

from tlslab.events import EntityBodyResumed, EntityBodyStalled, UnreadBytesChanged
from tlslab.httpsys.entity_body import EntityBody
from tlslab.recorder import Recorder


class Stall:
    """Tells when a body is no longer read, how much of it waits, and when it is read again."""

    __slots__ = ("_emit", "_last_unread", "_since")

    def __init__(self, emit: Recorder) -> None:
        self._emit = emit
        self._since: float | None = None
        self._last_unread = (0, 0)

    @property
    def told(self) -> bool:
        """Whether the present stall has been told of."""
        return self._since is not None

    def note(self, body: EntityBody, tls_unread: int, socket_unread: int, waiting_for: str, now: float) -> None:
        """Tell how many bytes wait in TLS and in the socket, if that is new."""
        counts = (tls_unread, socket_unread)
        if self._since is None:
            self._since = now
            self._emit(
                EntityBodyStalled,
                now,
                body_buffered=body.received,
                body_announced=body.announced,
                tls_unread=tls_unread,
                socket_unread=socket_unread,
                waiting_for=waiting_for,
            )
        elif counts != self._last_unread:
            self._emit(UnreadBytesChanged, now, tls_unread=tls_unread, socket_unread=socket_unread)
        self._last_unread = counts

    def end(self, now: float) -> None:
        """The body is read again, if it was not."""
        if self._since is not None:
            self._emit(EntityBodyResumed, now, after_seconds=now - self._since)
            self._since = None
