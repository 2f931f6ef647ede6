"""The server's TLS: asks for a client certificate in the first handshake, or later (renegotiation, TLS 1.3)."""

from __future__ import annotations

import warnings
from enum import Enum, auto
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL, crypto

from tlslab.errors import LocalMisuse, WireError
from tlslab.events import (
    AlertReceived,
    CertificateRequested,
    ClientCertificateNotSent,
    ClientCertificateReceived,
    ClientHelloReceived,
    HandshakeCompleted,
    HelloRequestSent,
    IssuerListTruncated,
    RenegotiationRefused,
    ServerHelloSent,
    SessionResumed,
)
from tlslab.recorder import Recorder
from tlslab.tls import _openssl
from tlslab.tls.context import Protocol, ServerContext
from tlslab.tls.engine import Engine
from tlslab.tls.failures import Failure, FailureKind
from tlslab.types import CertificateFacts, TlsFacts, Verdict
from tlslab.wire.alerts import AlertDescription
from tlslab.wire.certificate_request import parse_certificate_request_untrusted
from tlslab.wire.handshake import HandshakeType
from tlslab.wire.hello import ClientHello, parse_client_hello_untrusted, parse_server_hello_untrusted, version_name

# X509_V_ codes (openssl/x509_vfy.h). What is not listed, such as a wrong signature, makes a certificate invalid.
_VERDICTS = {
    0: Verdict.TRUSTED,
    2: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_GET_ISSUER_CERT
    9: Verdict.NOT_YET_VALID,
    10: Verdict.EXPIRED,
    18: Verdict.UNTRUSTED,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: Verdict.UNTRUSTED,  # SELF_SIGNED_CERT_IN_CHAIN
    20: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE: nothing but the certificate itself
    26: Verdict.WRONG_USAGE,
}
UNREADABLE = "(unreadable)"  # the subject and issuer of a certificate whose names cannot be read


class Question(Enum):
    """What became of a request for a certificate."""

    ASKED = auto()
    UNAVAILABLE = auto()


class Handshake(Enum):
    """The handshake that is going on."""

    FIRST = "handshake"
    NONE = ""
    RENEGOTIATION = "renegotiation"
    POST_HANDSHAKE = "post_handshake"


