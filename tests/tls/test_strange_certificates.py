"""Client certificates that OpenSSL takes and that nobody should have made: they are told of, and raise nothing."""

from __future__ import annotations

import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import crypto

from tlslab.events import ClientCertificateReceived, HandshakeCompleted
from tlslab.tls.certificates import UNREADABLE, facts_untrusted, read_untrusted
from tlslab.tls.context import Protocol, client_context
from tlslab.types import Verdict

VERSION_3, VERSION_21 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x14"
UTF8_NAME, OTHER_NAME = b"\x0c\x05alice", b"\x07\x05alice"  # the same name as a UTF8String and an ObjectDescriptor
BIT_STRING = b"\x03\x05\0lice"  # which names no person, and of which cryptography makes a TypeError


@pytest.fixture
def alice(certificates):
    """Alice's certificate as DER."""
    return certificates.clients["alice"].chain[0].public_bytes(Encoding.DER)


@pytest.fixture
def shows(certificates, client_settings):
    """Return a function that makes a client which shows this certificate, DER, with alice's key."""

    def make(der):
        context = client_context(client_settings())
        with pytest.warns(DeprecationWarning, match="pyOpenSSL X509"):
            context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
        context.use_privatekey(certificates.clients["alice"].key)
        return context

    return make


@pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
@pytest.mark.parametrize(
    ("part", "other", "subject", "verdict"),
    [
        (VERSION_3, VERSION_3, "CN=alice", Verdict.TRUSTED),
        (VERSION_3, VERSION_21, UNREADABLE, Verdict.INVALID),
        (UTF8_NAME, OTHER_NAME, UNREADABLE, Verdict.INVALID),
        (UTF8_NAME, BIT_STRING, UNREADABLE, Verdict.INVALID),
        (UTF8_NAME, UTF8_NAME.replace(b"ali", b"\x1b[2"), "CN=\x1b[2ce", Verdict.INVALID),
    ],
)
def test_a_strange_certificate(join, alice, shows, protocol, part, other, subject, verdict):
    """The handshake goes on, and what can be read of it is told; with nothing changed it is alice's, and trusted."""
    ends = join(protocol, asks=True, client=shows(alice.replace(part, other)))
    told = ends.only(ClientCertificateReceived)
    assert (told.subject, told.verdict) == (subject, verdict)
    assert len(told.fingerprint_sha256) == 64
    assert ends.all(HandshakeCompleted)


@settings(max_examples=5 * settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_certificate_never_raises(alice, data):
    """Whatever of it was changed: OpenSSL refuses it, or there are facts, and they name it by its fingerprint."""
    damaged = bytearray(alice)
    for at in data.draw(st.lists(st.integers(0, len(alice) - 1), min_size=1, max_size=3)):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, bytes(damaged))
    except crypto.Error:
        return
    facts = facts_untrusted(certificate, 7)  # X509_V_ERR_CERT_SIGNATURE_FAILURE
    assert facts.verdict is Verdict.INVALID
    assert facts.fingerprint_sha256 == certificate.digest("sha256").decode().replace(":", "").lower()


def test_a_negative_serial_number_warns_nobody(alice):
    """The library warns of one; that warning is for those who make certificates, not for who is shown them."""
    serial = x509.load_der_x509_certificate(alice).serial_number
    length = (serial.bit_length() + 8) // 8
    number = serial.to_bytes(length, "big")
    at = alice.index(number)
    certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, alice[:at] + b"\x80" + alice[at + 1 :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert facts_untrusted(certificate, 18).subject == "CN=alice"


class PanicException(BaseException):
    """What pyo3 raises where Rust panics: it cannot be imported."""


@pytest.mark.parametrize("raised", [ValueError, TypeError, RecursionError, x509.InvalidVersion, PanicException])
def test_whatever_a_library_raises(raised):
    """It is nothing that could be read, a panic too; what is no fault of the bytes goes on."""

    def read():
        raise raised("it", 21) if raised is x509.InvalidVersion else raised("it")

    assert read_untrusted(read) is None
    assert read_untrusted(lambda: 1) == 1
    with pytest.raises(KeyboardInterrupt):
        read_untrusted(lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_the_issuer_alone_is_unreadable(alice):
    """The subject beside it is told."""
    issuer = x509.load_der_x509_certificate(alice).issuer.public_bytes()
    changed = alice.replace(issuer, issuer.replace(b"\x0c", b"\x07"), 1)
    facts = facts_untrusted(crypto.load_certificate(crypto.FILETYPE_ASN1, changed), 0)
    assert (facts.subject, facts.issuer, facts.verdict) == ("CN=alice", UNREADABLE, Verdict.INVALID)
