"""The small values that several rooms share."""

from __future__ import annotations

import dataclasses

import pytest

from tlslab.types import GOODBYE_SECONDS, LAST_WORDS_SECONDS, CertificateFacts, Drain, Reset, TlsFacts, Verdict

ALICE = CertificateFacts("CN=alice", "CN=CA", "ab", Verdict.TRUSTED)


@pytest.mark.parametrize("value", [ALICE, TlsFacts("TLS 1.2", "C", False, False, ALICE), Drain(1.0, 2), Reset()])
def test_values_are_equal_by_content(value):
    """Two of the same content are the same, and they may be shared and put into sets: mypy lets nobody change one."""
    assert dataclasses.replace(value) == value
    assert len({value, dataclasses.replace(value)}) == 1


def test_a_verdict_is_written_as_its_word():
    """Events and JSON carry it as text."""
    assert f"{Verdict.NOT_YET_VALID}" == "not_yet_valid"


def test_a_goodbye_has_time_for_three():
    """The timeline, a file and the summary may each wait for a reader that has stopped, and the lab ends in time."""
    assert 3 * LAST_WORDS_SECONDS < GOODBYE_SECONDS
