"""Receives a connection: reads its first ClientHello and finds the binding that serves it, before there is any TLS."""

from __future__ import annotations

from tlslab.core.plan import Listener
from tlslab.errors import WireError
from tlslab.events import (
    AlertSent,
    BindingChosen,
    CertificateNotUsable,
    ClientHelloReceived,
    NoBindingMatched,
    TlsFailed,
)
from tlslab.httpsys import error_log
from tlslab.httpsys.bindings import Binding, choose
from tlslab.httpsys.settings import BindingPrecedence
from tlslab.httpsys.timers import Stopwatch, Timer, Timers
from tlslab.recorder import Recorder
from tlslab.tls.failures import FailureKind
from tlslab.types import BindingKey, frozen_for_mypy
from tlslab.wire.alerts import AlertDescription, fatal_alert_record
from tlslab.wire.client_hello_reader import MISPLACED, ClientHelloReader
from tlslab.wire.hello import ClientHello


@frozen_for_mypy
class Admitted:
    """A binding serves the connection. `received` is all that came so far, for TLS; `emit` records what follows."""

    binding: Binding
    hello: ClientHello
    received: bytes
    emit: Recorder


@frozen_for_mypy
class TurnedAway:
    """Nobody serves the connection: it is reset, or drained after an alert (none where the peer speaks no TLS).

    `emit` records what follows: on the binding that was found, if one was.
    """

    emit: Recorder
    resets: bool
    alert: bytes = b""


class Reception:
    """The first bytes of one connection, which was accepted at `opened` (lab time).

    Call `receive` for what comes and `tick` at `next_deadline`, until one of them gives an answer: then it is done.
    """

    def __init__(
        self, listener: Listener, precedence: BindingPrecedence, timers: Timers, emit: Recorder, opened: float
    ) -> None:
        self._listener = listener
        self._precedence = precedence
        self._emit = emit
        self._reader = ClientHelloReader()
        self._watch = Stopwatch(timers, Timer.HEADER_WAIT, opened)

    @property
    def next_deadline(self) -> float:
        """When `tick` has something to do, in lab time."""
        return self._watch.ends

    def hasten(self, now: float) -> None:
        """Let its timer run out now: call `tick` next."""
        self._watch.ends = now

    def tick(self, now: float) -> TurnedAway | None:
        """Turn away a client whose ClientHello is late; the timer is that for the head of a request."""
        if now < self._watch.ends:
            return None
        error_log.time_out(self._emit, self._watch, None, now)
        return TurnedAway(self._emit, resets=True)

    def receive(self, data: bytes, now: float) -> Admitted | TurnedAway | None:
        """Take bytes; None while the ClientHello is not whole."""
        try:
            hello = self._reader.feed_untrusted(data)
        except WireError as error:
            return self._refuse(error, now)
        return None if hello is None else self._find_binding(hello, now)

    def _refuse(self, error: WireError, now: float) -> TurnedAway:
        """Turn away what is no ClientHello; a peer that speaks TLS gets the alert."""
        kind, record = FailureKind.NOT_TLS, b""
        if error.alert is not None:
            alert = AlertDescription(error.alert)
            kind = FailureKind.UNEXPECTED_MESSAGE if alert == MISPLACED else FailureKind.MALFORMED_HELLO
            record = fatal_alert_record(alert)
            self._emit(AlertSent, now, level="fatal", description=alert.name.lower(), code=int(alert))
        self._emit(TlsFailed, now, kind=kind, detail=str(error))
        return TurnedAway(self._emit, resets=False, alert=record)

    def _find_binding(self, hello: ClientHello, now: float) -> Admitted | TurnedAway:
        binding = choose(self._listener.bindings, hello.server_name, self._precedence)
        emit = self._emit.of(binding.name if binding else "")
        tell_hello(emit, hello, now)
        if binding is None and hello.flaw:  # maybe only because its name cannot be read: what OpenSSL says of it
            return self._refuse(WireError(hello.flaw, AlertDescription.DECODE_ERROR), now)
        if binding is None:
            emit(NoBindingMatched, now, server_name=hello.server_name)
            return TurnedAway(emit, resets=True)
        if emit.wants(BindingChosen):
            emit(
                BindingChosen,
                now,
                by=BindingKey.SNI if binding.record.endpoint.is_name else BindingKey.ADDRESS,
                endpoint=str(binding.record.endpoint),
                client_cert_negotiation=binding.record.client_cert_negotiation,
            )
        unusable = binding.record.certificate.unusable
        if unusable is not None:
            # Reset, with event 15021 of HttpEvent, or 36870 of Schannel where the key is missing. That nothing goes
            # before the reset, no alert either, is unverified, as is that a missing key always ends so: one trace does.
            emit(CertificateNotUsable, now, endpoint=str(binding.record.endpoint), why=unusable)
            return TurnedAway(emit, resets=True)
        return Admitted(binding, hello, self._reader.buffered, emit)


def tell_hello(emit: Recorder, hello: ClientHello, now: float, behind_body_bytes: int | None = None) -> None:
    """Tell of a ClientHello; `behind_body_bytes` is how much body it stands behind, None for the first one."""
    emit(
        ClientHelloReceived,
        now,
        server_name=hello.server_name,
        versions=hello.versions,
        session_id=hello.session_id.hex(),
        offers_post_handshake_auth=hello.offers_post_handshake_auth,
        renegotiation=behind_body_bytes is not None,
        behind_body_bytes=behind_body_bytes,
        detail=hello.flaw,
    )
