"""PEM and PKCS#12 hold what was put in, and only the password opens the latter."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from tlslab.pki.authorities import Credential, issue_client, make_authority
from tlslab.pki.export import certificates_pem, key_pem, pkcs12_bytes

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def alice() -> Credential:
    """A client with its authority behind it."""
    return issue_client(make_authority("tlslab Test CA", NOW), "alice", NOW)


def test_pem_holds_the_chain_and_the_key(alice):
    """Certificates come back in order, and the key needs no password."""
    assert tuple(x509.load_pem_x509_certificates(certificates_pem(alice.chain))) == alice.chain
    key = load_pem_private_key(key_pem(alice.key), password=None)
    assert key.public_key() == alice.key.public_key()


def test_pkcs12_opens_with_its_password(alice):
    """The file carries the certificate under its friendly name, the authority and the key."""
    got = pkcs12.load_pkcs12(pkcs12_bytes(alice, "alice", "tlslab"), b"tlslab")
    assert got.cert is not None
    assert got.key is not None
    assert (got.cert.certificate, got.cert.friendly_name) == (alice.chain[0], b"alice")
    assert [other.certificate for other in got.additional_certs] == [alice.chain[1]]
    assert got.key.public_key() == alice.key.public_key()


def test_pkcs12_stays_shut_without_it(alice):
    """Another password is refused."""
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(pkcs12_bytes(alice, "alice", "tlslab"), b"wrong")


def test_legacy_pkcs12_holds_the_same(alice):
    """The old form opens with the same password and has the same in it."""
    new, old = (pkcs12.load_pkcs12(pkcs12_bytes(alice, "a", "p", legacy=legacy), b"p") for legacy in (False, True))
    assert (old.cert, old.additional_certs) == (new.cert, new.additional_certs)


@pytest.mark.client
@pytest.mark.parametrize(
    ("legacy", "mac", "encryption"),
    [(False, "MAC: sha256", "PBES2, PBKDF2, AES-256-CBC"), (True, "MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC")],
)
def test_pkcs12_uses_the_algorithms_that_windows_imports(alice, require_client, tmp_path, legacy, mac, encryption):
    """Key and certificates are under AES-256 for Windows Server 2019 and later, and under 3DES for those before."""
    require_client("openssl")
    file = tmp_path / "alice.p12"
    file.write_bytes(pkcs12_bytes(alice, "alice", "tlslab", legacy=legacy))
    command = ["openssl", "pkcs12", "-info", "-noout", "-in", str(file), "-passin", "pass:tlslab"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stderr
    assert mac in told
    assert told.count(encryption) == 2
