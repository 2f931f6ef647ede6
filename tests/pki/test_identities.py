"""The table of identities, what is issued for it, and the list of revoked certificates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.pki.authorities import make_authority
from tlslab.pki.identities import FIRST, IDENTITIES, issue_others, parse_revocations, revocations_json
from tlslab.types import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_there_is_one_for_every_verdict():
    """Whatever a server can say of a sound certificate some identity makes it say; each has its purpose in words."""
    assert {kind.verdict for kind in IDENTITIES.values()} == set(Verdict) - {
        Verdict.INVALID,
        Verdict.REVOCATION_OFFLINE,
    }  # no identity is at fault
    assert len({kind.purpose for kind in IDENTITIES.values()}) == len(IDENTITIES)
    assert next(iter(IDENTITIES)) == FIRST


def test_all_but_the_first_are_issued():
    """The suffix is in the names of the authorities that are made for them."""
    others = issue_others(make_authority("tlslab Client CA 1", NOW), "abcd", NOW)
    assert {FIRST, *others.credentials} == set(IDENTITIES)
    for authority in (others.intermediate, others.untrusted):
        assert authority.certificate.subject.rfc4514_string().endswith(" abcd")
    shown = {name: len(credential.chain) > 1 for name, credential in others.credentials.items()}
    assert shown == {name: IDENTITIES[name].shows_issuers for name in others.credentials}


def test_the_list_of_revoked_certificates_reads_back():
    """What was written is what is read."""
    revoked = issue_others(make_authority("CA", NOW), "1", NOW).credentials["revoked"].chain[0]
    (entry,) = parse_revocations(revocations_json(revoked, NOW))
    assert (entry.identity, entry.serial, entry.issuer, entry.since) == ("revoked", revoked.serial_number, "CN=CA", NOW)


@given(st.binary() | st.sampled_from([b"[1]", b"{}", b"[{}]", b'[{"serial": 1}]', b'[{"identity":1,"serial":"x"}]']))
def test_any_bytes_are_a_list_or_an_error(content):
    """Nothing but the errors that the store turns into words."""
    try:
        parse_revocations(content)
    except (ValueError, TypeError, KeyError):
        return


@pytest.mark.parametrize("content", [b"", b"[{}]", b"[1]", b"null", b'[{"identity": "x", "serial": 7}]'])
def test_what_is_no_list(content):
    """A list that says less than it must is refused."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse_revocations(content)
