"""Takes the steps of a scenario with one kind of client over real sockets, and holds what came of it to its promise.

What a scenario promises of a kind is what it promises of the same steps: those of its symptom, of one of its cases, or
of the fix. Of a kind of which its file does not speak, the promise is what the same steps come to in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlslab.client.choice import KeptBack
from tlslab.client.https import LEFT
from tlslab.client.identities import People
from tlslab.client.kinds import ClientKind
from tlslab.client.logbook import Logbook, Said
from tlslab.core.plan import LabPlan
from tlslab.events import CertificateRequested, CertificateUnavailable, Event, HelloRequestSent
from tlslab.pki.store import Pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Expectation, Step
from tlslab.verify.judge import TOLERANCE_SECONDS, judge
from tlslab.verify.live import FAST, LATE_SECONDS, SLOWER, WALL_SECONDS, observe
from tlslab.verify.memory import World
from tlslab.verify.observation import Observation
from tlslab.verify.trials import Trial, trials

SYMPTOM = "symptom"
LATER = 1.0  # seconds: what is over sooner is not told by when


@dataclass(frozen=True, slots=True)
class Promise:
    """What must be observed, and where the file says so: `symptom`, `cases.NAME` or `fixes.NAME`, "" for nowhere."""

    place: str
    title: str
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the steps of a kind come to in memory, after so many seconds of lab time, and what is promised of them."""

    plan: LabPlan
    steps: tuple[Step, ...]
    seen: Observation
    promise: Promise
    seconds: float


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of the steps of a kind; `symptom_seen`: what the symptom promises was seen, but for its time."""

    kind: ClientKind
    steps: tuple[Step, ...]
    speed: float
    seen: Observation
    logbook: Logbook
    promise: Promise
    differences: tuple[str, ...]
    symptom_seen: bool


@dataclass(frozen=True, slots=True)
class Probe:
    """A scenario with its fixes and settings, and what its clients hold beside the identity of each step."""

    loaded: LoadedScenario
    fixes: tuple[str, ...]
    overrides: Mapping[str, Any]
    holds: tuple[str, ...]
    pki: Pki

    def foresee(self, kind: ClientKind) -> Foreseen:
        """Take the steps as this kind takes them, in memory. LabError: it cannot be served."""
        plan = build(self.loaded, self.fixes, self.overrides, self.pki, port=0)
        steps = kind.laid_over(self._trial().client)
        logbook = Logbook()
        world = World(plan, self._people(kind, logbook), kind.style, logbook=logbook)
        seen = world.walk(steps)
        return Foreseen(plan, steps, seen, self._promise(kind, steps, seen, logbook), world.now)

    def walk(self, kind: ClientKind, speed: float | None) -> Probed:
        """Take them over real sockets, at the speed that suits them unless one is given.

        LabError: it cannot be served.
        """
        foreseen = self.foresee(kind)
        rate = speed or max(1.0, foreseen.seconds / WALL_SECONDS)
        while True:
            logbook = Logbook()
            people = self._people(kind, logbook)
            seen = observe(foreseen.plan, foreseen.steps, kind.style, people, rate, logbook)
            probed = self._judged(kind, foreseen, rate, seen, logbook)
            if not probed.differences or speed is not None or rate <= FAST:
                return probed
            rate /= SLOWER  # a minute may have been 10 ms

    def _people(self, kind: ClientKind, logbook: Logbook) -> People:
        return People(self.pki, kind.criteria, self.holds, logbook.decided)

    def _trials(self) -> dict[str, Trial]:
        return {trial.name: trial for trial in trials(self.loaded.scenario)}

    def _trial(self) -> Trial:
        """The trial whose steps are taken: the symptom's, or of the first fix that has its own."""
        own = [name for name in self.fixes if self.loaded.scenario.fixes[name].client is not None]
        return self._trials()[f"fixes.{own[0]}" if own else SYMPTOM]

    def _promise(self, kind: ClientKind, steps: tuple[Step, ...], foreseen: Observation, logbook: Logbook) -> Promise:
        if not self.overrides and not self.holds:
            taken = _without_effect_removed(steps, foreseen.events, logbook)
            for trial in self._trials().values():
                if self._is_of_this_server(trial) and trial.client in (steps, taken):
                    return Promise(trial.name, trial.title, trial.expect.for_style(kind.style))
        last = foreseen.last
        after = last.seconds if last.seconds > LATER else None
        certificate = last.certificate.removeprefix("CN=") if last.certificate else None
        expect = Expectation.model_validate({"outcome": last.kind, "after": after, "certificate": certificate})
        return Promise("", "", expect)

    def _is_of_this_server(self, trial: Trial) -> bool:
        """Whether a trial is taken with the settings that hold here: a fix may be its client's business alone."""
        fixes = self.loaded.scenario.fixes
        sets = tuple(name for name in trial.fixes if fixes[name].set)
        return sets == tuple(name for name in self.fixes if fixes[name].set) and not trial.overrides

    def _judged(self, kind: ClientKind, foreseen: Foreseen, rate: float, seen: Observation, logbook: Logbook) -> Probed:
        late = max(TOLERANCE_SECONDS, LATE_SECONDS * rate)
        faults = [f"{name} happened" for name in ("InternalFault",) if name in seen.event_names()]
        differences = (*judge(foreseen.promise.expect, seen, late), *faults)
        symptom_seen = self.shows_symptom(kind, seen)
        return Probed(kind, foreseen.steps, rate, seen, logbook, foreseen.promise, differences, symptom_seen)

    def shows_symptom(self, kind: ClientKind, seen: Observation) -> bool:
        """Whether what the symptom promises was seen, but for its time."""
        symptom = self._trials()[SYMPTOM].expect.for_style(kind.style)
        return not judge(symptom.model_copy(update={"after": None}), seen)


def _without_effect_removed(steps: Sequence[Step], events: Sequence[Event], logbook: Logbook) -> tuple[Step, ...]:
    """The steps without those ways of a client that made no difference: nobody asked, or it had nothing to choose."""
    asked = any(isinstance(event, CertificateRequested) for event in events)
    renegotiated = any(isinstance(event, HelloRequestSent) for event in events)
    later = any(isinstance(event, CertificateUnavailable) for event in events) or (asked and not renegotiated)
    left = any(one.what is Said.END and one.name == LEFT for one in logbook.passed)
    was_reset = any(one.what is Said.RESET for one in logbook.passed)
    kept_back = {why for _, decision in logbook.decisions for why in decision.kept_back.values()}
    usual: dict[str, object] = {}
    if KeptBack.ISSUER not in kept_back:
        usual |= {"filters_by_issuer": False}
    if KeptBack.USAGE not in kept_back:
        usual |= {"filters_by_usage": False}
    if not renegotiated:
        usual |= {"renegotiation": "accept"}
    if not later:
        usual |= {"post_handshake_auth": True}
    if not left:
        usual |= {"leaves_at": None}
    if not was_reset:
        usual |= {"retries": 0}
    return tuple(step.model_copy(update=usual) for step in steps)
