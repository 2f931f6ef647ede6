"""Certificate authorities and what they issue: P-256 keys unless RSA is said, SHA-256, no file and no clock.

`now` is an aware datetime throughout. What nothing else is said of is valid from a day before it, so that a client
whose clock is behind (a virtual machine that slept) still accepts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tlslab.pki.names import alternative_names, limits

BACKDATED = timedelta(days=1)
AUTHORITY_VALIDITY = timedelta(days=3652)
SERVER_AUTHORITY_VALIDITY = timedelta(days=366)  # of which one is over: what browsers trust is not for ever
# The longest that Apple accepts of an authority its user added is 825 days (Apple support, HT210176), and the
# last second counts as well (RFC 5280, 4.1.2.5: through notAfter, inclusive).
LEAF_VALIDITY = timedelta(days=825, seconds=-1)
RSA_BITS = 2048
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Period = tuple[datetime, datetime]  # notBefore and notAfter; both moments are inside (RFC 5280, 4.1.2.5)
CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority and its key; `issuers` are those above it, up to the root, and empty for a root itself."""

    certificate: x509.Certificate
    key: PrivateKey
    issuers: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """What one end of a connection shows: its certificate, whatever is sent along after it, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    def showing(self, how_much: str, issuers: tuple[x509.Certificate, ...]) -> Credential:
        """Show the `leaf` alone, the `chain` without its root, or `all`; `issuers` stand above it up to the root."""
        above = {"leaf": (), "chain": issuers[:-1], "all": issuers}[how_much]
        return Credential((self.chain[0], *above), self.key)


def make_authority(common_name: str, now: datetime) -> Authority:
    """Make a self-signed authority that is valid for ten years.

    ValueError: a common name that is empty or longer than 64 characters.
    """
    key = _new_key()
    period = now - BACKDATED, now - BACKDATED + AUTHORITY_VALIDITY
    builder = _authority(_builder(_name(common_name), _name(common_name), key, period), path_length=None)
    return Authority(_sign(builder, key, key), key)


def make_server_authority(common_name: str, now: datetime, names: Sequence[str]) -> Authority:
    """Make the authority that people let their programs trust: for a year, and no further than the lab needs.

    It vouches for servers alone (extended key usage), under this machine's own names and `names` alone (name
    constraints), and for no other authority (path length 0). An RSA key, so that `server-rsa` is RSA all the way up.
    """
    key = _leaf_key(rsa_key=True)
    period = now - BACKDATED, now - BACKDATED + SERVER_AUTHORITY_VALIDITY
    builder = _authority(_builder(_name(common_name), _name(common_name), key, period), path_length=0)
    builder = builder.add_extension(x509.ExtendedKeyUsage([SERVER_AUTH]), critical=False)
    return Authority(_sign(builder.add_extension(limits(names), critical=True), key, key), key)


def make_intermediate(root: Authority, common_name: str, now: datetime) -> Authority:
    """Make an authority that `root` issued, that issues end entities alone, and that ends with its root."""
    key = _new_key()
    period = now - BACKDATED, root.certificate.not_valid_after_utc
    builder = _authority(_builder(_name(common_name), root.certificate.subject, key, period), path_length=0)
    return Authority(_sign(builder, key, root.key), key, (root.certificate, *root.issuers))


def issue_client(
    authority: Authority,
    common_name: str,
    now: datetime,
    *,
    period: Period | None = None,
    purpose: x509.ObjectIdentifier = CLIENT_AUTH,
    rsa_key: bool = False,
) -> Credential:
    """Issue a client certificate whose whole subject is `CN=common_name`; its authorities follow it, root included.

    `period` begins yesterday and lasts 825 days unless given, `purpose` the only extended key usage. ValueError: a
    common name that is empty or longer than 64 characters.
    """
    key = _leaf_key(rsa_key)
    builder = _leaf(authority, common_name, key, purpose, period or _usual_period(authority, now))
    return Credential((_sign(builder, key, authority.key), authority.certificate, *authority.issuers), key)


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether a client that goes by extended key usage would show it: that allows clients, or nothing is said of it.

    So .NET does (dotnet/runtime 121982 and 131563).
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return CLIENT_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def server_credential(
    authority: Authority, names: Sequence[str], now: datetime, *, rsa_key: bool = False
) -> Credential:
    """Issue the certificate of one start of the lab for localhost, 127.0.0.1, ::1 and `names`.

    The authority is not sent along: it is a root, which a client has or lacks. LabError: a name that cannot be one.
    """
    key = _leaf_key(rsa_key)
    builder = _leaf(authority, "localhost", key, SERVER_AUTH, _usual_period(authority, now))
    builder = builder.add_extension(alternative_names(names), critical=False)
    return Credential((_sign(builder, key, authority.key),), key)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _leaf_key(rsa_key: bool) -> PrivateKey:
    """An RSA key takes some 35 ms, now and then 200 (measured); the other kind nothing to speak of."""
    return rsa.generate_private_key(65537, RSA_BITS) if rsa_key else _new_key()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _leaf(
    authority: Authority,
    common_name: str,
    key: PrivateKey,
    purpose: x509.ObjectIdentifier,
    period: Period,
) -> x509.CertificateBuilder:
    builder = _builder(_name(common_name), authority.certificate.subject, key, period)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(encrypts=isinstance(key, rsa.RSAPrivateKey)), critical=True)
    return builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)


def _authority(builder: x509.CertificateBuilder, path_length: int | None) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(authority=True), critical=True)


def _usual_period(authority: Authority, now: datetime) -> Period:
    return now - BACKDATED, min(now - BACKDATED + LEAF_VALIDITY, authority.certificate.not_valid_after_utc)


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, period: Period) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=period[0],
        not_valid_after=period[1],
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey, issuer_key: PrivateKey) -> x509.Certificate:
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(subject_key, critical=False).add_extension(issuer_id, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*, authority: bool = False, encrypts: bool = False) -> x509.KeyUsage:
    """What a key is for; `encrypts`: the RSA key exchange, in which the client encrypts to it."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=encrypts,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
