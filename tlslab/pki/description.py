"""What people and programs are told of a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Description:
    """Names as RFC 4514 strings, numbers in hex, dates aware; Windows calls `fingerprint_sha1` the thumbprint."""

    subject: str
    common_name: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    fingerprint_sha256: str
    fingerprint_sha1: str


def describe(certificate: x509.Certificate) -> Description:
    """Describe a certificate that the lab issued: one with a common name."""
    return Description(
        subject=certificate.subject.rfc4514_string(),
        common_name=str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        fingerprint_sha1=certificate.fingerprint(hashes.SHA1()).hex(),
    )
