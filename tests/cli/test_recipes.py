"""What is said of clients that the printed lines cannot be."""

from __future__ import annotations

import pytest

from tlslab.cli.recipes import beyond_clients
from tlslab.scenario.schema import Step

LEAVES = {"leaves_at": "certificate_request"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retries": 1, "sni": False, "filters_by_issuer": True, "renegotiation": "refuse"}, []),
        ({"renegotiation": "ignore"}, ["leaves, as lftp does; curl follows"]),
        ({"answers_after": "30s"}, ["takes 30 s to answer"]),
        (LEAVES | {"answers_after": "30s"}, ["comes back on another connection"]),
        ({"sends": "all"}, []),
        ({"relay": "8MiB", "body": "10MiB"}, ["a relay takes 8 MiB off its hands"]),
        ({"post_handshake_auth": False}, []),  # s_client does that
        ({"sends": "chain", "filters_by_usage": True}, ["meant for clients", "without the root; curl sends all"]),
    ],
)
def test_what_no_line_can_do(given, said):
    """It is said once, however many steps there are."""
    sentences = beyond_clients([Step.model_validate({"request": "POST /x", **given})] * 2)
    assert len(sentences) == len(said)
    assert all(part in sentence for part, sentence in zip(said, sentences, strict=True))
