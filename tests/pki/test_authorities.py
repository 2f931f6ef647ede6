"""What the authorities issue, judged by cryptography's own path validation, each time beside what it must refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlslab.errors import LabError
from tlslab.pki.authorities import (
    SERVER_AUTH,
    Authority,
    Credential,
    is_for_clients,
    issue_client,
    make_authority,
    make_intermediate,
    server_credential,
)

NOW = datetime(2026, 3, 1, 12, 30, 15, 999999, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority that all tests here may share: nothing changes it."""
    return make_authority("tlslab Test CA", NOW)


def policy(authority: Authority, now: datetime = NOW) -> verification.PolicyBuilder:
    """Rules that trust this authority alone."""
    return verification.PolicyBuilder().store(verification.Store([authority.certificate])).time(now)


def verify_server(credential: Credential, authority: Authority, host: str, now: datetime = NOW) -> None:
    """Judge a server as its client would; VerificationError says no."""
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    leaf, *others = credential.chain
    policy(authority, now).build_server_verifier(subject).verify(leaf, others)


def verify_client(credential: Credential, authority: Authority) -> None:
    """Judge a client as its server would; VerificationError says no."""
    # The web's rules want a SubjectAlternativeName; a client certificate that a subject identifies has none.
    leaf_rules = verification.ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
    )
    rules = policy(authority).extension_policies(
        ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf_rules
    )
    leaf, *others = credential.chain
    rules.build_client_verifier().verify(leaf, others)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "upload.lab.example", "192.0.2.10", "2001:db8::10"])
def test_a_server_is_accepted_by_each_of_its_names(authority, host):
    """Loopback and every given name, address or host, pass full path validation."""
    credential = server_credential(authority, ["upload.lab.example", "192.0.2.10", "2001:db8::10"], NOW)
    verify_server(credential, authority, host)


@pytest.mark.parametrize("host", ["lab.example", "x.upload.lab.example", "127.0.0.2"])
def test_a_server_is_refused_by_another_name(authority, host):
    """A name that was not given does not match."""
    with pytest.raises(verification.VerificationError):
        verify_server(server_credential(authority, ["upload.lab.example"], NOW), authority, host)


def test_a_server_is_refused_under_another_authority(authority):
    """An authority of the same name is still another authority."""
    with pytest.raises(verification.VerificationError):
        verify_server(server_credential(authority, [], NOW), make_authority("tlslab Test CA", NOW), "localhost")


@pytest.mark.parametrize("moment", [NOW - 2 * DAY, NOW + 825 * DAY])
def test_a_server_is_refused_outside_its_dates(authority, moment):
    """A certificate holds from a day before it was made, for 825 days."""
    credential = server_credential(authority, [], NOW)
    verify_server(credential, authority, "localhost", NOW + 823 * DAY)
    with pytest.raises(verification.VerificationError):
        verify_server(credential, authority, "localhost", moment)


def test_a_client_is_accepted_and_is_no_server(authority):
    """A client's certificate names nothing but its common name and is good for clientAuth alone."""
    credential = issue_client(authority, "alice", NOW)
    verify_client(credential, authority)
    assert credential.chain[0].subject.rfc4514_string() == "CN=alice"
    assert purposes(credential) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(verification.VerificationError):
        verify_client(server_credential(authority, [], NOW), authority)


def test_a_client_is_refused_under_another_authority(authority):
    """A client of one lab is a stranger to the next."""
    with pytest.raises(verification.VerificationError):
        verify_client(issue_client(authority, "alice", NOW), make_authority("tlslab Test CA", NOW))


def test_an_intermediate_leads_to_its_root(authority):
    """With it a client's chain holds, without it not; it may issue no further authority and ends with its root."""
    intermediate = make_intermediate(authority, "tlslab Intermediate", NOW)
    credential = issue_client(intermediate, "carol", NOW)
    assert credential.chain[1:] == (intermediate.certificate, authority.certificate)
    verify_client(credential, authority)
    with pytest.raises(verification.VerificationError):
        verify_client(Credential(credential.chain[:1], credential.key), authority)
    constraints = intermediate.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert intermediate.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_client_can_have_its_own_period_and_purpose(authority):
    """Both are taken as they are given."""
    period = NOW.replace(microsecond=0) - 9 * DAY, NOW.replace(microsecond=0) - 2 * DAY
    credential = issue_client(authority, "dan", NOW, period=period, purpose=SERVER_AUTH)
    assert (credential.chain[0].not_valid_before_utc, credential.chain[0].not_valid_after_utc) == period
    assert purposes(credential) == [ExtendedKeyUsageOID.SERVER_AUTH]
    with pytest.raises(verification.VerificationError):
        verify_client(credential, authority)


