"""CertificateRequest: the issuer names a server sends with it, in the three layouts it has had."""

from __future__ import annotations

from tlslab.errors import WireError
from tlslab.wire.fields import Cursor, extensions_untrusted, vectors_untrusted, whole_vector_untrusted

CERTIFICATE_AUTHORITIES = 47

TLS_1_0, TLS_1_2, TLS_1_3 = 0x0301, 0x0303, 0x0304


def parse_certificate_request_untrusted(body: bytes, version: int) -> tuple[bytes, ...]:
    """Return the issuer names, DER each, in the order sent; `()` where the server names none.

    `body` is the message without its four-byte header, `version` the negotiated one (0x0301 to 0x0304), which decides
    the layout: RFC 2246 and 4346, 7.4.4; RFC 5246, 7.4.4; RFC 8446, 4.3.2. WireError where it does not parse.
    """
    if not TLS_1_0 <= version <= TLS_1_3:
        raise WireError(f"no layout of CertificateRequest is known for version 0x{version:04x}")
    cursor = Cursor(body, "the CertificateRequest")
    names = _names_in_extension(cursor) if version == TLS_1_3 else _names_in_body(cursor, version)
    cursor.finish()
    return vectors_untrusted(names, 2, "the list of issuer names")


def _names_in_body(cursor: Cursor, version: int) -> bytes:
    cursor.vector(1)  # certificate types
    if version == TLS_1_2:
        cursor.vector(2)  # supported signature algorithms, new in TLS 1.2
    return cursor.vector(2)


def _names_in_extension(cursor: Cursor) -> bytes:
    cursor.vector(1)  # request context
    extensions: dict[int, bytes] = {}
    extensions_untrusted(cursor.vector(2), "the CertificateRequest", extensions)
    content = extensions.get(CERTIFICATE_AUTHORITIES)
    return b"" if content is None else whole_vector_untrusted(content, 2, "certificate_authorities")
