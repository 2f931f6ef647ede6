"""Takes a trial over real sockets: a lab and its own client in one loop, under one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from tlslab.client.identities import People
from tlslab.client.logbook import Logbook
from tlslab.client.sockets import targets_of, walk
from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.core.plan import LabPlan
from tlslab.events import ALL, ConnectionClosed, ConnectionOpened, Event
from tlslab.net.bus import Bus, Watch
from tlslab.net.clock import RateClock
from tlslab.net.server import bind, close_all, serve
from tlslab.pki.store import Pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Expectation, Step, WritingStyle
from tlslab.verify.judge import TOLERANCE_SECONDS, judge
from tlslab.verify.observation import Observation
from tlslab.verify.trials import Trial

WALL_SECONDS = 5.0  # about what a trial takes, if it has to wait at all
LATE_SECONDS = 1.0  # of the wall's: how late a busy machine may be
GONE_SECONDS = 5.0  # how long the lab may take to notice that a client has gone: one that cannot send FIN is looked for
FAST = 500.0  # at more than that a second of the wall's is minutes
SLOWER = 4.0
TIMER_SECONDS = 120.0  # what a trial waits for where a timer has to run out and its file does not say when


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial once: each way in which it was not as promised.

    `still_fails`: the symptom's own expectation would be met, but for its time.
    """

    differences: tuple[str, ...]
    still_fails: bool


def speed_for(expected: Expectation, trial: Trial) -> float:
    """How fast the clock runs so that a trial takes some five seconds, or as long as it takes where it needs less."""
    waits = sum(step.wait for step in trial.client) + (expected.after or 0.0)
    if "TimerExpired" in expected.events:
        waits = max(waits, TIMER_SECONDS)
    return max(1.0, waits / WALL_SECONDS)


def take(
    loaded: LoadedScenario, trial: Trial, symptom: Trial, style: WritingStyle, pki: Pki, speed: float | None
) -> TrialResult:
    """Take a trial once, at the speed that suits it unless one is given. LabError: it cannot be served.

    At a speed that was chosen here it is taken again, more slowly, where it differs: a minute may have been 10 ms.
    """
    expected = trial.expect.for_style(style)
    plan = build(loaded, trial.fixes, trial.overrides, pki, port=0)
    if speed is not None:
        return _take(plan, trial, expected, symptom.expect.for_style(style), style, pki, speed)
    rate = speed_for(expected, trial)
    seen = _take(plan, trial, expected, symptom.expect.for_style(style), style, pki, rate)
    while seen.differences and rate > FAST:
        rate /= SLOWER
        seen = _take(plan, trial, expected, symptom.expect.for_style(style), style, pki, rate)
    return seen


def _take(
    plan: LabPlan,
    trial: Trial,
    expected: Expectation,
    symptom: Expectation,
    style: WritingStyle,
    pki: Pki,
    rate: float,
) -> TrialResult:
    seen = observe(plan, trial.client, style, People(pki), rate)
    late = max(TOLERANCE_SECONDS, LATE_SECONDS * rate)
    timeless = symptom.model_copy(update={"after": None})
    faults = [f"{name} happened" for name in ("InternalFault",) if name in seen.event_names()]
    return TrialResult((*judge(expected, seen, late), *faults), not judge(timeless, seen))


def observe(
    plan: LabPlan,
    steps: Sequence[Step],
    style: WritingStyle,
    people: People,
    speed: float,
    logbook: Logbook | None = None,
) -> Observation:
    """Serve a plan, take the steps, and say what was seen; `logbook` gets what their client saw."""
    events: list[Event] = []
    began: list[int] = []  # how many of them there were before each step
    bus = Bus()
    bus.record(ALL, events.append)
    watch = bus.watch({ConnectionOpened, ConnectionClosed})

    async def run() -> Observation:
        bound = bind(plan.listeners)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, Machine(plan, bus.wanted, patience=Patience(speed)), bound, bus)
                outcomes = await walk(
                    steps, targets_of(bound), people, style, lambda: began.append(len(events)), logbook
                )
                with trio.move_on_after(GONE_SECONDS * speed):
                    await _all_closed(watch)
                nursery.cancel_scope.cancel()
        finally:
            close_all(bound)
        return Observation(tuple(outcomes), tuple(events), began[-1])

    return trio.run(run, clock=RateClock(speed))


async def _all_closed(watch: Watch) -> None:
    """Wait until the lab, too, knows that all connections are over."""
    still_open = 0
    while True:
        changes = watch.take()
        still_open += sum(1 if isinstance(event, ConnectionOpened) else -1 for event in changes)
        if changes and not still_open:
            return
        await watch.wait()