def test_a_server_sends_no_root(authority):
    """The server's chain is its certificate alone, a client's ends in the authority."""
    server, client = server_credential(authority, [], NOW), issue_client(authority, "alice", NOW)
    assert len(server.chain) == 1
    assert server.chain[0].subject.rfc4514_string() == "CN=localhost"
    assert purposes(server) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert client.chain[1] == authority.certificate


def test_a_bad_name_is_a_lab_error(authority):
    """A name that cannot stand in a certificate is a person's mistake, not a crash."""
    with pytest.raises(LabError, match="8443"):
        server_credential(authority, ["lab.example:8443"], NOW)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_common_name_has_bounds(name):
    """X.520 allows 1 to 64 characters."""
    with pytest.raises(ValueError, match="64"):
        make_authority(name, NOW)


def test_every_certificate_keeps_the_house_rules(authority):
    """P-256, SHA-256, own serial, linked key identifiers, critical constraints, the key that belongs to it."""
    server, client = server_credential(authority, [], NOW), issue_client(authority, "alice", NOW)
    certificates = [authority.certificate, server.chain[0], client.chain[0]]
    assert len({certificate.serial_number for certificate in certificates}) == 3
    for certificate, key in zip(certificates, [authority.key, server.key, client.key], strict=True):
        assert certificate.public_key() == key.public_key()
        assert isinstance(key.curve, ec.SECP256R1)
        assert certificate.signature_hash_algorithm is not None
        assert certificate.signature_hash_algorithm.name == "sha256"
        assert certificate.not_valid_before_utc == NOW.replace(microsecond=0) - DAY
        assert key_identifier(certificate) == x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
        assert issuer_identifier(certificate) == key_identifier(authority.certificate)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).critical
        assert certificate.extensions.get_extension_for_class(x509.KeyUsage).critical


def test_an_rsa_key_is_for_encryption_too(authority):
    """2,048 bits, still signed by the authority's P-256 key; only such a certificate says keyEncipherment."""
    for credential in (
        server_credential(authority, [], NOW, rsa_key=True),
        issue_client(authority, "alice", NOW, rsa_key=True),
    ):
        assert isinstance(credential.key, rsa.RSAPrivateKey)
        assert credential.key.key_size == 2048
        assert credential.chain[0].public_key() == credential.key.public_key()
        assert key_usage(credential).key_encipherment
    assert not key_usage(server_credential(authority, [], NOW)).key_encipherment
    verify_server(server_credential(authority, [], NOW, rsa_key=True), authority, "localhost")


def test_nothing_outlives_its_authority():
    """Near an authority's end, what it issues ends with it."""
    old = make_authority("tlslab Test CA", NOW - 3600 * DAY)
    assert server_credential(old, [], NOW).chain[0].not_valid_after_utc == old.certificate.not_valid_after_utc


def purposes(credential: Credential) -> list[x509.ObjectIdentifier]:
    """The extended key usages of the first certificate."""
    return list(credential.chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def key_usage(credential: Credential) -> x509.KeyUsage:
    """What the key of the first certificate is for."""
    return credential.chain[0].extensions.get_extension_for_class(x509.KeyUsage).value


def key_identifier(certificate: x509.Certificate) -> bytes:
    """The subject key identifier."""
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def issuer_identifier(certificate: x509.Certificate) -> bytes | None:
    """The authority key identifier."""
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


@pytest.mark.parametrize(
    ("usages", "for_clients"),
    [
        ([], True),
        (["CLIENT_AUTH"], True),
        (["SERVER_AUTH", "CLIENT_AUTH"], True),
        (["ANY_EXTENDED_KEY_USAGE"], True),
        (["SERVER_AUTH"], False),
    ],
)
def test_for_clients(usages: list[str], for_clients: bool) -> None:
    """A certificate is for clients where its usage allows them, or where nothing is said of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + DAY)
    if usages:
        extension = x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, usage) for usage in usages])
        builder = builder.add_extension(extension, critical=False)
    assert is_for_clients(builder.sign(key, SHA256())) is for_clients


def test_how_much_of_a_chain_is_shown(authority: Authority) -> None:
    """The leaf alone, what leads to the root, or all; with the same key."""
    between = make_intermediate(authority, "Between", NOW)
    credential = issue_client(between, "eve", NOW)
    leaf, *issuers = credential.chain
    for how_much, shown in (("leaf", 1), ("chain", 2), ("all", 3)):
        assert Credential((leaf,), credential.key).showing(how_much, tuple(issuers)) == Credential(
            credential.chain[:shown], credential.key
        )
