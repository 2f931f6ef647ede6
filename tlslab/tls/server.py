"""The server's TLS: asks for a client certificate in the first handshake, or later (renegotiation, TLS 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar
from typing import Protocol as Interface

from OpenSSL import SSL

from tlslab.errors import LocalMisuse, WireError
from tlslab.events import (
    AlertReceived,
    AlertSent,
    CertificateRequested,
    ClientCertificateNotSent,
    ClientCertificateReceived,
    HandshakeCompleted,
    HandshakeMessage,
    HelloRequestSent,
    RenegotiationRefused,
    ServerHelloSent,
    SessionResumed,
    TlsFailed,
)
from tlslab.recorder import Recorder
from tlslab.tls import _openssl
from tlslab.tls.certificates import facts_untrusted
from tlslab.tls.context import Protocol, ServerContext
from tlslab.tls.engine import Engine
from tlslab.tls.failures import TOO_LONG, Failure, FailureKind, of_client_hello
from tlslab.types import CertificateFacts, Direction, HandshakeKind, TlsFacts, frozen_for_mypy
from tlslab.wire.alerts import Alert, AlertDescription
from tlslab.wire.certificate_request import parse_certificate_request_untrusted
from tlslab.wire.handshake import HandshakeType, message_name
from tlslab.wire.hello import (
    ClientHello,
    parse_server_hello_untrusted,
    read_client_hello_untrusted,
    read_session_id_untrusted,
    version_name,
)


class Handshake(Enum):
    """The handshake that goes on."""

    FIRST = auto()
    NONE = auto()
    AWAITED = auto()  # HelloRequest is out, and no ClientHello has answered it
    RENEGOTIATION = auto()
    POST_HANDSHAKE = auto()


KINDS = {
    Handshake.FIRST: HandshakeKind.FIRST,
    Handshake.RENEGOTIATION: HandshakeKind.RENEGOTIATION,
    Handshake.POST_HANDSHAKE: HandshakeKind.POST_HANDSHAKE,
}


@frozen_for_mypy
class HandshakeEnded:
    """A handshake is complete. `certificate` is what is known of the client now; it may come from an older session."""

    handshake: Handshake
    certificate: CertificateFacts | None


@frozen_for_mypy
class PlaintextWaits:
    """Application data stands in front now, and this read did not take it: told once, when that begins."""


@frozen_for_mypy
class TlsEnded:
    """Nothing more comes: TLS failed, or (`failure` is None) the client said close_notify."""

    failure: Failure | None


Happening = bytes | HandshakeEnded | PlaintextWaits | TlsEnded  # bytes are plaintext


class HandshakeWatcher(Interface):
    """Called when a message passes, so that its own events come right after those of TLS. It must not call TLS."""

    @property
    def wants_issuers(self) -> bool:
        """Whether to call `on_certificate_request`: it costs reading the list."""

    def on_client_hello(self, hello: ClientHello, now: float) -> None:
        """The ClientHello of a renegotiation was read."""

    def on_certificate_request(self, issuers: tuple[str, ...], issuers_bytes: int, now: float) -> None:
        """A CertificateRequest went out, naming these issuers (RFC 4514)."""


class ServerTls(Engine):
    """The server's side of one connection.

    `handshake` is the one that goes on. `session_id` and `resumed` are as the last ServerHello said (b"" in TLS 1.3,
    whose ids mean nothing), `client_certificate` as the last complete handshake left it. `renegotiated` holds for the
    connection. Plaintext that `write` could not take is lost: write between handshakes only.
    """

    def __init__(self, context: ServerContext, emit: Recorder, watcher: HandshakeWatcher) -> None:
        connection = SSL.Connection(context.context, None)
        connection.set_accept_state()
        super().__init__(connection)
        self._emit = emit
        self._watcher = watcher
        self._issuer_texts = context.issuer_texts
        self._secrets = context.secrets
        self._message_limit = context.message_limit
        self._message_limit_client_auth = context.message_limit_client_auth
        self._happened: list[Happening] = []
        self._offered_session = b""
        self._looks_at_hello = False  # a ClientHello has come, and no ServerHello has gone
        self._certificate_requested = False  # in the handshake that goes on
        self._finished_by_client = False
        self.handshake = Handshake.FIRST
        self.resumed = False
        self.session_id = b""
        self.renegotiated = False
        self.client_certificate: CertificateFacts | None = None
        self._facts: TlsFacts | None = None  # until the next handshake ends: every answer asks for them

    def facts(self) -> TlsFacts:
        """The state the last handshake left."""
        if self._facts is None:
            self._facts = TlsFacts(
                protocol=version_name(self._connection.get_protocol_version()),
                cipher=self._connection.get_cipher_name() or "",
                resumed=self.resumed,
                renegotiated=self.renegotiated,
                client_certificate=self.client_certificate,
            )
        return self._facts

    # --- what its owner calls ----------------------------------------------------------------------

    def read(self, limit: int, now: float) -> list[Happening]:
        """Carry on with what came, and say what happened, in order; nothing when nothing moves.

        At most one of them is plaintext, of up to `limit` bytes. With `limit` 0 the handshake messages in front of the
        next application data pass, and the data stays. Do not call it again after a `TlsEnded`.
        """
        waited = bool(limit) or self.blocked  # with a limit data is taken, so none can wait
        data = self._read(limit, now)
        happened, self._happened = self._happened, []
        if data:
            happened.append(data)
        elif not waited and self.blocked:
            happened.append(PlaintextWaits())
        if self.failure is not None or self.said_close_notify:
            happened.append(TlsEnded(self.failure))
        return happened

    def write(self, plaintext: bytes, now: float) -> bool:
        """Encrypt `plaintext`; False where a handshake on the way or a failure keeps it from going out."""
        return self._write(plaintext, now)

    def close(self, now: float) -> None:
        """Make close_notify ready, and write nothing after it; the session stays resumable."""
        self._close(now)

    def request_client_certificate(self, now: float) -> bool:
        """Ask for the certificate: HelloRequest before TLS 1.3, a post-handshake CertificateRequest in it.

        False where a TLS 1.3 client did not offer post-handshake authentication: nothing goes on the wire. Else `read`
        says when that handshake has ended. LocalMisuse: a handshake goes on.
        """
        if self.handshake is not Handshake.NONE:
            raise LocalMisuse("a certificate can be asked for between handshakes only")
        _openssl.ask_for_certificate(self._connection)
        self._message_limit = self._message_limit_client_auth
        if self.is_tls13:
            if not _openssl.request_post_handshake(self._connection):
                return False
            self.handshake = Handshake.POST_HANDSHAKE
        else:
            self._connection.renegotiate()
            self.handshake = Handshake.AWAITED
        self._finished_by_client = False
        try:
            _openssl.handshake(self._connection)
        except SSL.Error as error:
            self._fail(error, now)
        self._report(now)
        return True

    @property
    def is_tls13(self) -> bool:
        """Whether the connection speaks TLS 1.3, which has no renegotiation."""
        return self._connection.get_protocol_version() >= Protocol.TLS1_3

    # --- what the wire tells -----------------------------------------------------------------------

    @property
    def _in_renegotiation(self) -> bool:
        return self.handshake is Handshake.AWAITED or self.handshake is Handshake.RENEGOTIATION

    def _on_alert(self, sent: bool, alert: Alert, now: float) -> None:
        kind = AlertSent if sent else AlertReceived
        self._emit(kind, now, level=alert.level_name, description=alert.name, code=alert.code)

    def _on_handshake_message(self, sent: bool, code: int, length: int, body: bytes, now: float) -> None:
        emit = self._emit
        if HandshakeMessage in emit.wanted:
            direction, name = Direction.SENT if sent else Direction.RECEIVED, message_name(code)
            whose = emit.connection, emit.binding
            # Made here and not by the recorder, which takes twice as long: half of all events are these.
            emit.add(HandshakeMessage(now, *whose, direction, name, length, self._in_renegotiation))
        if length > self._message_limit and not sent:
            self._refuse_message(code, length, now)
            return
        look = self._looks.get((sent, code))
        if look is None:
            return
        try:
            look(self, body, now)
        except WireError:  # OpenSSL took it or will refuse it; the message has no more for us
            return

    def _refuse_message(self, code: int, length: int, now: float) -> None:
        """Take a message that OpenSSL took for none, and what OpenSSL answers for unsaid."""
        detail = f"a {message_name(code)} of {length:,} bytes, {self._message_limit:,} are the most"
        self._give_up(Failure(FailureKind.MESSAGE_OVER_LIMIT, detail))
        self.data_to_send()
        self._emit(TlsFailed, now, kind=FailureKind.MESSAGE_OVER_LIMIT, detail=detail)

    def _on_client_hello(self, body: bytes, now: float) -> None:
        self._looks_at_hello = self.handshake is not Handshake.NONE
        if self.handshake is not Handshake.AWAITED:  # the rest was read and told by whoever chose the context by it
            self._offered_session = read_session_id_untrusted(body)
            return
        self.handshake = Handshake.RENEGOTIATION
        hello = read_client_hello_untrusted(body)
        self._offered_session = hello.session_id
        self._watcher.on_client_hello(hello, now)

    def _on_server_hello(self, body: bytes, now: float) -> None:
        self._looks_at_hello = False
        hello = parse_server_hello_untrusted(body)
        if hello.is_hello_retry_request:
            return
        # In TLS 1.3 the id is only echoed (RFC 8446, 4.1.3), and a chosen key is what resumes.
        repeated = bool(hello.session_id) and hello.session_id == self._offered_session
        resumed = repeated if hello.version < Protocol.TLS1_3 else hello.selects_psk
        self.resumed = resumed
        self.session_id = hello.session_id if hello.version < Protocol.TLS1_3 else b""
        if self._emit.wants(ServerHelloSent):
            self._emit(
                ServerHelloSent,
                now,
                protocol=version_name(hello.version),
                session_id=hello.session_id.hex(),
                resumed=resumed,
                renegotiation=self._in_renegotiation,
            )
        if resumed:
            self._emit(SessionResumed, now, session_id=hello.session_id.hex())

    def _on_hello_request(self, _body: bytes, now: float) -> None:
        self._emit(HelloRequestSent, now)

    def _on_client_key_exchange(self, _body: bytes, _now: float) -> None:
        if self._secrets is not None:
            self._secrets.tell_master_secret(self._connection)

    def _on_finished(self, _body: bytes, _now: float) -> None:
        self._finished_by_client = True

    def _on_certificate_request(self, body: bytes, now: float) -> None:
        self._certificate_requested = True
        if not (self._emit.wants(CertificateRequested) or self._watcher.wants_issuers):
            return
        names = parse_certificate_request_untrusted(body, self._connection.get_protocol_version())
        issuers = tuple(self._issuer_texts.get(name, name.hex()) for name in names)
        size = sum(2 + len(name) for name in names)
        self._emit(CertificateRequested, now, during=KINDS[self.handshake], issuers=issuers, issuers_bytes=size)
        self._watcher.on_certificate_request(issuers, size, now)

    # Whether it was sent by us, and its type: the messages that say something to us, of the dozen of a handshake.
    _looks: ClassVar[dict[tuple[bool, int], Callable[[ServerTls, bytes, float], None]]] = {
        (False, HandshakeType.CLIENT_HELLO): _on_client_hello,
        (True, HandshakeType.SERVER_HELLO): _on_server_hello,
        (True, HandshakeType.HELLO_REQUEST): _on_hello_request,
        (True, HandshakeType.CERTIFICATE_REQUEST): _on_certificate_request,
        (False, HandshakeType.CLIENT_KEY_EXCHANGE): _on_client_key_exchange,
        (False, HandshakeType.FINISHED): _on_finished,
    }

    def _on_progress(self, now: float) -> None:
        if self.handshake is not Handshake.NONE and self.failure is None and self._is_complete():
            self._on_complete(now)

    def _is_complete(self) -> bool:
        match self.handshake:
            case Handshake.FIRST:
                return self.established
            case Handshake.AWAITED | Handshake.RENEGOTIATION:
                return not self._connection.renegotiate_pending()
            case _:
                return self._finished_by_client

    def _on_complete(self, now: float) -> None:
        in_renegotiation = self._in_renegotiation
        self.renegotiated = self.renegotiated or in_renegotiation
        if self._certificate_requested or self.resumed:
            self._learn_certificate(now)
        self._certificate_requested = False
        self._happened.append(HandshakeEnded(self.handshake, self.client_certificate))
        self.handshake = Handshake.NONE
        self._facts = None
        facts = self.facts()
        self._emit(
            HandshakeCompleted,
            now,
            protocol=facts.protocol,
            cipher=facts.cipher,
            resumed=self.resumed,
            renegotiation=in_renegotiation,
        )

    def _learn_certificate(self, now: float) -> None:
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            self.client_certificate = None
            if self._certificate_requested:
                self._emit(ClientCertificateNotSent, now)
            return
        facts = facts_untrusted(certificate, _openssl.verify_result(self._connection))
        self.client_certificate = facts
        if self._certificate_requested:
            self._emit(
                ClientCertificateReceived,
                now,
                subject=facts.subject,
                issuer=facts.issuer,
                fingerprint_sha256=facts.fingerprint_sha256,
                verdict=facts.verdict,
            )

    def _on_failure(self, failure: Failure, now: float) -> None:
        if failure.kind is FailureKind.RENEGOTIATION_REFUSED and not self._in_renegotiation:  # nobody had asked
            failure = self.failure = Failure(FailureKind.PEER_ALERT, failure.detail)
        if failure.kind is not FailureKind.RENEGOTIATION_REFUSED:
            self._report(now)
            is_too_long = self.handshake is Handshake.AWAITED and failure.detail == TOO_LONG
            if self._looks_at_hello or is_too_long:
                failure = self.failure = of_client_hello(failure)
            self._emit(TlsFailed, now, kind=failure.kind, detail=failure.detail)
            return
        # OpenSSL makes a handshake_failure of the client's warning; reports about IIS tell of a reset instead
        # (bc-java #593, deno #32245), so that alert stays here and is not told as sent.
        self.data_to_send()
        self._messages.clear()
        code = AlertDescription.NO_RENEGOTIATION
        self._emit(AlertReceived, now, level="warning", description=code.name.lower(), code=int(code))
        self._emit(RenegotiationRefused, now)
