"""The scenarios that come with the lab."""

from __future__ import annotations

import os

import pytest

from tlslab.errors import LabError, ScenarioError
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.verify.trials import trials


def test_names():
    """They are named by their files."""
    assert {"large-post-deadlock", "post-request-renegotiation"} <= set(catalogue.names())


@pytest.mark.parametrize("name", catalogue.names())
def test_every_shipped_scenario_can_be_built_in_all_its_trials(name, pki):
    """It loads, and every fix, case and defeat of it makes a plan."""
    loaded = load(name)
    seen = list(trials(loaded.scenario))
    assert seen[0].name == "symptom"
    for trial in seen:
        plan = build(loaded, trial.fixes, trial.overrides, pki)
        assert trial.client
        assert (plan.scenario, plan.fixes) == (name, trial.fixes)


def test_the_fixes_of_the_deadlock():
    """What the article says of each: which are recommended, and that only the binding is deterministic."""
    fixes = load("large-post-deadlock").scenario.fixes
    at_first = {"negotiate-on-binding", "dedicated-sni-name", "dedicated-address"}  # each asks when it opens
    recommended = {name for name, fix in fixes.items() if fix.recommended}
    assert recommended == at_first | {"prime-with-get", "prime-with-head"}
    assert {name for name, fix in fixes.items() if fix.deterministic} == at_first
    assert all(fix.deterministic or fix.defeated_by for fix in fixes.values())


def test_a_trial_inherits_the_steps(loaded):
    """A fix without steps of its own is tried with those of the symptom."""
    symptom, fix = trials(loaded.scenario)
    assert (symptom.name, fix.name, fix.fixes) == ("symptom", "fixes.a-fix", ("a-fix",))
    assert fix.client == symptom.client


def test_the_list_says_what_the_scenarios_say(shipped):
    """It is read without the models, and right all the same."""
    scenarios = {name: shipped(name).scenario for name in catalogue.names()}
    assert catalogue.listed() == [
        catalogue.Listed(name, one.title, one.symptoms, tuple(one.fixes), one.cause, one.tell_apart)
        for name, one in scenarios.items()
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: [", "this is not YAML"),
        ("title: A\nsymptoms: []\n", "cannot be listed: tlslab validate says what is wrong"),
        ("title: A\nsymptoms: []\nfixes: []\n", "cannot be listed"),
    ],
)
def test_what_cannot_be_listed(tmp_path, monkeypatch, text, said):
    """A damaged file of the catalogue is named, and what to do."""
    monkeypatch.setattr(catalogue, "folder", lambda: tmp_path)
    (tmp_path / "damaged.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=f"damaged.yaml:.*{said}"):
        catalogue.listed()


@pytest.mark.parametrize("text", ["small.yaml", os.path.join(".", "small")])
def test_a_file(tmp_path, monkeypatch, sound, text):
    """What ends in .yaml, or has a separator in it, is a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / text).write_text(sound, encoding="utf-8")
    assert load(text).name == "small"


def test_an_unknown_name():
    """The nearest names are offered."""
    with pytest.raises(LabError, match="there is no scenario 'large-post-dedlock'") as caught:
        load("large-post-dedlock")
    assert caught.value.hint == "did you mean large-post-deadlock?"
