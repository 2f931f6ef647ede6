"""Every promise of every scenario, in memory under a clock that jumps: each trial is a test, in both writing styles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tlslab.client.identities import People
from tlslab.core.plan import LabPlan
from tlslab.events import ClientHelloReceived
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.schema import WritingStyle
from tlslab.verify.judge import judge
from tlslab.verify.memory import World
from tlslab.verify.observation import Observation
from tlslab.verify.trials import Trial, trials

SCENARIOS = {name: load(name) for name in catalogue.names()}
TRIALS = [(loaded, trial) for loaded in SCENARIOS.values() for trial in trials(loaded.scenario)]
SETTING_FIXES = [
    (loaded, name, fix.client or loaded.scenario.symptom.client)
    for loaded in SCENARIOS.values()
    for name, fix in loaded.scenario.fixes.items()
    if fix.set
]
STYLES = [pytest.param(style, id=style.value) for style in WritingStyle]
Observe = Callable[[LoadedScenario, Trial, WritingStyle], Observation]
CROWD = 1000  # with as many other clients a trial takes seconds, and the style of the one makes no difference


def _cases() -> Iterator[Any]:
    for loaded, trial in TRIALS:
        crowded = sum(step.others for step in trial.client) >= CROWD
        for style in list(WritingStyle)[: 1 if crowded else None]:
            marks = [pytest.mark.soak] if crowded else []
            yield pytest.param(loaded, trial, style, id=f"{loaded.name}-{trial.name}-{style.value}", marks=marks)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture(scope="module")
def observe(pki: Pki) -> Observe:
    """Return a function that runs a trial, once: two tests look at that of a fix, and both styles need one plan."""
    plans: dict[tuple[str, str], LabPlan] = {}
    seen: dict[tuple[str, str, WritingStyle], Observation] = {}

    def run(loaded: LoadedScenario, trial: Trial, style: WritingStyle) -> Observation:
        key = (loaded.name, trial.name)
        if key not in plans:
            plans[key] = build(loaded, trial.fixes, trial.overrides, pki)
        if (*key, style) not in seen:
            seen[*key, style] = World(plans[key], People(pki), style).walk(trial.client)
        return seen[*key, style]

    return run


@pytest.mark.parametrize(("loaded", "trial", "style"), list(_cases()))
def test_the_trial_goes_as_the_scenario_says(
    loaded: LoadedScenario, trial: Trial, observe: Observe, style: WritingStyle
) -> None:
    """What a scenario says of its symptom, its cases, its fixes and what defeats them is what happens."""
    seen = observe(loaded, trial, style)
    assert judge(trial.expect.for_style(style), seen) == []
    assert "InternalFault" not in seen.event_names()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("loaded", "fix", "steps"), SETTING_FIXES, ids=[f"{one.name}-{fix}" for one, fix, _ in SETTING_FIXES]
)
def test_the_symptom_is_gone_under_a_fix(
    loaded: LoadedScenario, fix: str, steps: tuple[object, ...], observe: Observe, style: WritingStyle
) -> None:
    """The contrast: under a fix that sets knobs, the symptom's own expectation fails."""
    symptom = next(trials(loaded.scenario))
    mended = next(trial for trial in trials(loaded.scenario) if trial.name == f"fixes.{fix}")
    seen = observe(loaded, mended, style)
    assert judge(symptom.expect.for_style(style), seen) != []


def test_a_freeze_leaves_the_hello_behind_the_body(observe: Observe) -> None:
    """The freeze is real: the server reads on after a minute, and finds the ClientHello behind the whole body."""
    loaded = SCENARIOS["large-post-deadlock"]
    trial = next(one for one in trials(loaded.scenario) if one.name == "cases.it-is-real")
    seen = observe(loaded, trial, WritingStyle.WRITES_EVERYTHING)
    hello = [event for event in seen.events if isinstance(event, ClientHelloReceived)][-1]
    assert hello.behind_body_bytes == 2**20
    assert hello.at == pytest.approx(60.0, abs=1.0)
