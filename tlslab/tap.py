"""The tap: what passes on the wire, told to whoever writes it down.

It is the one thing beside the stream of events: bytes, their direction and the TLS secrets, none of which ever enters
an event. Whoever moves the bytes of a connection tells them to its `ConnectionTap`, and whoever gets the secrets from
OpenSSL to the `Tap`. A lab whose capture nobody wants has `NO_TAP`.
"""

from __future__ import annotations

from typing import Protocol

from tlslab.text import HostPort


class ConnectionTap(Protocol):
    """One connection, as the server sees it. Times are lab time in seconds.

    Call `settle` when the events of what happened have been published: until then what was told may still get the
    comments that belong to it.
    """

    @property
    def looks_ahead(self) -> bool:
        """Whether to tell what waits unread, and how the lab ends its side."""

    def received(self, data: bytes, at: float) -> None:
        """The lab took bytes from the socket, and TLS has made of them what it could: their secrets came first."""

    def waiting(self, data: bytes, at: float) -> None:
        """All that waits in the socket now and that nobody has taken; what was told of it before is told again."""

    def window_closed(self, at: float) -> None:
        """The receive window is closed: the client was told to send no more. Said again, it counts once."""

    def sent(self, data: bytes, at: float) -> None:
        """Bytes went out in one piece."""

    def peer_ended(self, at: float, *, reset: bool) -> None:
        """The client ended its side: FIN, or RST."""

    def ended(self, at: float, *, reset: bool) -> None:
        """The lab ended its side: FIN, or RST. Said more than once, only the first FIN and the first RST count."""

    def settle(self) -> None:
        """All that happened so far has been told, the events too."""


class Tap(Protocol):
    """All connections of a lab."""

    def open(self, number: int, peer: HostPort, local: HostPort, at: float) -> ConnectionTap:
        """The TCP connection that events call `number` was accepted."""

    def secrets(self, line: str) -> None:
        """A line of the key log (NSS format), of whatever connection."""


class _NoTap:
    """Takes everything and keeps nothing."""

    looks_ahead = False

    def open(self, number: int, peer: HostPort, local: HostPort, at: float) -> ConnectionTap:
        return self

    def secrets(self, line: str) -> None:
        pass

    def received(self, data: bytes, at: float) -> None:
        pass

    def waiting(self, data: bytes, at: float) -> None:
        pass

    def window_closed(self, at: float) -> None:
        pass

    def sent(self, data: bytes, at: float) -> None:
        pass

    def peer_ended(self, at: float, *, reset: bool) -> None:
        pass

    def ended(self, at: float, *, reset: bool) -> None:
        pass

    def settle(self) -> None:
        pass


NO_TAP = _NoTap()
