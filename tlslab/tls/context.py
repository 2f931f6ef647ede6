"""OpenSSL contexts, built from frozen settings: a Context cannot be changed after its first connection."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL, crypto

from tlslab.tls import _openssl

EVERY_LEVEL = "@SECLEVEL=0"  # above it OpenSSL leaves TLS 1.0 and 1.1 out
FOR_EVER = 2**31 - 1  # seconds that OpenSSL keeps a session: when it ends is Schannel's table's to say, in lab time
UNLIMITED = 2**24  # bytes, more than any handshake message has
RECORD_CONTENT = 2**14 - 4  # bytes of a handshake message that fits into one record, without its header
TlsKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyLog = Callable[[bytes], None]
Choose = Callable[[frozenset[bytes]], int | None]  # of the issuers named (DER), to a place in the wallet


class Protocol(IntEnum):
    """A TLS version by its number on the wire."""

    TLS1_0 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303
    TLS1_3 = 0x0304


@dataclass(frozen=True, slots=True, eq=False)
class ServerSettings:
    """What a server context is built from.

    `issuer_names` go into the CertificateRequest; `client_authorities` are those in which a client's chain must end, an
    intermediate too; `asks_in_handshake` puts the request into the first handshake.
    `ciphers` are OpenSSL's names of suites below TLS 1.3, the best one first; none are all that OpenSSL offers.
    `message_limit` is how many bytes a handshake message of the client's may have, if it fits into no record; the other
    where the client is asked for a certificate. None: as many as OpenSSL takes.
    """

    chain: tuple[x509.Certificate, ...]
    key: TlsKey
    protocols: frozenset[Protocol]
    asks_in_handshake: bool
    client_authorities: tuple[x509.Certificate, ...]
    issuer_names: tuple[x509.Name, ...]
    ciphers: tuple[str, ...] = ()
    message_limit: int | None = None
    message_limit_client_auth: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a client shows of itself: its certificate with what is sent along after it, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: TlsKey


@dataclass(frozen=True, slots=True, eq=False)
class ClientSettings:
    """What the lab's own client is built from; `chain` and `key` are its identity, None for none.

    With `choose` it has the identities of `wallet` instead, and sends what that picks of them once it is asked
    (`_openssl.send_chosen`).
    """

    server_authorities: tuple[x509.Certificate, ...]
    chain: tuple[x509.Certificate, ...] = ()
    key: TlsKey | None = None
    refuses_renegotiation: bool = False
    offers_post_handshake: bool = True
    wallet: tuple[Shown, ...] = ()
    choose: Choose | None = None


class SecretLog:
    """Tells the secrets of a context's connections, each once, and TLS 1.2's as soon as there is one.

    OpenSSL tells the master secret of a full handshake when it writes its own Finished. Whoever reads a capture from
    the front needs it earlier, at the client's ChangeCipherSpec, and Java and mbedTLS send that in a packet of its own.
    """

    def __init__(self, keylog: KeyLog) -> None:
        self._keylog = keylog
        self._last: WeakKeyDictionary[SSL.Connection, bytes] = WeakKeyDictionary()

    def tell(self, connection: SSL.Connection, line: bytes) -> None:
        """Tell a line of the key log (NSS format), unless it was the last one of its connection."""
        if self._last.get(connection) != line:
            self._last[connection] = line
            self._keylog(line)

    def tell_master_secret(self, connection: SSL.Connection) -> None:
        """Tell what the ClientKeyExchange of TLS 1.2 and before that was just read agreed on, if it did."""
        random, secret = connection.client_random(), _openssl.master_secret(connection)
        if random and secret:
            self.tell(connection, b"CLIENT_RANDOM %b %b" % (hexlify(random), hexlify(secret)))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ServerContext:
    """A built context; `issuer_texts` gives the RFC 4514 string of each DER name the lab may send."""

    context: SSL.Context
    issuer_texts: Mapping[bytes, str]
    secrets: SecretLog | None = None  # where nobody wants to have them
    message_limit: int = UNLIMITED  # in the first handshake
    message_limit_client_auth: int = UNLIMITED


def server_context(settings: ServerSettings, name: str, keylog: KeyLog | None = None) -> ServerContext:
    """Build the context of one binding; `name` keeps its sessions apart from those of other bindings."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _use_identity(context, settings.chain, settings.key)
    context.set_min_proto_version(min(settings.protocols))
    context.set_max_proto_version(max(settings.protocols))
    _offer_ciphers(context, settings)
    context.set_options(SSL.OP_NO_TICKET | _openssl.NO_RESUMPTION_ON_RENEGOTIATION)
    context.set_mode(_openssl.RELEASE_BUFFERS | _openssl.NO_AUTO_CHAIN)
    context.set_session_id(name.encode()[:32])
    context.set_timeout(FOR_EVER)
    _trust(context, settings.client_authorities, partial=True)
    names = [issuer.public_bytes() for issuer in settings.issuer_names]
    texts = {name: issuer.rfc4514_string() for name, issuer in zip(names, settings.issuer_names, strict=True)}
    _openssl.set_issuer_names(context, names)
    _openssl.accept_any_chain(context, ask=settings.asks_in_handshake)
    _openssl.watch_messages(context)
    secrets = None if keylog is None else SecretLog(keylog)
    if secrets is not None:
        context.set_keylog_callback(secrets.tell)
    limits = [_limit(settings.message_limit), _limit(settings.message_limit_client_auth)]
    return ServerContext(context, texts, secrets, limits[settings.asks_in_handshake], limits[True])


