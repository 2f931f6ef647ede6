"""The names of cipher suites, as Windows writes them."""

from __future__ import annotations

import pytest

from tlslab.schannel.cipher_suites import OPENSSL_NAMES, TLS_1_3, known_suite, openssl_names


@pytest.mark.parametrize("name", OPENSSL_NAMES)
def test_a_known_name_is_itself(name):
    """Every suite of the table is taken as it is written."""
    assert known_suite(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TLS_RSA_WITH_AES_128_CBC_SHA1", "did you mean TLS_RSA_WITH_AES_128_CBC_SHA?"),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA_P256",
            "ties no curve to a suite; write TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        ),
        ("AES128-SHA", "write it as Windows does, such as TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("", "write it as Windows does"),
        ("T" * 100_000, "write it as Windows does"),
        *((name, "a suite of TLS 1.3, which this list does not reach") for name in sorted(TLS_1_3)),
    ],
)
def test_another_name_is_refused(name, said):
    """A slip gets the name that was meant; a curve, or a suite of TLS 1.3, what it is that cannot be set here."""
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        known_suite(name)


def test_the_order_stays():
    """What is preferred comes first in OpenSSL's list, too."""
    suites = ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"]
    assert openssl_names(suites) == ("AES128-SHA", "AES256-SHA")
    assert openssl_names(suites[::-1]) == ("AES256-SHA", "AES128-SHA")
    assert openssl_names([]) == ()
