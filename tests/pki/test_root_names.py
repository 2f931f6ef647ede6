"""Names of roots that are nothing but names."""

from __future__ import annotations

import pytest

from tlslab.pki.root_names import root_name


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("Contoso Root CA 1",), "CN=Contoso Root CA 1"),
        (("Contoso Root CA 1", "Contoso Ltd"), "CN=Contoso Root CA 1,O=Contoso Ltd"),
    ],
)
def test_a_name(parts, text):
    """The organization stands before the common name, so that RFC 4514 puts it behind."""
    assert root_name(*parts).rfc4514_string() == text


def test_the_longest_name():
    """What X.520 allows can be made."""
    assert root_name("n" * 64, "o" * 64).public_bytes()
