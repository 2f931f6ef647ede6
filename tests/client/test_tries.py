"""With which step a client comes back where one connection was not enough."""

from __future__ import annotations

import pytest

from tlslab.client.https import Outcome
from tlslab.client.tries import another_try
from tlslab.scenario.schema import Step

USUAL = {"request": "POST /x", "body": 9}
AGAIN = {"same_connection": False, "resumes": False, "others": 0, "wait": 0.0}


@pytest.mark.parametrize(
    ("given", "ended", "again"),
    [
        ({}, "reset", None),
        ({"retries": 2}, "reset", {"retries": 1}),
        ({"retries": 2, "same_connection": True, "wait": "5s", "resumes": True, "others": 3}, "reset", {"retries": 1}),
        ({"retries": 2}, "closed", None),
        ({"retries": 2}, "403.7", None),
        ({"retries": 2}, "gave_up", None),
        ({"leaves_at": "certificate_request"}, "left", {"leaves_at": None}),
        ({"leaves_at": "certificate_request"}, "200", None),
        (
            {"leaves_at": "certificate_request", "answers_after": "9s", "retries": 1},
            "left",
            {"leaves_at": None, "answers_after": 0.0, "wait": 9.0, "retries": 1},
        ),
    ],
)
def test_another_try(given, ended, again):
    """Who was reset comes back as often as it said, who left once, with its answer; the rest of the step stays."""
    step = Step.model_validate(USUAL | given)
    found = another_try(step, Outcome(ended, 0.0, 0.0))
    assert found == (None if again is None else step.model_copy(update=AGAIN | again))
