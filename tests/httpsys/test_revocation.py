"""How old the list of revoked certificates may be."""

from __future__ import annotations

import pytest

from tlslab.httpsys.revocation import RevocationList, checked
from tlslab.types import CertificateFacts, TlsFacts, Verdict

DAILY = RevocationList(3600.0, 86_400.0)


def facts(verdict: Verdict | None) -> TlsFacts:
    """A connection with a certificate of this verdict, or with none."""
    certificate = None if verdict is None else CertificateFacts("CN=alice", "CN=CA", "00", verdict)
    return TlsFacts("TLS 1.2", "x", resumed=False, renegotiated=False, client_certificate=certificate)


@pytest.mark.parametrize(
    ("now", "limit", "verdict"),
    [
        (0.0, 3600.0, "trusted"),
        (0.5, 3600.0, "revocation_offline"),
        (0.5, 7200.0, "trusted"),
        (80_000.0, 7200.0, "revocation_offline"),
        (82_800.0, 3600.0, "trusted"),  # the next one was published just now
    ],
)
def test_an_old_list(now, limit, verdict):
    """Older than the limit is offline, until the authority publishes the next."""
    seen = checked(facts(Verdict.TRUSTED), limit, DAILY, now)
    assert seen.client_certificate is not None
    assert seen.client_certificate.verdict == verdict


@pytest.mark.parametrize("verdict", [None, Verdict.EXPIRED, Verdict.UNTRUSTED])
def test_who_is_refused_for_something_else(verdict):
    """A certificate that is bad already stays what it is, and none stays none."""
    assert checked(facts(verdict), 1.0, DAILY, 50_000.0) == facts(verdict)
