"""Who the probe is, and whom it trusts, out of PEM files of any maker; `name` is what the file is called."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tlslab.errors import LabError
from tlslab.tls.context import TlsKey


def read_certificates(name: str, content: bytes) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM file, in their order. LabError: there is none."""
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        hint = "it has to be PEM: openssl x509 -inform der -in FILE converts DER, openssl pkcs12 -in FILE a .pfx"
        raise LabError(f"{name} has no certificate that can be read", hint) from None
    return tuple(found)


def read_private_key(name: str, content: bytes, certificate: x509.Certificate) -> TlsKey:
    """Read the key that belongs to a certificate. LabError: it does not, or cannot be read."""
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError:
        raise LabError(
            f"{name} is encrypted", "write it without a passphrase: openssl pkey -in FILE -out OTHER"
        ) from None
    except ValueError:
        raise LabError(
            f"{name} has no private key that can be read", "it has to be PEM: openssl pkey -in FILE"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise LabError(f"{name} has a key of a kind that the lab does not use", "it takes RSA and elliptic curves")
    if key.public_key() != certificate.public_key():
        raise LabError(f"{name} is not the key of {certificate.subject.rfc4514_string()}", "name the pair that belongs")
    return key


def issuers_of(chain: tuple[x509.Certificate, ...]) -> tuple[bytes, ...]:
    """The names (DER) by which a server's list may ask for this chain."""
    return tuple(dict.fromkeys(one.issuer.public_bytes() for one in chain))
