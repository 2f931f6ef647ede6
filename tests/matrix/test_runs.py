"""Two real clients through two scenarios."""

from __future__ import annotations

import pytest

from tlslab.matrix.drivers import curl, scripts
from tlslab.matrix.runs import OfClient, Played, Skipped, play_all

pytestmark = pytest.mark.client
HTTP_CLIENT = next(one for one in scripts.DRIVERS if one.name == "http.client")


def test_a_freeze_and_its_cure(require_client, home):
    """Both freeze, each says so in its own words, and both get in where the certificate is asked for at the start."""
    require_client("curl")
    told: list[OfClient] = []
    drivers = [*curl.DRIVERS, HTTP_CLIENT]
    names = ["large-post-deadlock", "sni-missing"]
    results = play_all(drivers, names, every_fix=False, speed=None, workers=2, told=told.append)
    assert len(told) == len(results)
    mine = {(one.client, one.trial): one for one in results if isinstance(one, Played) and one.scenario == names[0]}
    for client, words in (("curl", "Connection reset by peer"), ("http.client", "RemoteDisconnected")):
        frozen, cured = mine[client, "symptom"], mine[client, "fixes.negotiate-on-binding"]
        assert (frozen.seen, frozen.said.status, cured.seen, cured.said.status) == ("reset", "", "200", "200")
        assert words in frozen.said.error
        assert frozen.is_as_promised
        assert cured.is_as_promised
    skipped = {one.why for one in results if isinstance(one, Skipped) and one.scenario == names[1]}
    assert "a step has sni" in skipped
