"""Kinds of clients over real sockets: what was foreseen, and a promise that is not kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tlslab.client.kinds import OWN, client_kind
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.load import LoadedScenario
from tlslab.verify.probing import Probe

LIST = "ca-list-truncation"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def probe(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Callable[..., Probe]:
    """Return a function that makes a probe of a shipped scenario."""

    def make(name: str, *fixes: str) -> Probe:
        return Probe(shipped(name), fixes, {}, (), pki)

    return make


@pytest.mark.parametrize(
    ("kind", "fixes", "outcome", "symptom_seen"),
    [
        ("schannel", [], "403.7", True),
        ("openssl", [], "200", False),
        ("browser", [], "403.7", True),
        ("schannel", ["ctl-store"], "200", False),
    ],
)
def test_as_promised(probe, kind, fixes, outcome, symptom_seen):
    """The failure is seen by who goes by the list, not by who does not, and by nobody under the fix."""
    found = probe(LIST, *fixes).walk(client_kind(kind), None)
    assert (found.seen.last.kind, found.symptom_seen) == (outcome, symptom_seen)
    assert not found.differences
    assert found.logbook.decisions or kind == "openssl"


def test_a_promise_that_is_not_kept(probe):
    """A file whose symptom is another than what happens: each difference is said."""
    one = probe(LIST)
    symptom = one.loaded.scenario.symptom
    told = symptom.model_copy(update={"expect": symptom.expect.model_copy(update={"outcome": "reset"})})
    scenario = one.loaded.scenario.model_copy(update={"symptom": told})
    found = replace(one, loaded=replace(one.loaded, scenario=scenario)).walk(OWN, None)
    assert found.differences == ("outcome: expected reset, saw 403.7",)
    assert (found.promise.place, found.symptom_seen) == ("symptom", False)


def test_the_clock_runs_as_fast_as_it_suits(probe):
    """Two minutes take some five seconds, and what waits for nothing runs at its own pace."""
    foreseen = [probe(name).foresee(OWN) for name in ("large-post-deadlock", LIST)]
    assert [round(one.seconds) for one in foreseen] == [120, 0]
