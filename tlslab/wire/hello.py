"""ClientHello and ServerHello, as far as the lab speaks of them (RFC 5246, 7.4.1; RFC 8446, 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import TypeVar

from tlslab.errors import WireError
from tlslab.types import frozen_for_mypy
from tlslab.wire.fields import (
    Cursor,
    extensions_untrusted,
    uint16s_untrusted,
    vectors_untrusted,
    whole_vector_untrusted,
)

SERVER_NAME = 0
ALPN = 16
PRE_SHARED_KEY = 41
SUPPORTED_VERSIONS = 43
POST_HANDSHAKE_AUTH = 49
RENEGOTIATION_INFO = 0xFF01
EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF  # RFC 5746, 3.3: a cipher suite that stands for an empty renegotiation_info

_BEGINNING = Struct("!H32sB")  # a version, the random, and how long the session id is
_CHOICE = Struct("!HB")  # a cipher suite and a compression method
MAX_SESSION_ID_BYTES = 32
HOST_NAME = 0  # RFC 6066, 3: the only kind of server name there is
# RFC 8446, 4.1.3: the random that makes a ServerHello a HelloRetryRequest, SHA-256 of that name.
HELLO_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

_Field = TypeVar("_Field")

_VERSION_NAMES = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


def version_name(version: int) -> str:
    """Name a protocol version: `TLS 1.2` for 0x0303; its number in hex, `0x7f1c`, where it has no name."""
    return _VERSION_NAMES.get(version, f"0x{version:04x}")


@frozen_for_mypy
class ClientHello:
    """What a client offers, in its own order.

    `supported_versions` is empty where the client did not send it, and is free of GREASE values (RFC 8701);
    `cipher_suites` is as sent. `renegotiation_info` is the verify data inside the extension: empty in a first
    handshake, None where the extension is absent. `server_name` is as sent, in whatever case. `flaw` says what of it is
    broken, "" where nothing is; what could not be read is as if it had not been sent, and `legacy_version` then 0.
    """

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    server_name: str | None
    alpn: tuple[bytes, ...]
    supported_versions: tuple[int, ...]
    offers_post_handshake_auth: bool
    renegotiation_info: bytes | None
    flaw: str = ""

    @property
    def signals_secure_renegotiation(self) -> bool:
        """Whether the client knows RFC 5746: it sent the extension or the signalling cipher suite."""
        return self.renegotiation_info is not None or EMPTY_RENEGOTIATION_INFO_SCSV in self.cipher_suites

    @property
    def versions(self) -> tuple[str, ...]:
        """The names of the offered versions; without supported_versions, the highest one is all that is known."""
        offered = self.supported_versions or ((self.legacy_version,) if self.legacy_version else ())
        return tuple(version_name(version) for version in offered)


@frozen_for_mypy
class ServerHello:
    """What a server chose. `version` is the negotiated one; `renegotiation_info` as in `ClientHello`.

    `selects_psk` says that it resumes a TLS 1.3 session (RFC 8446, 4.2.11).
    """

    version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    renegotiation_info: bytes | None
    selects_psk: bool = False

    @property
    def is_hello_retry_request(self) -> bool:
        """Whether it only asks for another ClientHello (RFC 8446, 4.1.4)."""
        return self.random == HELLO_RETRY_RANDOM


def read_client_hello_untrusted(body: bytes) -> ClientHello:
    """Read a ClientHello from its body, without the four-byte handshake header, as far as it can be read.

    Each field stands for itself: one that is broken, and those behind a length that does not fit, are as if they had
    not been sent, and `flaw` names the first.
    """
    flaws: list[str] = []
    cursor = Cursor(body, "the ClientHello")
    legacy_version, random, session_id, suites, compression = 0, b"", b"", b"", b""
    extensions: dict[int, bytes] = {}
    try:
        legacy_version, random, session_id = _beginning(cursor)
        suites = cursor.vector(2)
        compression = cursor.vector(1)
        _trailing_extensions(cursor, "the ClientHello", extensions)
    except WireError as error:
        flaws.append(str(error))
    if not suites or not compression:
        flaws.append("the ClientHello offers no cipher suite, or no compression method")
    return ClientHello(
        legacy_version=legacy_version,
        random=random,
        session_id=session_id,
        cipher_suites=_readable(_cipher_suites, suites, (), flaws),
        server_name=_readable(_server_name, extensions.get(SERVER_NAME), None, flaws),
        alpn=_readable(_alpn, extensions.get(ALPN), (), flaws),
        supported_versions=_readable(_supported_versions, extensions.get(SUPPORTED_VERSIONS), (), flaws),
        offers_post_handshake_auth=POST_HANDSHAKE_AUTH in extensions,
        renegotiation_info=_readable(_renegotiation_info, extensions.get(RENEGOTIATION_INFO), None, flaws),
        flaw=flaws[0] if flaws else "",
    )


def _readable(read: Callable[[bytes], _Field], content: bytes | None, absent: _Field, flaws: list[str]) -> _Field:
    if content is None:
        return absent
    try:
        return read(content)
    except WireError as error:
        flaws.append(str(error))
        return absent


def read_session_id_untrusted(body: bytes) -> bytes:
    """Read of a ClientHello's body its session id only, as `read_client_hello_untrusted` does."""
    start = _BEGINNING.size
    length = body[start - 1] if len(body) >= start else 0
    session_id = body[start : start + length]
    return session_id if len(session_id) == length <= MAX_SESSION_ID_BYTES else b""


