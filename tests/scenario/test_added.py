"""A case or a fix may add a binding, and its steps go there; what takes one away is told where steps need it."""

from __future__ import annotations

import pytest

from tlslab.client.identities import People
from tlslab.errors import ScenarioError
from tlslab.scenario.build import build
from tlslab.scenario.load import parse_scenario
from tlslab.scenario.schema import WritingStyle
from tlslab.verify.memory import World
from tlslab.verify.trials import trials

ADDS = """\
    set: {bindings.fallback: {endpoint: "0.0.0.0:8444", certificate: expired}}
    client: [{request: POST /upload, binding: fallback}]
    expect: {outcome: alert}
"""
CASE = f"""\
cases:
  a-case:
{ADDS}fixes:
"""


@pytest.fixture
def scenario(sound):
    """Read the sound scenario, changed."""

    def changed(old: str, new: str):
        assert old in sound
        return parse_scenario(sound.replace(old, new).encode(), "small", "f.yaml")

    return changed


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("fixes:\n", CASE, "cases.a-case"),
        ("    set: {bindings.site.client_cert_negotiation: enable}\n    expect: {outcome: 200}\n", ADDS, "fixes.a-fix"),
    ],
)
def test_the_steps_go_to_what_was_added(scenario, pki, old, new, name):
    """The new binding listens, with the profile's defaults and a certificate of its own; the old one stays."""
    loaded = scenario(old, new)
    trial = next(one for one in trials(loaded.scenario) if one.name == name)
    plan = build(loaded, trial.fixes, trial.overrides, pki)
    assert [(one.host, one.port) for one in plan.listeners] == [("127.0.0.1", 8443), ("127.0.0.1", 8444)]
    seen = World(plan, People(pki), WritingStyle.READS_WHILE_WRITING).walk(trial.client)
    assert (seen.last.kind, {event.binding for event in seen.events} - {""}) == ("alert", {"fallback"})


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        (
            "set: {bindings: {other: {endpoint: '0.0.0.0:9443'}}}",
            "cases.c.set: takes away what symptom.client[0] goes to: there is no binding 'site'; known: other",
        ),
        (
            "set: {bindings.new: {protocols: [TLS1.2]}}",
            "cases.c.set: bindings.new: 'endpoint' is missing",
        ),
        (
            "set: {bindings.new.endpoint: '0.0.0.0:1'}",
            "cases.c.set: cannot set bindings.new.endpoint: there is no 'new' in bindings; known: site; to add one, "
            'set it whole: bindings.new={endpoint: "0.0.0.0:8444"}',
        ),
        (
            "client: [{request: GET /upload, binding: fallback}]",
            "cases.c.client[0].binding: there is no binding 'fallback'; known: site",
        ),
    ],
)
def test_what_cannot_be(scenario, case, wanted):
    """Each in words, in the case that it is in."""
    new = f"cases:\n  c:\n    {case}\n    expect: {{outcome: 200}}\nfixes:\n"
    with pytest.raises(ScenarioError) as caught:
        scenario_with_binding(scenario, new)
    assert wanted in str(caught.value)


def scenario_with_binding(scenario, cases: str):
    """The scenario whose symptom says where it goes, with these cases."""
    loaded = scenario("symptom:\n  client: [{request: POST /upload, body: 1MiB}]", SYMPTOM)
    assert loaded.scenario.symptom.client[0].binding == "site"
    return scenario(
        "symptom:\n  client: [{request: POST /upload, body: 1MiB}]\n  expect: {outcome: reset}\nfixes:\n",
        f"{SYMPTOM}\n  expect: {{outcome: reset}}\n{cases}",
    )


SYMPTOM = "symptom:\n  client: [{request: POST /upload, body: 1MiB, binding: site}]"
