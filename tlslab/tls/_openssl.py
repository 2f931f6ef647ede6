"""Everything the lab needs of OpenSSL that pyOpenSSL has no public name for, or a dear one.

Nothing private is touched elsewhere.

Each entry says why it is needed; tests/tls/test_openssl.py shows that each still does what it is here for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from threading import local
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

from OpenSSL import SSL
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

# SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION: without it a renegotiation is abbreviated, the client resumes, no
# CertificateRequest goes out, and nothing errs.
NO_RESUMPTION_ON_RENEGOTIATION = 0x10000
# The server half of a renegotiation attack is refused by default; nothing of the lab asks for a client to start one.
NO_RENEGOTIATION = int(_lib.SSL_OP_NO_RENEGOTIATION)
# SSL_OP_NO_ENCRYPT_THEN_MAC: the published trace is older than RFC 7366, and its messages are four bytes shorter than
# with it.
NO_ENCRYPT_THEN_MAC = 0x80000
# An idle connection gives its 34 KiB of record buffers back: thousands of stalled uploads are part of the job.
RELEASE_BUFFERS = int(_lib.SSL_MODE_RELEASE_BUFFERS)
# SSL_MODE_NO_AUTO_CHAIN: what is configured is sent; without it each handshake looks for issuers first.
NO_AUTO_CHAIN = 0x8

HANDSHAKE, ALERT = 22, 21
_KEPT_WHOLE = frozenset({1, 2, 13})  # ClientHello, ServerHello, CertificateRequest: the messages whose content is told


class MessageSink(Protocol):
    """Where the handshake messages and alerts of one connection are put, in the order of the wire."""

    def on_message(self, sent: bool, content_type: int, first: int, length: int, body: bytes) -> None:
        """Keep a message; it must neither raise nor call OpenSSL."""

    def may_answer(self) -> bool:
        """Whether a client answers the CertificateRequest that is here now; the same holds for it."""


BUFFER_BYTES = 16384  # the plaintext of a record


class _Scratch(local):
    """One buffer for all connections of a thread: what is read is copied out of it before the next call.

    Another thread has its own, for a call into OpenSSL lets other threads go on.
    """

    def __init__(self) -> None:
        self.buffer = _ffi.new("char[]", BUFFER_BYTES)


_scratch = _Scratch()
_sinks: dict[Any, ref[MessageSink]] = {}  # weakref's own dictionary looks each of a handshake's messages up in Python


def _on_message(sent: int, _version: int, content_type: int, data: Any, length: int, ssl: Any, _arg: Any) -> None:
    if content_type not in (HANDSHAKE, ALERT) or not length:
        return
    kept = _sinks.get(ssl)
    sink = None if kept is None else kept()
    if sink is None:
        return
    message = _ffi.buffer(data, length)
    first = message[0][0]
    whole = content_type == ALERT or first in _KEPT_WHOLE
    sink.on_message(bool(sent), content_type, first, length, message[:] if whole else b"")


def _accept_any_chain(_ok: int, _store: Any) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class _Wallet:
    """What a client has to choose from, a context for each identity, and how it does."""

    contexts: tuple[SSL.Context, ...]
    choose: Callable[[frozenset[bytes]], int | None]


_wallets: WeakKeyDictionary[SSL.Context, Any] = WeakKeyDictionary()


def _on_certificate_wanted(ssl: Any, handle: Any) -> int:
    kept = _sinks.get(ssl)
    sink = None if kept is None else kept()
    if sink is not None and not sink.may_answer():
        return -1  # SSL_ERROR_WANT_X509_LOOKUP: the handshake stands, and the next call asks again
    if handle != _ffi.NULL:
        wallet: _Wallet = _ffi.from_handle(handle)
        chosen = wallet.choose(frozenset(_issuers_named_to(ssl)))
        if chosen is not None:
            _lib.SSL_set_SSL_CTX(ssl, _context(wallet.contexts[chosen]))
    return 1


def _issuers_named_to(ssl: Any) -> Iterator[bytes]:
    names = _lib.SSL_get_client_CA_list(ssl)
    for index in range(0 if names == _ffi.NULL else _lib.sk_X509_NAME_num(names)):
        yield _der(_lib.sk_X509_NAME_value(names, index))


def _der(name: Any) -> bytes:
    der = _ffi.new("unsigned char **")
    length = _lib.i2d_X509_NAME(name, der)
    try:
        return bytes(_ffi.buffer(der[0], length))
    finally:
        _lib.OPENSSL_free(der[0])


# cffi forgets a callback that nothing holds, and OpenSSL then calls freed memory: these live as long as the process.
_MESSAGE_CALLBACK = _ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)", _on_message)
_VERIFY_CALLBACK = _ffi.callback("int(int, X509_STORE_CTX *)", _accept_any_chain)
_CERTIFICATE_CALLBACK = _ffi.callback("int(SSL *, void *)", _on_certificate_wanted)


def watch_messages(context: SSL.Context) -> None:
    """Report every handshake message of the context's connections, encrypted ones too (SSL_CTX_set_msg_callback)."""
    _lib.SSL_CTX_set_msg_callback(_context(context), _MESSAGE_CALLBACK)


