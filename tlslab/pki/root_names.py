"""Names of roots that have nothing but a name: no key and no certificate is made for them."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

RootName = x509.Name


def root_name(common_name: str, organization: str | None = None) -> RootName:
    """Make the name of a root, of ASCII text, each part of at most 64 characters (X.520)."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)
