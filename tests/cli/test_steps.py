"""A client's steps in words."""

from __future__ import annotations

from typing import Any

import pytest

from tlslab.cli.steps import step_in_words
from tlslab.scenario.schema import Step

LEAVES = {"leaves_at": "certificate_request"}


def step(**given: Any) -> Step:
    """A step of a scenario."""
    return Step.model_validate({"request": "POST /x", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"body": "1MiB", "same_connection": True}, ", 1 MiB, on the same connection"),
        ({"body": 9, "chunked": True, "pace": "64KiB"}, ", 9 bytes in chunks at 64 KiB a second"),
        ({"binding": "sts", "sni": False}, " to the binding sts, without a server name"),
        ({"sni": "b.test", "identity": "none"}, ", without a certificate, with the server name b.test"),
        ({"identity": "expired", "sends": "leaf"}, ", as expired, sending its certificate alone"),
        (
            {"filters_by_issuer": True, "filters_by_usage": True},
            ", choosing its certificate by issuer and usage",
        ),
        ({"renegotiation": "refuse"}, ", refusing to renegotiate"),
        ({"renegotiation": "ignore"}, ", taking no notice when it is asked to renegotiate"),
        ({"post_handshake_auth": False}, ", not offering to be asked for its certificate later"),
        ({"answers_after": "30s"}, ", with 30 s to answer the request for its certificate"),
        (LEAVES, ", leaving when it is asked for its certificate, and coming back with it"),
        ({"retries": 1, "gives_up_after": 7}, ", and once more if it is reset, giving up after 7 s"),
        ({"retries": 3}, ", and 3 times more if it is reset"),
        ({"expect_100": "1s"}, ', with "Expect: 100-continue"'),
        (
            {"others": 20, "wait": "6min", "resumes": True},
            ", after 20 other clients have come and gone, after 360 s, resuming the session of before",
        ),
    ],
)
def test_a_step_in_words(given, words):
    """The request first, then everything that is out of the ordinary."""
    assert step_in_words(step(**given)) == f"POST /x{words}"
