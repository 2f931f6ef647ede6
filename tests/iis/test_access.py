"""What `<access sslFlags>` makes of a client certificate, or of none."""

from __future__ import annotations

import pytest

from tlslab.iis.access import SslFlag, earns, refusal, wants_certificate
from tlslab.iis.status import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_INCOMPLETE_CHAIN,
    CERTIFICATE_INVALID,
    CERTIFICATE_REQUIRED,
    CERTIFICATE_UNTRUSTED,
    CERTIFICATE_WRONG_USAGE,
    OK,
)
from tlslab.types import CertificateFacts, Verdict

SSL, NEGOTIATE, REQUIRE = SslFlag.SSL, SslFlag.SSL_NEGOTIATE_CERT, SslFlag.SSL_REQUIRE_CERT


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ((), False),
        ((SSL,), False),
        ((NEGOTIATE,), True),
        ((REQUIRE,), True),
        ((SSL, NEGOTIATE), True),
        ((SSL, NEGOTIATE, REQUIRE), True),
    ],
)
def test_who_wants_a_certificate(flags, wanted):
    """Accept and Require fetch it; Ssl alone does not."""
    assert wants_certificate(flags) is wanted


@pytest.mark.parametrize(
    ("flags", "verdict", "status"),
    [
        ((SSL,), None, None),
        ((NEGOTIATE,), None, None),
        ((REQUIRE,), None, "403.7"),
        ((NEGOTIATE, REQUIRE), None, "403.7"),
        ((REQUIRE,), Verdict.TRUSTED, None),
        ((REQUIRE,), Verdict.UNTRUSTED, "403.16"),
        ((REQUIRE,), Verdict.INCOMPLETE_CHAIN, "403.16"),
        ((REQUIRE,), Verdict.EXPIRED, "403.17"),
        ((REQUIRE,), Verdict.NOT_YET_VALID, "403.17"),
        ((REQUIRE,), Verdict.WRONG_USAGE, "403.16"),
        ((REQUIRE,), Verdict.INVALID, "403.16"),
        ((NEGOTIATE,), Verdict.TRUSTED, None),
        ((NEGOTIATE,), Verdict.UNTRUSTED, "403.16"),
        ((NEGOTIATE,), Verdict.INCOMPLETE_CHAIN, "403.16"),
        ((NEGOTIATE,), Verdict.EXPIRED, "403.17"),
        ((NEGOTIATE,), Verdict.WRONG_USAGE, "403.16"),
        ((SSL,), Verdict.UNTRUSTED, None),
        ((), Verdict.EXPIRED, None),
    ],
)
def test_refusals(flags, verdict, status):
    """None is refused where one is required; a bad one also where it is only accepted; elsewhere nobody looks."""
    certificate = None if verdict is None else CertificateFacts("CN=alice", "CN=CA", "ab", verdict)
    got = refusal(flags, certificate)
    assert (str(got) if got else None) == status


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_earns_a_status(verdict):
    """200 for a trusted certificate alone; for every other what refuses it, with its own advice."""
    certificate = CertificateFacts("CN=alice", "CN=CA", "ab", verdict)
    assert earns(verdict) is (refusal((REQUIRE,), certificate) or OK)
    assert (earns(verdict) is OK) == (verdict is Verdict.TRUSTED)


def test_what_the_log_says_beside_a_status():
    """sc-win32-status where a document shows the value, and None where none does: of the 403.16 one alone."""
    assert CERTIFICATE_REQUIRED.win32 == 5
    assert CERTIFICATE_UNTRUSTED.win32 == 0x800B0109
    unknown = (CERTIFICATE_INCOMPLETE_CHAIN, CERTIFICATE_INVALID, CERTIFICATE_WRONG_USAGE, CERTIFICATE_EXPIRED)
    assert [status.win32 for status in unknown] == [None] * 4


def test_flags_are_written_as_in_the_configuration():
    """The words of applicationHost.config."""
    assert [str(flag) for flag in SslFlag] == ["Ssl", "SslNegotiateCert", "SslRequireCert"]
