"""Issuer names in the three layouts of CertificateRequest."""

import pytest

from tlslab.errors import WireError
from tlslab.wire.certificate_request import parse_certificate_request_untrusted

TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0301, 0x0302, 0x0303, 0x0304
NAME_A = bytes.fromhex("30133111300f06035504030c084973737565722041")  # CN=Issuer A
NAME_B = bytes.fromhex("30133111300f06035504030c084973737565722042")
# Encrypted on the wire, so captured with OpenSSL 4.0's message callback from a handshake in memory.
OPENSSL_TLS_1_3 = (
    bytes.fromhex(
        "000064000d002c002a09050906090404030503060308070808081a081b081c0809080a080b0804080508060401050106010708"
    )
    + bytes.fromhex("002f0030002e0015")
    + NAME_A
    + b"\0\x15"
    + NAME_B
)


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_2])
def test_openssl_names_come_out_in_order(server_flights, issuers, version):
    """What the server was told to name stands on the wire, DER byte for byte."""
    names = parse_certificate_request_untrusted(server_flights[version]["CertificateRequest"], version)
    assert names == tuple(issuer.subject.public_bytes() for issuer in issuers) == (NAME_A, NAME_B)


def test_openssl_tls13_names_come_from_the_extension():
    """In TLS 1.3 they are extension 47."""
    assert parse_certificate_request_untrusted(OPENSSL_TLS_1_3, TLS_1_3) == (NAME_A, NAME_B)


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b"\1\x01\0\0", TLS_1_0),
        (b"\1\x01\0\0", TLS_1_1),
        (b"\1\x01\0\2\4\3\0\0", TLS_1_2),
        (b"\0\0\x08\0\x0d\0\4\0\2\4\3", TLS_1_3),
    ],
)
def test_no_names_are_no_error(body, version):
    """A server may leave the choice to the client."""
    assert parse_certificate_request_untrusted(body, version) == ()


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b"\1\x01\0\2\0\0", TLS_1_0),  # an empty name
        (b"\1\x01\0\0\0", TLS_1_0),  # a byte too many
        (b"\1\x01\0\2\4\3\0\0", TLS_1_0),  # the layout of another version
        (b"\0\0\4\0\x2f\0\0", TLS_1_3),  # an empty extension
        (b"\1\x01\0\0", 0x0300),
        (b"\1\x01\0\0", 0x0305),
    ],
)
def test_malformed_request(body, version):
    """Every broken rule is a WireError, a version without a layout too."""
    with pytest.raises(WireError):
        parse_certificate_request_untrusted(body, version)


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_2, TLS_1_3])
def test_truncated_request(server_flights, version):
    """A real request cut anywhere does not parse."""
    body = server_flights[version].get("CertificateRequest", OPENSSL_TLS_1_3)
    for count in range(len(body)):
        with pytest.raises(WireError):
            parse_certificate_request_untrusted(body[:count], version)