def _limit(limit: int | None) -> int:
    """What fits into a record is no fragmented message, and of those alone Schannel's limits speak."""
    return UNLIMITED if limit is None else max(limit, RECORD_CONTENT)


def _offer_ciphers(context: SSL.Context, settings: ServerSettings) -> None:
    """Restrict the suites to those that are named, in the server's order: Schannel chooses in its own (ff468651)."""
    names = list(settings.ciphers)
    if min(settings.protocols) < Protocol.TLS1_2:
        names = [*(names or ["DEFAULT"]), EVERY_LEVEL]
        context.set_options(_openssl.NO_ENCRYPT_THEN_MAC)  # RFC 7366 (2014) is younger than those versions
    if names:
        context.set_cipher_list(":".join(names).encode())
    if settings.ciphers:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)


@lru_cache(maxsize=64)
def client_context(settings: ClientSettings) -> SSL.Context:
    """Build a context for the lab's own client: it checks the server's chain and sends what identity it has.

    The same settings give the same context: pyOpenSSL lets a session be resumed in the context it came from only.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(f"DEFAULT:{EVERY_LEVEL}".encode())  # a lab may speak TLS 1.0 and nothing else
    _trust(context, settings.server_authorities)
    context.set_verify(SSL.VERIFY_PEER)
    _openssl.let_answer_wait(context)
    if settings.choose is not None:
        _openssl.send_chosen(context, [_identity_context(one, settings) for one in settings.wallet], settings.choose)
    elif settings.key is not None:
        _use_identity(context, settings.chain, settings.key)
    if settings.refuses_renegotiation:
        context.set_options(_openssl.NO_RENEGOTIATION)
    if settings.offers_post_handshake:
        _openssl.offer_post_handshake(context)
    _openssl.watch_messages(context)
    return context


def _use_identity(context: SSL.Context, chain: tuple[x509.Certificate, ...], key: TlsKey) -> None:
    context.use_certificate(chain[0])
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer)
    context.use_privatekey(key)


def _identity_context(shown: Shown, settings: ClientSettings) -> SSL.Context:
    """What a connection goes over to when this identity is chosen; it may have to check the server once more."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(f"DEFAULT:{EVERY_LEVEL}".encode())  # its level is that of the keys, too
    _trust(context, settings.server_authorities)
    _use_identity(context, shown.chain, shown.key)
    return context


def _trust(context: SSL.Context, authorities: tuple[x509.Certificate, ...], *, partial: bool = False) -> None:
    """Let chains end in these; `partial`: also in one that is no root."""
    store = context.get_cert_store()
    assert store is not None
    if partial:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
