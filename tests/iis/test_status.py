"""Status codes with their substatus."""

from __future__ import annotations

import pytest

from tlslab.iis import status
from tlslab.iis.status import Status

KNOWN = [value for value in vars(status).values() if isinstance(value, Status)]


@pytest.mark.parametrize("known", KNOWN, ids=str)
def test_a_refusal_says_what_to_try(known):
    """Each has a title, and each but 200 an advice."""
    assert known.title
    assert bool(known.advice) is (known.code != 200)


def test_the_codes():
    """As KB943891 has them: code and substatus, which pages and logs write with a dot between."""
    assert {str(known) for known in KNOWN} >= {
        "200.0",
        "403.7",
        "403.16",
        "403.17",
        "404.0",
        "405.0",
        "413.0",
        "500.0",
    }
    assert len({known.advice for known in KNOWN}) == len(KNOWN)  # 403.16 has four reasons


def test_the_windows_error_behind_a_status():
    """None where no document shows one, so that no log invents it."""
    shown = {str(known): known.win32 for known in KNOWN if known.win32 is not None}
    assert shown == {"200.0": 0, "403.7": 5, "403.16": 0x800B0109, "500.0": 50}
