"""The TLS of `tlslab probe --url`: a client that offers what it is told to, checks nothing, and notes what it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from OpenSSL import SSL, crypto

from tlslab.errors import WireError
from tlslab.tls import _openssl
from tlslab.tls.certificates import read_untrusted
from tlslab.tls.client import UNTIMED, ClientTls, Session
from tlslab.tls.context import EVERY_LEVEL, Protocol, TlsKey
from tlslab.wire.alerts import Alert
from tlslab.wire.certificate_request import parse_certificate_request_untrusted
from tlslab.wire.handshake import HandshakeType
from tlslab.wire.hello import ServerHello, parse_server_hello_untrusted

EVERY_SUITE = "ALL"  # of OpenSSL's build: anonymous suites too, which no server should take
EVERY_PROTOCOL = tuple(Protocol)


@dataclass(frozen=True, slots=True, eq=False)
class Shows:
    """Whom the client is, and whom it trusts: `chain` and `key` are its identity, () and None for nobody."""

    chain: tuple[x509.Certificate, ...] = ()
    key: TlsKey | None = None
    authorities: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a ClientHello offers. `suites` are OpenSSL's names below TLS 1.3, the best first; none are all there are."""

    lowest: Protocol = Protocol.TLS1_0
    highest: Protocol = Protocol.TLS1_3
    suites: tuple[str, ...] = ()
    alpn: tuple[bytes, ...] = ()
    post_handshake: bool = True
    tickets: bool = True
    shows_identity: bool = True


@dataclass(frozen=True, slots=True)
class Asking:
    """A CertificateRequest: whether it came in the first handshake, and the names (DER); `flaw` where it is broken."""

    in_first: bool
    names: tuple[bytes, ...]
    flaw: str = ""


@lru_cache(maxsize=64)  # a session is resumed in the context that it came from
def offering_context(offer: Offer, shows: Shows) -> SSL.Context:
    """Build the context of a client that makes this offer; it takes any certificate, and keeps what is wrong."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(offer.lowest)
    context.set_max_proto_version(offer.highest)
    context.set_cipher_list(":".join([*(offer.suites or (EVERY_SUITE,)), EVERY_LEVEL]).encode())
    store = context.get_cert_store()
    assert store is not None
    for authority in shows.authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
    if not shows.authorities:
        context.set_default_verify_paths()
    context.set_verify(SSL.VERIFY_NONE)
    if not offer.tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if offer.alpn:
        context.set_alpn_protos(list(offer.alpn))
    if shows.key is not None and offer.shows_identity:
        context.use_certificate(shows.chain[0])
        for issuer in shows.chain[1:]:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(shows.key)
    if offer.post_handshake:
        _openssl.offer_post_handshake(context)
    _openssl.watch_messages(context)
    return context


class OfferingTls(ClientTls):
    """One connection of such a client; without a `server_name` it sends none.

    `hello` is the last ServerHello that chose something, `received` the alert that came, `hello_requests` how often the
    server wanted to renegotiate, `handshakes` how many were completed.
    """

    def __init__(self, context: SSL.Context, server_name: str, session: Session | None, checks_host: str) -> None:
        self.hello: ServerHello | None = None
        self.first_hello: ServerHello | None = None
        self.askings: list[Asking] = []
        self.received: Alert | None = None
        self.sends_ticket = False
        self.shows_certificate = False
        self.hello_requests = 0
        self.finished = 0
        super().__init__(context, server_name, session, checks_host=checks_host)

    @property
    def version(self) -> int:
        """The number of the version that was agreed on; 0 before there is one."""
        return self.first_hello.version if self.first_hello else 0

    @property
    def suite(self) -> str:
        """OpenSSL's name of the suite, "" before there is one."""
        return self._connection.get_cipher_name() or ""

    @property
    def alpn(self) -> str:
        """The application's protocol that the server chose, "" for none."""
        return self._connection.get_alpn_proto_negotiated().decode("latin-1")

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What the server sent of its chain, as far as it can be read."""
        sent = self._connection.get_peer_cert_chain() or []
        read = (read_untrusted(_converted(one)) for one in sent)
        return tuple(one for one in read if one is not None)

    @property
    def verify_code(self) -> int:
        """OpenSSL's X509_V_ code of the server's chain and name; 0 where nothing is wrong."""
        return _openssl.verify_result(self._connection)

    @property
    def resumed(self) -> bool:
        """Whether the first handshake was an abbreviated one: in it no server shows its certificate."""
        return self.established and not self.shows_certificate

    def renegotiate(self) -> None:
        """Begin a handshake on the connection that there is."""
        try:
            self._connection.renegotiate()
            _openssl.handshake(self._connection)
        except SSL.Error as error:
            self._fail(error, UNTIMED)
        finally:
            self._report(UNTIMED)

    # --- inside ------------------------------------------------------------------------------------

    def _on_handshake_message(self, sent: bool, code: int, length: int, body: bytes, now: float) -> None:
        super()._on_handshake_message(sent, code, length, body, now)
        if sent:
            return
        if code == HandshakeType.SERVER_HELLO:
            self._note_hello(body)
        elif code == HandshakeType.CERTIFICATE_REQUEST:
            self._note_asking(body)
        elif code == HandshakeType.CERTIFICATE and not self.finished:
            self.shows_certificate = True
        elif code == HandshakeType.HELLO_REQUEST:
            self.hello_requests += 1
        elif code == HandshakeType.NEW_SESSION_TICKET:
            self.sends_ticket = True
        elif code == HandshakeType.FINISHED:
            self.finished += 1

    def _on_alert(self, sent: bool, alert: Alert, now: float) -> None:
        super()._on_alert(sent, alert, now)
        if not sent and alert.name != "close_notify":
            self.received = alert

    def _note_hello(self, body: bytes) -> None:
        try:
            hello = parse_server_hello_untrusted(body)
        except WireError:
            return
        if not hello.is_hello_retry_request:
            self.hello = hello
            self.first_hello = self.first_hello or hello

    def _note_asking(self, body: bytes) -> None:
        try:
            names = parse_certificate_request_untrusted(body, self.version)
        except WireError as error:
            self.askings.append(Asking(not self.finished, (), str(error)))
        else:
            self.askings.append(Asking(not self.finished, names))


def every_suite(protocol: Protocol) -> tuple[str, ...]:
    """OpenSSL's names of all that it can offer for a version below TLS 1.3, in its own order."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(f"{EVERY_SUITE}:{EVERY_LEVEL}".encode())
    context.set_max_proto_version(protocol)
    names = SSL.Connection(context, None).get_cipher_list()
    return tuple(name for name in names if not name.startswith("TLS_"))


def _converted(certificate: crypto.X509) -> Callable[[], x509.Certificate]:
    return certificate.to_cryptography