class ServerTls(Engine):
    """The server's side of one connection.

    `asked` says whether a CertificateRequest is out and unanswered; `body_received` is told in the ClientHelloReceived
    of a renegotiation; `handshakes` counts those that were completed, and `session_id` is what the last ServerHello
    named (b"" in TLS 1.3, whose ids mean nothing).
    """

    def __init__(self, context: ServerContext, emit: Recorder) -> None:
        connection = SSL.Connection(context.context, None)
        connection.set_accept_state()
        super().__init__(connection, emit)
        self._issuer_texts = context.issuer_texts
        self._left_out = context.left_out
        self._handshake = Handshake.FIRST
        self.asked = False
        self._offered_session = b""
        self.resumed = False
        self.handshakes = 0
        self.session_id = b""
        self._finished_by_client = False
        self.renegotiated = False
        self.body_received: int | None = None
        self.client_certificate: CertificateFacts | None = None

    def facts(self) -> TlsFacts:
        """The state the last handshake left."""
        return TlsFacts(
            protocol=version_name(self._connection.get_protocol_version()),
            cipher=self._connection.get_cipher_name() or "",
            resumed=self.resumed,
            renegotiated=self.renegotiated,
            client_certificate=self.client_certificate,
        )

    def request_client_certificate(self) -> Question:
        """Ask for the certificate: HelloRequest before TLS 1.3, a post-handshake CertificateRequest in it.

        UNAVAILABLE where a TLS 1.3 client did not offer post-handshake authentication: nothing goes on the wire.
        """
        if self._handshake is not Handshake.NONE:
            raise LocalMisuse("a certificate can be asked for between handshakes only")
        _openssl.ask_for_certificate(self._connection)
        if self.is_tls13:
            if not _openssl.request_post_handshake(self._connection):
                return Question.UNAVAILABLE
            self._handshake = Handshake.POST_HANDSHAKE
        else:
            self._connection.renegotiate()
            self._handshake = Handshake.RENEGOTIATION
        self._finished_by_client = False
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._fail(error)
        self._report()
        return Question.ASKED

    # --- what the wire tells -----------------------------------------------------------------------

    @property
    def _in_renegotiation(self) -> bool:
        return self._handshake is Handshake.RENEGOTIATION

    def _on_handshake(self, sent: bool, code: int, length: int, body: bytes) -> None:
        super()._on_handshake(sent, code, length, body)
        try:
            self._look_into(sent, code, body)
        except WireError:  # OpenSSL took it or will refuse it; it has no more to tell us
            return

    def _look_into(self, sent: bool, code: int, body: bytes) -> None:
        if code == HandshakeType.CLIENT_HELLO and not sent:
            self._on_client_hello(parse_client_hello_untrusted(body))
        elif code == HandshakeType.SERVER_HELLO and sent:
            self._on_server_hello(body)
        elif code == HandshakeType.HELLO_REQUEST and sent:
            self._emit(HelloRequestSent)
        elif code == HandshakeType.CERTIFICATE_REQUEST and sent:
            self._on_certificate_request(body)
        elif code == HandshakeType.FINISHED and not sent:
            self._finished_by_client = True

    def _on_client_hello(self, hello: ClientHello) -> None:
        self._offered_session = hello.session_id
        if self._in_renegotiation:  # the first one was told by whoever read it to choose the context
            self._emit(
                ClientHelloReceived,
                server_name=hello.server_name,
                versions=hello.versions,
                session_id=hello.session_id.hex(),
                offers_post_handshake_auth=hello.offers_post_handshake_auth,
                renegotiation=True,
                behind_body_bytes=self.body_received,
            )

    def _on_server_hello(self, body: bytes) -> None:
        hello = parse_server_hello_untrusted(body)
        if hello.is_hello_retry_request:
            return
        # In TLS 1.3 the id is only echoed (RFC 8446, 4.1.3), and a chosen key is what resumes.
        repeated = bool(hello.session_id) and hello.session_id == self._offered_session
        resumed = repeated if hello.version < Protocol.TLS1_3 else hello.selects_psk
        self.resumed = resumed
        self.session_id = hello.session_id if hello.version < Protocol.TLS1_3 else b""
        self._emit(
            ServerHelloSent,
            protocol=version_name(hello.version),
            session_id=hello.session_id.hex(),
            resumed=resumed,
            renegotiation=self._in_renegotiation,
        )
        if resumed:
            self._emit(SessionResumed, session_id=hello.session_id.hex())

    def _on_certificate_request(self, body: bytes) -> None:
        self.asked = True
        if not (self._emit.wants(CertificateRequested) or self._emit.wants(IssuerListTruncated)):
            return
        names = parse_certificate_request_untrusted(body, self._connection.get_protocol_version())
        issuers = tuple(self._issuer_texts.get(name, name.hex()) for name in names)
        size = sum(2 + len(name) for name in names)
        self._emit(CertificateRequested, during=self._handshake.value, issuers=issuers, issuers_bytes=size)
        if self._left_out is not None:
            self._emit(
                IssuerListTruncated,
                sent=issuers,
                dropped=self._left_out.names,
                wire_bytes=size,
                limit_bytes=self._left_out.limit_bytes,
                event_id=self._left_out.event_id,
                logged=self._left_out.logged,
            )

    def _on_progress(self) -> None:
        if self._handshake is not Handshake.NONE and self.failure is None and self._is_complete():
            self._on_complete()

    def _is_complete(self) -> bool:
        match self._handshake:
            case Handshake.FIRST:
                return self.established
            case Handshake.RENEGOTIATION:
                return not self._connection.renegotiate_pending()
            case _:
                return self._finished_by_client

    def _on_complete(self) -> None:
        ended, self._handshake = self._handshake, Handshake.NONE
        self.handshakes += 1
        self.renegotiated = self.renegotiated or ended is Handshake.RENEGOTIATION
        if self.asked or self.resumed:
            self._learn_certificate()
        self.asked = False
        facts = self.facts()
        self._emit(
            HandshakeCompleted,
            protocol=facts.protocol,
            cipher=facts.cipher,
            resumed=self.resumed,
            renegotiation=ended is Handshake.RENEGOTIATION,
        )

    def _learn_certificate(self) -> None:
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            self.client_certificate = None
            if self.asked:
                self._emit(ClientCertificateNotSent)
            return
        facts = facts_untrusted(certificate, _openssl.verify_result(self._connection))
        self.client_certificate = facts
        if self.asked:
            self._emit(
                ClientCertificateReceived,
                subject=facts.subject,
                issuer=facts.issuer,
                fingerprint_sha256=facts.fingerprint_sha256,
                verdict=facts.verdict,
            )

    @property
    def is_tls13(self) -> bool:
        """Whether the connection speaks TLS 1.3, which has no renegotiation."""
        return self._connection.get_protocol_version() >= Protocol.TLS1_3

    @property
    def waiting_for_certificate(self) -> bool:
        """Whether a certificate was asked for after the first handshake and that handshake has not ended."""
        return self._handshake in (Handshake.RENEGOTIATION, Handshake.POST_HANDSHAKE)

    def _on_failure(self, failure: Failure) -> None:
        if failure.kind is FailureKind.RENEGOTIATION_REFUSED and not self._in_renegotiation:  # nobody had asked
            failure = self.failure = Failure(FailureKind.PEER_ALERT, failure.detail)
        if failure.kind is not FailureKind.RENEGOTIATION_REFUSED:
            super()._on_failure(failure)
            return
        # OpenSSL makes a handshake_failure of the client's warning; reports about IIS tell of a reset instead
        # (bc-java #593, deno #32245), so that alert stays here and is not told as sent.
        self.data_to_send()
        self._messages.clear()
        code = AlertDescription.NO_RENEGOTIATION
        self._emit(AlertReceived, level="warning", description=code.name.lower(), code=int(code))
        self._emit(RenegotiationRefused)


def facts_untrusted(certificate: crypto.X509, verify_result: int) -> CertificateFacts:
    """What the lab tells of a client's certificate; one that OpenSSL takes and cryptography does not is invalid."""
    try:
        with warnings.catch_warnings():  # about serial numbers and the like: for those who make certificates
            warnings.simplefilter("ignore")
            return certificate_facts(certificate.to_cryptography(), verify_result)
    except (ValueError, x509.InvalidVersion):  # DER that is none, a version 21, a name of another ASN.1 type
        fingerprint = certificate.digest("sha256").replace(b":", b"").decode().lower()
        return CertificateFacts(UNREADABLE, UNREADABLE, fingerprint, Verdict.INVALID)


@lru_cache(maxsize=64)  # a client shows the same certificate again and again
def certificate_facts(certificate: x509.Certificate, verify_result: int) -> CertificateFacts:
    """Put what the lab tells of a certificate and of OpenSSL's check of its chain into one value."""
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        verdict=_VERDICTS.get(verify_result, Verdict.INVALID),
    )
