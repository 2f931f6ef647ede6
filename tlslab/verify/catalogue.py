"""Verifies whole scenarios: which trials are taken, how often, and what follows from what was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache

from tlslab.lab.home import open_home
from tlslab.pki.store import Pki
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.schema import WritingStyle
from tlslab.verify.live import TrialResult, take
from tlslab.verify.trials import Trial, trials

CROWD = 1000  # so many other clients take seconds of CPU
AGAIN = 3  # times for what is not deterministic
SYMPTOM = "symptom"


@dataclass(frozen=True, slots=True)
class Job:
    """A trial to take once: of which scenario (a name or a file), which one, and how its client writes."""

    source: str
    trial: str
    style: WritingStyle


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """What came of a trial: how often it went as promised, of how many times, and how it differed."""

    trial: Trial
    as_promised: int
    times: int
    differences: tuple[str, ...]
    mends: bool  # a fix that sets something: the symptom was gone each time
    must_always: bool

    @property
    def is_kept(self) -> bool:
        """Whether the promise is: each time, or once at least where it is not deterministic."""
        return self.mends and (self.as_promised == self.times if self.must_always else self.as_promised > 0)


@dataclass(slots=True)
class ScenarioReport:
    """What came of a scenario; `skipped` are trials with the reason."""

    name: str
    verdicts: list[TrialVerdict] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether all of its promises are."""
        return all(one.is_kept for one in self.verdicts)


def verify(
    sources: Sequence[str],
    *,
    speed: float | None,
    crowds: bool,
    workers: int,
    progress: Callable[[str, int, int], None],
) -> Iterator[ScenarioReport]:
    """Take every trial of these scenarios, side by side in processes; a scenario's report comes when it is done.

    `crowds`: also what takes thousands of clients. `progress` gets a scenario's name, how many trials are done and how
    many there are. LabError: a scenario cannot be used.
    """
    loaded = {source: load(source) for source in sources}
    wanted = {source: list(_jobs(source, one, crowds=crowds)) for source, one in loaded.items()}
    seen: defaultdict[Job, list[TrialResult]] = defaultdict(list)
    open_home()  # made once, before all need it
    with ProcessPoolExecutor(workers) as pool:
        running: dict[Future[TrialResult], Job] = {}
        for job in (job for jobs in wanted.values() for job in jobs):
            running[pool.submit(_take, job, speed)] = job
        left = {source: len(jobs) for source, jobs in wanted.items()}
        for done, future in enumerate(as_completed(running), 1):
            job = running[future]
            seen[job].append(future.result())
            left[job.source] -= 1
            progress(loaded[job.source].name, done, len(running))
            if not left[job.source]:
                yield _report(job.source, loaded[job.source], seen, crowds=crowds)


def _jobs(source: str, loaded: LoadedScenario, *, crowds: bool) -> Iterator[Job]:
    for trial in trials(loaded.scenario):
        if _why_skipped(trial, crowds=crowds):
            continue
        for style in list(WritingStyle)[: 1 if _is_crowd(trial) else None]:
            for _ in range(1 if _must_always(loaded, trial) else AGAIN):
                yield Job(source, trial.name, style)


def _why_skipped(trial: Trial, *, crowds: bool) -> str:
    """Why a trial is not taken; "" where it is."""
    return "it takes thousands of clients: --all takes it, too" if _is_crowd(trial) and not crowds else ""


def _is_crowd(trial: Trial) -> bool:
    return sum(step.others for step in trial.client) >= CROWD


def _must_always(loaded: LoadedScenario, trial: Trial) -> bool:
    """Whether it goes the same way each time: a fix that is not certain is defeated as uncertainly."""
    return all(loaded.scenario.fixes[name].deterministic for name in trial.fixes)


def _report(
    source: str, loaded: LoadedScenario, seen: Mapping[Job, list[TrialResult]], *, crowds: bool
) -> ScenarioReport:
    report = ScenarioReport(loaded.name)
    for trial in trials(loaded.scenario):
        results = [one for style in WritingStyle for one in seen.get(Job(source, trial.name, style), [])]
        if not results:
            report.skipped[trial.name] = _why_skipped(trial, crowds=crowds)
            continue
        fix = loaded.scenario.fixes.get(trial.name.removeprefix("fixes."))
        differences = dict.fromkeys(text for one in results for text in one.differences)
        mends = not (fix is not None and fix.set and any(one.still_fails for one in results))
        if not mends:
            differences["under the fix the symptom is seen all the same"] = None
        kept = sum(not one.differences for one in results)
        report.verdicts.append(
            TrialVerdict(trial, kept, len(results), tuple(differences), mends, _must_always(loaded, trial))
        )
    return report


def _take(job: Job, speed: float | None) -> TrialResult:
    """In a process of the pool: take a trial."""
    loaded, pki = _known(job.source)
    by_name = {trial.name: trial for trial in trials(loaded.scenario)}
    return take(loaded, by_name[job.trial], by_name[SYMPTOM], job.style, pki, speed)


@cache
def _known(source: str) -> tuple[LoadedScenario, Pki]:
    return load(source), open_home()
