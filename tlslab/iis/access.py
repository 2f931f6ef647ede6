"""What IIS decides about a request from the path's `<access sslFlags>` and the client certificate."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from tlslab.iis.status import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_INCOMPLETE_CHAIN,
    CERTIFICATE_INVALID,
    CERTIFICATE_REQUIRED,
    CERTIFICATE_REVOCATION_OFFLINE,
    CERTIFICATE_UNTRUSTED,
    CERTIFICATE_WRONG_USAGE,
    OK,
    Status,
)
from tlslab.types import CertificateFacts, Verdict


class SslFlag(StrEnum):
    """The bits of applicationHost.config `<access sslFlags>` that concern certificates (iis-docs, access.md)."""

    SSL = "Ssl"
    SSL_NEGOTIATE_CERT = "SslNegotiateCert"
    SSL_REQUIRE_CERT = "SslRequireCert"


_REFUSED = {
    Verdict.UNTRUSTED: CERTIFICATE_UNTRUSTED,
    Verdict.INCOMPLETE_CHAIN: CERTIFICATE_INCOMPLETE_CHAIN,
    Verdict.EXPIRED: CERTIFICATE_EXPIRED,
    Verdict.NOT_YET_VALID: CERTIFICATE_EXPIRED,
    Verdict.WRONG_USAGE: CERTIFICATE_WRONG_USAGE,
    Verdict.REVOCATION_OFFLINE: CERTIFICATE_REVOCATION_OFFLINE,
    Verdict.INVALID: CERTIFICATE_INVALID,
}


def wants_certificate(flags: Collection[SslFlag]) -> bool:
    """Whether a request to this path needs the certificate fetched (IIS Manager: Accept or Require)."""
    return SslFlag.SSL_NEGOTIATE_CERT in flags or SslFlag.SSL_REQUIRE_CERT in flags


def refusal(flags: Collection[SslFlag], certificate: CertificateFacts | None) -> Status | None:
    """The status that refuses the request, or None to let it through.

    403.7 without a certificate where one is required; 403.16 and 403.17 for one that does not check out, also where
    it is only accepted (KB943891 for the codes).
    """
    if not wants_certificate(flags):
        return None
    if certificate is None:
        return CERTIFICATE_REQUIRED if SslFlag.SSL_REQUIRE_CERT in flags else None
    return _REFUSED.get(certificate.verdict)


def earns(verdict: Verdict) -> Status:
    """The status of a request whose certificate got this verdict, where the path wants one."""
    return _REFUSED.get(verdict, OK)
