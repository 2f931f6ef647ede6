"""Names for a server certificate: what becomes of good ones, and that bad ones are refused with a way out."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from tlslab.errors import LabError
from tlslab.pki.names import alternative_names

LOOPBACK = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]


def test_loopback_is_always_there():
    """Without any name the certificate still serves this machine."""
    assert list(alternative_names([])) == LOOPBACK


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("upload.lab.example", x509.DNSName("upload.lab.example")),
        ("WIN-LAB_1", x509.DNSName("win-lab_1")),
        ("a" * 63 + ".example", x509.DNSName("a" * 63 + ".example")),
        ("7.lab", x509.DNSName("7.lab")),
        ("xn--mller-kva.example", x509.DNSName("xn--mller-kva.example")),
        ("192.0.2.10", x509.IPAddress(ip_address("192.0.2.10"))),
        ("2001:DB8::10", x509.IPAddress(ip_address("2001:db8::10"))),
        ("fe80::1%eth0", x509.IPAddress(ip_address("fe80::1"))),
    ],
)
def test_a_good_name_is_added(name, expected):
    """A literal becomes an address without its zone, anything else a lower-case host name."""
    assert list(alternative_names([name])) == [*LOOPBACK, expected]


def test_each_name_is_there_once():
    """Repeating a name, in any case, or naming loopback adds nothing."""
    names = ["lab.example", "LAB.example", "localhost", "0:0:0:0:0:0:0:1"]
    assert list(alternative_names(names)) == [*LOOPBACK, x509.DNSName("lab.example")]


EMPTY_LABELS = ["", " ", "lab.", ".lab", "a..b"]
FOREIGN_LETTERS = ["lab example", "lab\n", "lab\0.example", "-lab", "lab-", "müller.example"]
OTHER_NOTATIONS = ["*.lab", "lab:8443", "[::1]", "http://lab", "10.0.0.0/8", "127.0.0.300", "1.2.3"]
TOO_LONG = ["a" * 64, "a." * 126 + "ab"]


@pytest.mark.parametrize("name", [*EMPTY_LABELS, *FOREIGN_LETTERS, *OTHER_NOTATIONS, *TOO_LONG])
def test_a_bad_name_is_refused(name):
    """What no client could match is named in the error, with examples of what would do."""
    with pytest.raises(LabError) as caught:
        alternative_names(["good.example", name])
    assert repr(name) in str(caught.value)
    assert "192.0.2.10" in caught.value.hint


@given(st.text())
def test_any_text_is_a_name_or_a_lab_error(text):
    """Whatever a person types ends in a certificate that can be encoded or in a LabError."""
    try:
        names = alternative_names([text])
    except LabError:
        return
    assert names.public_bytes()
