"""Trials over real sockets: a promise that is kept, and scenarios that were broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tlslab.pki.store import Pki, open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.load import LoadedScenario, parse_scenario
from tlslab.scenario.schema import Expectation, WritingStyle
from tlslab.verify.live import TrialResult, speed_for, take
from tlslab.verify.trials import Trial, trials

RENEGOTIATION, DEADLOCK = "post-request-renegotiation", "large-post-deadlock"
STYLE = WritingStyle.READS_WHILE_WRITING
# It waits, and gives the upload up: for a client the same as a freeze, but short.
ACTED = """
format_version: 1
title: Not the deadlock
story: It only looks like one.
sources: [this test]
symptoms: [none]
profile: windows-server-2012-r2
bindings:
  site: {endpoint: "0.0.0.0:8443", client_cert_negotiation: disable, protocols: [TLS1.2]}
sites:
  - path: /upload
    ssl_flags: [Ssl, SslNegotiateCert, SslRequireCert]
    client_cert_retrieval: {kind: async_drain, buffer: 1KiB, max: 2KiB}
    application_delay: 1s
symptom:
  client: [{request: POST /upload, body: 1MiB}]
  expect: {outcome: reset, after: 1s, events: [EntityBodyStalled]}
fixes: {}
teach: Look at the wire.
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a lab."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def seen(pki: Pki) -> Callable[..., TrialResult]:
    """Take one trial of a shipped scenario in which some texts are others."""

    def run(name: str, trial: str, *changes: tuple[str, str]) -> TrialResult:
        text = (catalogue.folder() / f"{name}.yaml").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        loaded: LoadedScenario = parse_scenario(text.encode(), name, f"{name}.yaml")
        by_name: dict[str, Trial] = {one.name: one for one in trials(loaded.scenario)}
        return take(loaded, by_name[trial], by_name["symptom"], STYLE, pki, None)

    return run


def test_what_was_said_between_two_requests_is_sent(seen):
    """A HelloRequest that comes behind an answer is answered in front of the next request, and not lost on the way."""
    assert seen(DEADLOCK, "fixes.ask-after-response").differences == ()


def test_what_is_promised(seen):
    """The symptom is seen, and under the fix it is gone."""
    assert seen(RENEGOTIATION, "symptom") == TrialResult((), still_fails=True)
    assert seen(RENEGOTIATION, "fixes.negotiate-on-binding") == TrialResult((), still_fails=False)


def test_a_knob_that_is_not_set(seen):
    """Without what makes the failure it does not happen, and that is said."""
    broken = seen(RENEGOTIATION, "symptom", ("client_cert_negotiation: disable", "client_cert_negotiation: enable"))
    assert "outcome: expected reset, saw 200" in broken.differences


def test_a_fix_that_sets_something_else(seen):
    """A promise that is kept by nothing is not kept, and the symptom is seen all the same."""
    broken = seen(
        RENEGOTIATION,
        "fixes.negotiate-on-binding",
        ("bindings.site.client_cert_negotiation: enable", "capi2_operational_log: true"),
    )
    assert broken.still_fails
    assert broken.differences


def test_a_symptom_that_is_acted(pki):
    """A wait and a reset are no deadlock: what happened on the wire is not what is documented."""
    loaded = parse_scenario(ACTED.encode(), "acted", "acted.yaml")
    symptom = next(trials(loaded.scenario))
    acted = take(loaded, symptom, symptom, STYLE, pki, None)
    assert acted.differences == ("events: expected EntityBodyStalled, which did not happen",)


@pytest.mark.parametrize(
    ("expects", "speed"),
    [({"outcome": "200"}, 1), ({"outcome": "reset", "after": "120s"}, 24), ({"outcome": "200", "after": "2s"}, 1)],
)
def test_how_fast(expects, speed, shipped):
    """As fast as brings a trial down to five seconds, and no faster."""
    trial = next(trials(shipped(DEADLOCK).scenario))
    assert speed_for(Expectation.model_validate(expects), trial) == speed
