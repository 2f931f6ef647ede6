"""What each connection came to, folded from its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tlslab import events as e
from tlslab.text import format_status
from tlslab.types import ConnectionEnd

MOST = 100  # chosen: requests and answers that are named; a connection may have millions, and a lab thousands of them


@dataclass(slots=True)
class ConnectionAccount:
    """One connection, as far as it has come; the fields are those of `events.ConnectionSummary`.

    `how` is None while it goes on. `stalled`: an upload is left unread at this moment.
    """

    number: int
    peer: str
    binding: str = ""
    protocol: str = ""
    handshakes: int = 0
    renegotiated: bool = False
    resumed: bool = False
    certificate: str | None = None
    requests: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    deadlocked: bool = False
    stalled: bool = False
    how: ConnectionEnd | None = None
    why: str = ""
    seconds: float = 0.0
    _bodies_before: int = 0
    _body: int = 0

    @property
    def body_received(self) -> int:
        """Bytes of bodies that were read; of one that still comes, as many as were last told."""
        return self._bodies_before + self._body

    @property
    def failed_in_tls(self) -> bool:
        """Whether TLS itself ended it: the client did not trust the lab, or the two had nothing in common."""
        return self.why.startswith(_TLS_FAILURES)

    def note(self, event: e.Event) -> None:
        """Take the next event of this connection."""
        for fold in _FOLDS.get(type(event), ()):
            fold(self, event)

    def body_is(self, count: int) -> None:
        """So much of the present body has been read."""
        if count > self._body:
            self._body = count

    def request(self, event: e.RequestReceived) -> None:
        """Another request."""
        if len(self.requests) < MOST:
            self.requests.append(f"{event.method} {event.target}")
        self._bodies_before += self._body
        self._body = 0

    def handshake(self, event: e.HandshakeCompleted) -> None:
        """Another handshake."""
        self.protocol = event.protocol
        self.handshakes += 1
        self.renegotiated |= event.renegotiation
        self.resumed |= event.resumed and not event.renegotiation

    def stall(self, event: e.EntityBodyStalled) -> None:
        """An upload is left unread."""
        self.deadlocked = self.stalled = True
        self.body_is(event.body_buffered)

    def close(self, event: e.ConnectionClosed) -> None:
        """It is over."""
        self.how, self.seconds, self.stalled = event.how, event.seconds, False

    def summary(self, at: float) -> e.ConnectionSummary:
        """The event that tells it. LookupError: it is not over."""
        if self.how is None:
            raise LookupError(f"connection {self.number} is not over")
        return e.ConnectionSummary(
            at,
            self.number,
            self.binding,
            self.peer,
            self.protocol,
            self.handshakes,
            self.renegotiated,
            self.resumed,
            self.certificate,
            tuple(self.requests),
            tuple(self.statuses),
            self.body_received,
            self.deadlocked,
            self.how,
            self.why,
            self.seconds,
        )


def _resume(connection: ConnectionAccount, event: e.EntityBodyResumed) -> None:
    connection.stalled = connection.deadlocked = False


def _binding(connection: ConnectionAccount, event: e.BindingChosen) -> None:
    connection.binding = event.binding


def _certificate(connection: ConnectionAccount, event: e.ClientCertificateReceived) -> None:
    connection.certificate = event.subject


def _response(connection: ConnectionAccount, event: e.ResponseSent) -> None:
    if len(connection.statuses) < MOST:
        connection.statuses.append(format_status(event.status, event.substatus))
    if event.certificate is not None:  # that of a resumed session comes in no handshake
        connection.certificate = event.certificate


_NOTES: dict[type[e.Event], Callable[[ConnectionAccount, Any], None]] = {
    e.BindingChosen: _binding,
    e.HandshakeCompleted: ConnectionAccount.handshake,
    e.ClientCertificateReceived: _certificate,
    e.RequestReceived: ConnectionAccount.request,
    e.CertificateRetrievalStarted: lambda connection, event: connection.body_is(event.body_received),
    e.EntityBodyStalled: ConnectionAccount.stall,
    e.EntityBodyResumed: _resume,
    e.EntityBodyReceived: lambda connection, event: connection.body_is(event.length),
    e.RetrievalCancelled: lambda connection, event: connection.body_is(event.body_received),
    e.ReadAheadExceeded: lambda connection, event: connection.body_is(event.body_received),
    e.ResponseSent: _response,
    e.ConnectionClosed: ConnectionAccount.close,
}


def _nothing(_event: e.Event) -> str:
    return ""


def _alert(event: e.AlertReceived | e.AlertSent) -> str | None:
    return f": {event.description}" if event.level == "fatal" else None


# Why a connection ended: the last of these, but for TLS, which fails because of an alert. None: this one is no reason.
_WHY: dict[type[e.Event], Callable[[Any], str | None]] = {
    e.NoBindingMatched: _nothing,
    e.CertificateNotUsable: _nothing,
    e.RenegotiationRefused: _nothing,
    e.CertificateUnavailable: lambda event: f": {event.reason}",
    e.RetrievalCancelled: _nothing,
    e.ReadAheadExceeded: _nothing,
    e.BadRequestReceived: _nothing,
    e.TimerExpired: lambda event: f": {event.timer}",
    e.AlertReceived: _alert,
    e.AlertSent: _alert,
    e.TlsFailed: lambda event: f": {event.kind}",
    e.PeerClosed: lambda event: f": {event.during}",
    e.PeerReset: lambda event: f": {event.during}",
    e.InternalFault: lambda event: f": {event.fault}",
}


Fold = Callable[[ConnectionAccount, Any], None]


def _reason(kind: type[e.Event], detail: Callable[[Any], str | None]) -> Fold:
    def fold(connection: ConnectionAccount, event: e.Event) -> None:
        said = detail(event)
        if said is not None and not (kind is e.TlsFailed and connection.why.startswith(_BEFORE_TLS_FAILED)):
            connection.why = f"{kind.__name__}{said}"

    return fold


# What an account makes of an event, by its type: put together once, for it is asked of each event.
_FOLDS: dict[type[e.Event], list[Fold]] = {kind: [note] for kind, note in _NOTES.items()}
for _kind, _detail in _WHY.items():
    _FOLDS.setdefault(_kind, []).append(_reason(_kind, _detail))
_BEFORE_TLS_FAILED = ("AlertReceived", "AlertSent", "RenegotiationRefused")
_TLS_FAILURES = ("TlsFailed", "AlertReceived", "AlertSent")


class Summaries:
    """Keeps a `ConnectionAccount` for each connection that is open; `record` it on a bus, for `kinds`.

    `publish` gets a `ConnectionSummary` for each that is over, `make` makes an account. `kept` are the open ones, by
    number.
    """

    kinds = frozenset(_FOLDS) | {e.ConnectionOpened}

    def __init__(
        self,
        publish: Callable[[Iterable[e.Event]], None],
        make: Callable[[int, str], ConnectionAccount] = ConnectionAccount,
    ) -> None:
        self._publish = publish
        self._make = make
        self.kept: dict[int, ConnectionAccount] = {}

    def note(self, event: e.Event) -> None:
        """Take the next event of any connection."""
        connection = self.kept.get(event.connection)
        if connection is None:
            if isinstance(event, e.ConnectionOpened):
                self.kept[event.connection] = self._make(event.connection, event.peer)
            return
        connection.note(event)
        if connection.how is not None:
            del self.kept[event.connection]
            self._publish([connection.summary(event.at)])
