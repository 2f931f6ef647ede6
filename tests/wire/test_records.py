"""Record headers."""

import pytest

from tlslab.errors import WireError
from tlslab.wire.records import (
    HEADER_BYTES,
    MAX_RECORD_LENGTH,
    ContentType,
    RecordHeader,
    parse_record_header_untrusted,
)

UPLOAD = b"\x17\x03\x03\x40\x00" + bytes(0x4000)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_header_is_read_from_any_kind_of_bytes(kind):
    """The three fields come out, whatever follows them."""
    assert parse_record_header_untrusted(kind(UPLOAD)) == RecordHeader(ContentType.APPLICATION_DATA, 0x0303, 0x4000)


@pytest.mark.parametrize("count", range(HEADER_BYTES))
def test_fewer_than_five_bytes_are_no_header_yet(count):
    """Even bytes that cannot be TLS are not judged before the header is there."""
    assert parse_record_header_untrusted(UPLOAD[:count]) is None
    assert parse_record_header_untrusted(b"GET / "[:count]) is None


@pytest.mark.parametrize(
    ("start", "resemblance"),
    [
        (b"GET / HTTP/1.1\r\n", "plain HTTP"),
        (b"POST /upload HTTP/1.1\r\n", "plain HTTP"),
        (b"DELETE / HTTP/1.1\r\n", "plain HTTP"),
        (b"OPTIONS * HTTP/1.1\r\n", "plain HTTP"),
        (b"PRI * HTTP/2.0\r\n", "plain HTTP"),
        (b"\x80\x2e\x01\x00\x02\x00\x15", "an SSL 2.0 ClientHello"),
        (b"\x80\x2e\x01\x03\x01\x00\x15", "an SSL 2.0 ClientHello"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"),
        (b"GETTING", "not TLS"),
        (b"\x13\x03\x03\x00\x01", "not TLS"),
        (b"\x19\x03\x03\x00\x01", "not TLS"),
        (b"\x16\x02\x00\x00\x01", "not TLS"),
        (b"\x16\xfe\xfd\x00\x01", "not TLS"),
        (b"\x17\x03\x03" + (MAX_RECORD_LENGTH + 1).to_bytes(2, "big"), "not TLS"),
    ],
)
def test_what_is_not_tls_is_named(start, resemblance):
    """The error says what the bytes look like instead."""
    with pytest.raises(WireError) as caught:
        parse_record_header_untrusted(start)
    assert str(caught.value) == resemblance


@pytest.mark.parametrize("length", [0, 1, 2**14, 2**14 + 256, MAX_RECORD_LENGTH])
def test_every_allowed_length_passes(length):
    """Up to 2,048 bytes more than the largest plaintext are a legal record (RFC 5246, 6.2.3)."""
    header = parse_record_header_untrusted(b"\x17\x03\x03" + length.to_bytes(2, "big"))
    assert header is not None
    assert header.length == length
