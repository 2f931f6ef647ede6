"""Server certificates with something wrong: each is made of a good one, and differs from it in one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tlslab.pki.authorities import Authority, Credential, PrivateKey

OTHER_NAME = "wrong-name.localhost"  # below localhost, so that an authority restricted to that could issue it
VALIDITY = timedelta(days=365)
SECOND = timedelta(seconds=1)  # the smallest step of a certificate's dates


def _expired(good: Credential, authority: Authority) -> Credential:
    """Over since before the good one began: no client's clock is so far behind."""
    end = good.chain[0].not_valid_before_utc - SECOND
    return _signed(_like(good, begin=end - VALIDITY, end=end), good, authority.key, good.chain[1:])


def _wrong_name(good: Credential, authority: Authority) -> Credential:
    """For another host, and for no address."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, OTHER_NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(OTHER_NAME)])
    return _signed(_like(good, subject=subject), good, authority.key, good.chain[1:], names)


def _self_signed(good: Credential, _authority: Authority) -> Credential:
    """Nobody's but its own; still for servers, and no authority."""
    return _signed(_like(good, issuer=good.chain[0].subject), good, good.key, ())


def _no_intermediate(good: Credential, authority: Authority) -> Credential:
    """Issued by an intermediate that nobody has: the server does not send it, and no address leads to it."""
    suffix = authority.certificate.subject.rfc4514_string().rpartition(" ")[2]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tlslab Server Intermediate CA {suffix}")])
    return _signed(_like(good, issuer=issuer), good, ec.generate_private_key(ec.SECP256R1()), ())


FAULTS: Mapping[str, Callable[[Credential, Authority], Credential]] = {
    "expired": _expired,
    "wrong-name": _wrong_name,
    "self-signed": _self_signed,
    "no-intermediate": _no_intermediate,
}


def with_fault(fault: str, good: Credential, authority: Authority) -> Credential:
    """Make a server certificate with one of the `FAULTS` from a good one that `authority` issued."""
    return FAULTS[fault](good, authority)


def _like(good: Credential, **changes: Any) -> x509.CertificateBuilder:
    """Begin a certificate like the good one, but for `changes`; its extensions are left to `_signed`."""
    leaf = good.chain[0]
    fields: dict[str, Any] = {
        "issuer": leaf.issuer,
        "subject": leaf.subject,
        "begin": leaf.not_valid_before_utc,
        "end": leaf.not_valid_after_utc,
    } | changes
    return x509.CertificateBuilder(
        issuer_name=fields["issuer"],
        subject_name=fields["subject"],
        public_key=leaf.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=fields["begin"],
        not_valid_after=fields["end"],
    )


def _signed(
    builder: x509.CertificateBuilder,
    good: Credential,
    signer: PrivateKey,
    issuers: tuple[x509.Certificate, ...],
    *instead: x509.ExtensionType,
) -> Credential:
    """Sign with the good one's extensions, those given `instead` excepted, and with the signer's own key id."""
    replaced = (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), *instead)
    by_oid = {extension.oid: extension for extension in replaced}
    for extension in good.chain[0].extensions:
        builder = builder.add_extension(by_oid.get(extension.oid, extension.value), extension.critical)
    return Credential((builder.sign(signer, hashes.SHA256()), *issuers), good.key)
