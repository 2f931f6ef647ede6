"""A scenario on another Windows: what the file says stays, what it leaves out is that version's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tlslab.client.identities import People
from tlslab.errors import UsageProblem
from tlslab.events import SessionNotResumed, SessionResumed
from tlslab.pki.store import open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import load, parse_scenario
from tlslab.scenario.schema import WritingStyle
from tlslab.schannel.profiles import PROFILES
from tlslab.verify.memory import World

PURGED = b"""\
format_version: 1
title: T
story: S
sources: [here]
symptoms: [x]
profile: windows-server-2003
bindings: {site: {endpoint: "0.0.0.0:8443"}}
sites: [{path: /a, ssl_flags: [Ssl]}]
symptom:
  client: [{request: GET /a}, {request: GET /a, wait: 6min, resumes: true}]
  expect: {outcome: 200, resumed: false}
fixes: {}
teach: T
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.mark.parametrize(
    ("profile", "seen"), [("windows-server-2003", SessionNotResumed), ("windows-server-2008-r2", SessionResumed)]
)
def test_what_the_file_leaves_out_is_that_versions(pki, profile, seen):
    """IIS 6 forgets a session in five idle minutes, and its successor does not: the same file shows both."""
    loaded = parse_scenario(PURGED, "purged", "f.yaml").on(profile)
    world = World(build(loaded, (), {}, pki), People(pki), WritingStyle.READS_WHILE_WRITING)
    observed = world.walk(loaded.scenario.symptom.client or ())
    assert [type(event) for event in observed.events if isinstance(event, SessionNotResumed | SessionResumed)] == [seen]


def test_what_the_file_says_stays():
    """Its own values are no defaults; of the versions of TLS that it names those stay which that Windows knows."""
    loaded = load("large-post-deadlock", "windows-server-2025")
    assert (loaded.another_windows, loaded.scenario.profile) == ("windows-server-2025", "windows-server-2025")
    assert {model.protocols for model in loaded.scenario.bindings.values()} == {("TLS1.2",)}
    assert loaded.scenario.on_unavailable == "status_500"
    assert load("large-post-deadlock").another_windows is None
    both = PURGED.replace(b'8443"', b'8443", protocols: [TLS1.0, TLS1.3]')
    found = {name: parse_scenario(both, "both", "f").on(name) for name in PROFILES}
    protocols = {name: loaded.scenario.bindings["site"].protocols for name, loaded in found.items()}
    assert protocols["windows-server-2012-r2"] == ("TLS1.0",)
    assert protocols["windows-server-2022"] == ("TLS1.0", "TLS1.3")


@pytest.mark.parametrize(
    ("name", "profile", "message", "hint"),
    [
        (
            "large-post-deadlock",
            "windows-server-2003",
            "large-post-deadlock cannot be had as Windows Server 2003 (IIS 6.0): its binding site speaks TLS 1.2, and "
            "that Windows knows TLS 1.0 alone",
            "it can be had as windows-server-2008-r2, windows-server-2012-r2, windows-server-2022, windows-server-2025",
        ),
        ("stale-binding", "windows-server-2202", "there is no profile 'windows-server-2202'", "windows-server-2022"),
    ],
)
def test_what_cannot_be_had(name, profile, message, hint):
    """It is refused in a sentence that says which can."""
    with pytest.raises(UsageProblem) as caught:
        load(name, profile)
    assert str(caught.value) == message
    assert hint in caught.value.hint


@pytest.mark.soak
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", catalogue.names())
def test_every_scenario_on_every_windows(pki, name, profile):
    """Each is built, or refused in words; on its own Windows it is what it was."""
    own = load(name)
    versions = [set(model.get("protocols", ())) for model in own.said["bindings"].values()]
    if all(not wanted or wanted & set(PROFILES[profile].speaks) for wanted in versions):
        loaded = load(name, profile)
        assert build(loaded, (), {}, pki).listeners
        assert (loaded.scenario == own.scenario) is (profile == own.scenario.profile)
    else:
        with pytest.raises(UsageProblem, match="cannot be had as"):
            load(name, profile)


def test_a_profile_knows_what_it_speaks_by_default():
    """Every version that is on from the start is one that there is."""
    for profile in PROFILES.values():
        default: Any = profile.defaults["bindings.*.protocols"].value
        assert set(default) <= set(profile.speaks)
