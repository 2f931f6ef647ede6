"""What the lab tells of a client's certificate: the only place where a library reads one of a peer's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

from cryptography import x509
from OpenSSL import crypto

from tlslab.types import CertificateFacts, Verdict

# X509_V_ codes (openssl/x509_vfy.h). What is not listed, such as a wrong signature, makes a certificate invalid.
_VERDICTS = {
    0: Verdict.TRUSTED,
    2: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_GET_ISSUER_CERT
    9: Verdict.NOT_YET_VALID,
    10: Verdict.EXPIRED,
    18: Verdict.UNTRUSTED,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: Verdict.UNTRUSTED,  # SELF_SIGNED_CERT_IN_CHAIN
    20: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: Verdict.INCOMPLETE_CHAIN,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE: nothing but the certificate itself
    26: Verdict.WRONG_USAGE,
}
UNREADABLE = "(unreadable)"  # a name that cannot be read
_Value = TypeVar("_Value")


def facts_untrusted(certificate: crypto.X509, verify_result: int) -> CertificateFacts:
    """What the lab tells of a client's certificate; one that OpenSSL takes and cryptography does not is invalid."""
    der = read_untrusted(lambda: crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
    return _facts_untrusted(der or b"", verify_result)


@lru_cache(maxsize=64)  # a client shows the same certificate again and again
def _facts_untrusted(der: bytes, verify_result: int) -> CertificateFacts:
    with warnings.catch_warnings():  # about serial numbers and the like: for those who make certificates
        warnings.simplefilter("ignore")
        certificate = read_untrusted(lambda: x509.load_der_x509_certificate(der))
        subject = read_untrusted(lambda: certificate.subject.rfc4514_string()) if certificate else None
        issuer = read_untrusted(lambda: certificate.issuer.rfc4514_string()) if certificate else None
    is_read = subject is not None and issuer is not None
    return CertificateFacts(
        subject=UNREADABLE if subject is None else subject,
        issuer=UNREADABLE if issuer is None else issuer,
        fingerprint_sha256=sha256(der).hexdigest(),
        verdict=_VERDICTS.get(verify_result, Verdict.INVALID) if is_read else Verdict.INVALID,
    )


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a probe tells of a certificate: names of RFC 4514, those that it is for, and its dates."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    dates: str


def server_facts_untrusted(certificate: x509.Certificate) -> ServerFacts:
    """What can be read of a server's certificate."""
    return ServerFacts(
        subject=read_untrusted(lambda: certificate.subject.rfc4514_string()) or UNREADABLE,
        issuer=read_untrusted(lambda: certificate.issuer.rfc4514_string()) or UNREADABLE,
        names=read_untrusted(lambda: _alternative_names(certificate)) or (),
        dates=read_untrusted(lambda: _dates(certificate)) or UNREADABLE,
    )


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(one.value) for one in names)


def _dates(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"


def read_untrusted(read: Callable[[], _Value]) -> _Value | None:
    """What a library makes of a peer's bytes; None whatever it raises.

    That is ValueError, InvalidVersion, TypeError and what else it may be; and a panic of its Rust, which is no
    Exception (pyo3's PanicException), so that it would end the lab and not one connection.
    """
    try:
        return read()
    except Exception:
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None
