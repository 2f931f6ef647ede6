"""Handshake headers and message names."""

import pytest

from tlslab.wire.handshake import HandshakeHeader, message_name, parse_handshake_header_untrusted


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "HelloRequest"),
        (1, "ClientHello"),
        (2, "ServerHello"),
        (4, "NewSessionTicket"),
        (5, "EndOfEarlyData"),
        (8, "EncryptedExtensions"),
        (11, "Certificate"),
        (12, "ServerKeyExchange"),
        (13, "CertificateRequest"),
        (14, "ServerHelloDone"),
        (15, "CertificateVerify"),
        (16, "ClientKeyExchange"),
        (20, "Finished"),
        (22, "CertificateStatus"),
        (24, "KeyUpdate"),
        (25, "CompressedCertificate"),
        (77, "handshake_77"),
    ],
)
def test_message_is_named(code, name):
    """Names are the RFCs', and an unknown message keeps its number."""
    assert message_name(code) == name


def test_header_is_type_and_length():
    """The length is three bytes long and does not count the header."""
    assert parse_handshake_header_untrusted(b"\x01\x01\x02\x03rest") == HandshakeHeader(1, 0x010203)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x00\x00"])
def test_fewer_than_four_bytes_are_no_header_yet(data):
    """A header may be split over two records."""
    assert parse_handshake_header_untrusted(data) is None
