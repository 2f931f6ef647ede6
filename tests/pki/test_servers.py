"""Server certificates with one thing wrong: what a check of the chain says of each, and of the good ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.x509 import DNSName, SubjectAlternativeName
from OpenSSL import crypto

from tlslab.pki.servers import FAULTS, OTHER_NAME
from tlslab.pki.store import open_pki

SOUND = ("server", "server-rsa")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A lab's certificates, of today: OpenSSL checks dates by its own clock."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


def verdict(pki, credential) -> str:
    """What OpenSSL says of the chain that a server shows, to a client that trusts the lab's authority."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(pki.server_authority.certificate))
    leaf, *issuers = map(crypto.X509.from_cryptography, credential.chain)
    try:
        crypto.X509StoreContext(store, leaf, issuers).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return "good"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("server", "good"),
        ("server-rsa", "good"),
        ("wrong-name", "good"),  # the chain is: the name is for the client to compare
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("no-intermediate", "unable to get local issuer certificate"),
    ],
)
def test_what_is_wrong(pki, kind, says):
    """One thing each, in the words of OpenSSL, and nothing with the good ones."""
    assert verdict(pki, pki.server_credential(["shop.localhost"], kind)) == says


@pytest.mark.parametrize("kind", [*SOUND, *FAULTS])
def test_the_names(pki, kind):
    """Each carries what was asked for, but for the one that is for another host."""
    names = pki.server_credential(["shop.localhost"], kind).chain[0].extensions
    found = set(names.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName))
    assert found == ({OTHER_NAME} if kind == "wrong-name" else {"localhost", "shop.localhost"})