def send_messages_to(connection: SSL.Connection, sink: MessageSink) -> None:
    """Hand the messages of `connection` to `sink` for as long as the sink lives."""
    ssl = _ssl(connection)
    _sinks[ssl] = ref(sink, lambda _: _sinks.pop(ssl, None))


def accept_any_chain(context: SSL.Context, ask: bool) -> None:
    """Take any client certificate and keep what is wrong with it: IIS answers 403.16, it does not fail the handshake.

    pyOpenSSL's own verify callback would wrap each certificate of each chain in Python objects nobody reads.
    """
    _lib.SSL_CTX_set_verify(_context(context), SSL.VERIFY_PEER if ask else SSL.VERIFY_NONE, _VERIFY_CALLBACK)


def ask_for_certificate(connection: SSL.Connection) -> None:
    """Make the next handshake of this connection carry a CertificateRequest, with the context's chain check."""
    _lib.SSL_set_verify(_ssl(connection), SSL.VERIFY_PEER, _ffi.NULL)


# --- what happens at every step -------------------------------------------------------------------
# pyOpenSSL has all of this. But it makes an exception of each wait for more bytes, and a buffer for each read: a read
# that waits takes it more than twice as long as `read`, and a connection waits more often than it gets something.


def handshake(connection: SSL.Connection) -> bool:
    """Carry the handshake on, as far as the bytes go; whether it is complete. SSL.Error: it failed."""
    result = _lib.SSL_do_handshake(connection._ssl)
    return result > 0 or _went_well(connection, result)


def read(connection: SSL.Connection) -> bytes:
    """Take the plaintext of a record; b"" if there is none. SSL.Error: close_notify, too."""
    buffer = _scratch.buffer
    length = _lib.SSL_read(connection._ssl, buffer, BUFFER_BYTES)
    return _ffi.buffer(buffer, length)[:] if length > 0 or _went_well(connection, length) else b""


def write(connection: SSL.Connection, plaintext: bytes) -> bool:
    """Encrypt all of `plaintext`; False where a handshake on the way keeps it from going out. SSL.Error: it failed."""
    data, written = _ffi.from_buffer(plaintext), 0
    while written < len(plaintext):  # a record at a time: pyOpenSSL's contexts have SSL_MODE_ENABLE_PARTIAL_WRITE
        length = _lib.SSL_write(connection._ssl, data + written, len(plaintext) - written)
        if length <= 0 and not _went_well(connection, length):
            return False
        written += length
    return True


def feed(connection: SSL.Connection, ciphertext: bytes) -> None:
    """Bring bytes from the wire; a memory BIO takes them all."""
    _lib.BIO_write(connection._into_ssl, ciphertext, len(ciphertext))


def take_output(connection: SSL.Connection) -> bytes:
    """Everything that belongs on the wire."""
    taken, buffer, length = b"", _scratch.buffer, BUFFER_BYTES
    while length == BUFFER_BYTES:  # a memory BIO gives as much as it has
        length = _lib.BIO_read(connection._from_ssl, buffer, BUFFER_BYTES)
        if length > 0:
            taken += _ffi.buffer(buffer, length)[:]
    return taken


def _went_well(connection: SSL.Connection, result: int) -> bool:
    """What OpenSSL answered that is not above 0, without an exception where it only wants more bytes from the wire."""
    if _lib.SSL_get_error(connection._ssl, result) != _lib.SSL_ERROR_WANT_READ:
        connection._raise_ssl_error(connection._ssl, result)
    return False


