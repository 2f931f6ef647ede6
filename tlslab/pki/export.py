"""Certificates and keys in the forms that programs take: PEM for curl and OpenSSL, PKCS#12 for browsers and Windows."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from tlslab.pki.authorities import Credential, PrivateKey

# OpenSSL's own default. The password is no secret, so more rounds would cost time and protect nothing.
KDF_ROUNDS = 2048


def certificates_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Write certificates as PEM, one behind the other."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_pem(key: PrivateKey) -> bytes:
    """Write a key as unencrypted PKCS#8 PEM, which every TLS client reads."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pkcs12_bytes(credential: Credential, friendly_name: str, password: str, *, legacy: bool = False) -> bytes:
    """Write a credential as a PKCS#12 file, with the certificates that follow the first one in its chain.

    PBES2 with AES-256-CBC and SHA-256. Windows imports that from Server 2019 on; Server 2016 calls the password wrong
    (reported in ansible.windows #582 and acme.sh #6805) and needs a `legacy` one: 3DES and SHA-1 throughout.
    """
    leaf, *others = credential.chain
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(KDF_ROUNDS)
        .key_cert_algorithm(
            pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC if legacy else pkcs12.PBES.PBESv2SHA256AndAES256CBC
        )
        .hmac_hash(hashes.SHA1() if legacy else hashes.SHA256())
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(friendly_name.encode(), credential.key, leaf, others, encryption)