def parse_server_hello_untrusted(body: bytes) -> ServerHello:
    """Read a ServerHello from its body, without the four-byte handshake header; WireError where it does not parse."""
    cursor = Cursor(body, "the ServerHello")
    legacy_version, random, session_id = _beginning(cursor)
    cipher_suite, _compression_method = cursor.fixed(_CHOICE)
    extensions: dict[int, bytes] = {}
    _trailing_extensions(cursor, "the ServerHello", extensions)
    renegotiation_info = extensions.get(RENEGOTIATION_INFO)
    return ServerHello(
        version=_selected_version(extensions, legacy_version),
        random=random,
        session_id=session_id,
        cipher_suite=cipher_suite,
        renegotiation_info=None if renegotiation_info is None else _renegotiation_info(renegotiation_info),
        selects_psk=PRE_SHARED_KEY in extensions,
    )


def _beginning(cursor: Cursor) -> tuple[int, bytes, bytes]:
    """What both hellos begin with: a version, the random, the session id."""
    version, random, length = cursor.fixed(_BEGINNING)
    session_id = cursor.take(length)
    if length > MAX_SESSION_ID_BYTES:
        raise WireError(f"a session id of {length} bytes, {MAX_SESSION_ID_BYTES} are the most")
    return version, random, session_id


def _trailing_extensions(cursor: Cursor, what: str, found: dict[int, bytes]) -> None:
    """Put into `found` those that can be read, also where WireError says that not all can."""
    if not cursor.at_end:  # a hello of TLS 1.2 and before may end without them
        rest = cursor.rest()
        extensions_untrusted(rest[2 : 2 + int.from_bytes(rest[:2], "big")], what, found)
        whole_vector_untrusted(rest, 2, what)


def _cipher_suites(content: bytes) -> tuple[int, ...]:
    return uint16s_untrusted(content, "the list of cipher suites")


def _server_name(content: bytes) -> str | None:
    entry = whole_vector_untrusted(content, 2, "server_name", at_least=1)
    if entry[0] != HOST_NAME:
        raise WireError("server_name holds something other than a host name")
    text = whole_vector_untrusted(entry[1:], 2, "server_name", at_least=1).decode("ascii", errors="replace")
    # The name is shown on consoles and compared with bindings: letters, digits and signs only (RFC 6066, 3).
    if not text.isascii() or not text.isprintable():
        raise WireError("server_name is not a host name in ASCII")
    return text


def _alpn(content: bytes) -> tuple[bytes, ...]:
    return vectors_untrusted(whole_vector_untrusted(content, 2, "alpn"), 1, "alpn")


def _supported_versions(content: bytes) -> tuple[int, ...]:
    offered = uint16s_untrusted(whole_vector_untrusted(content, 1, "supported_versions"), "supported_versions")
    return tuple(version for version in offered if not _is_grease(version))


def _is_grease(value: int) -> bool:
    high, low = divmod(value, 256)
    return high == low and low & 0x0F == 0x0A  # RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa


def _renegotiation_info(content: bytes) -> bytes | None:
    return whole_vector_untrusted(content, 1, "renegotiation_info")


def _selected_version(extensions: Mapping[int, bytes], legacy_version: int) -> int:
    content = extensions.get(SUPPORTED_VERSIONS)
    if content is None:
        return legacy_version
    cursor = Cursor(content, "supported_versions")
    version = cursor.uint(2)
    cursor.finish()
    return version