def verify_result(connection: SSL.Connection) -> int:
    """The X509_V_ code of the client's chain; 0 is X509_V_OK."""
    return int(_lib.SSL_get_verify_result(_ssl(connection)))


def master_secret(connection: SSL.Connection) -> bytes:
    """The secret of TLS 1.2 and before, in a handshake that is not complete yet, too; b"" where there is none.

    pyOpenSSL's own master_key asserts that there is one, and a client's bad ClientKeyExchange leaves none.
    """
    session = _lib.SSL_get_session(_ssl(connection))
    if session == _ffi.NULL:
        return b""
    length = _lib.SSL_SESSION_get_master_key(session, _ffi.NULL, 0)
    secret = _ffi.new("unsigned char[]", length)
    _lib.SSL_SESSION_get_master_key(session, secret, length)
    return bytes(_ffi.buffer(secret, length))


def request_post_handshake(connection: SSL.Connection) -> bool:
    """Prepare a TLS 1.3 post-handshake CertificateRequest; False when the client did not offer the extension."""
    asked = bool(_lib.SSL_verify_client_post_handshake(_ssl(connection)) == 1)
    if not asked:
        _lib.ERR_clear_error()
    return asked


def offer_post_handshake(context: SSL.Context) -> None:
    """Make clients of this context offer post-handshake authentication."""
    _lib.SSL_CTX_set_post_handshake_auth(_context(context), 1)


def set_issuer_names(context: SSL.Context, names: Iterable[bytes]) -> None:
    """Put DER names into the CertificateRequest; pyOpenSSL wants a certificate for each, and a name needs none."""
    stack = _lib.sk_X509_NAME_new_null()
    for der in names:
        cursor = _ffi.new("unsigned char **")
        data = _ffi.from_buffer("unsigned char[]", der)
        cursor[0] = _ffi.cast("unsigned char *", data)
        name = _lib.d2i_X509_NAME(_ffi.NULL, cursor, len(der))
        if name == _ffi.NULL:
            _lib.ERR_clear_error()
            raise ValueError(f"not a DER name: {der[:16].hex()}")
        _lib.sk_X509_NAME_push(stack, name)
    _lib.SSL_CTX_set_client_CA_list(_context(context), stack)


def send_chosen(
    context: SSL.Context, identities: Sequence[SSL.Context], choose: Callable[[frozenset[bytes]], int | None]
) -> None:
    """Make clients of this context send what `choose` picks of `identities`, each a context with a certificate and key.

    OpenSSL sends what it has, whatever the server names. So it has nothing until the certificate callback, which is
    called when the CertificateRequest is there (SSL_CTX_set_cert_cb). `choose` gets the names in it (DER) and gives a
    place in `identities`, or None for none; it must not raise. The bindings have no call for the chain of one
    connection, so this takes another context, which brings its certificate, key and chain at once (SSL_set_SSL_CTX).
    """
    handle = _ffi.new_handle(_Wallet(tuple(identities), choose))
    _wallets[context] = handle
    for one in (context, *identities):  # whoever is asked a second time has another context by then
        _lib.SSL_CTX_set_cert_cb(_context(one), _CERTIFICATE_CALLBACK, handle)


def let_answer_wait(context: SSL.Context) -> None:
    """Let each client of this context say when it answers a CertificateRequest, with what OpenSSL has to send."""
    _lib.SSL_CTX_set_cert_cb(_context(context), _CERTIFICATE_CALLBACK, _ffi.NULL)


def expect_server(connection: SSL.Connection, host: str) -> None:
    """Take no certificate that is not for `host`, a name or an address; pyOpenSSL checks the chain alone."""
    parameters = _lib.SSL_get0_param(_ssl(connection))
    try:
        packed = ip_address(host).packed
    except ValueError:
        _lib.X509_VERIFY_PARAM_set1_host(parameters, host.encode(), len(host))
    else:
        _lib.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed))


def _context(context: SSL.Context) -> Any:
    return context._context  # type: ignore[attr-defined, unused-ignore]


def _ssl(connection: SSL.Connection) -> Any:
    return connection._ssl  # type: ignore[attr-defined, unused-ignore]
