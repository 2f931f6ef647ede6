"""Holds what was seen against what a scenario expects."""

from __future__ import annotations

from collections.abc import Iterator

from tlslab.scenario.schema import Expectation
from tlslab.text import format_seconds, format_times
from tlslab.verify.observation import Observation

TOLERANCE_SECONDS = 1.0


def judge(expected: Expectation, seen: Observation, tolerance: float = TOLERANCE_SECONDS) -> list[str]:
    """Say each way in which `seen` is not what was expected; an empty list is agreement."""
    return list(_differences(expected, seen, tolerance))


def _differences(expected: Expectation, seen: Observation, tolerance: float) -> Iterator[str]:
    last = seen.last
    for number, outcome in enumerate(seen.outcomes[:-1], 1):
        if not outcome.kind[0].isdigit():
            yield f"step {number}: expected an answer, saw {outcome.kind}"
    if last.kind != expected.outcome:
        yield f"outcome: expected {expected.outcome}, saw {last.kind}"
    if expected.after is not None and abs(last.seconds - expected.after) > tolerance:
        yield f"after: expected {format_seconds(expected.after)}, saw {format_seconds(last.seconds)}"
    if expected.certificate is not None and _identity(last.certificate) != expected.certificate:
        yield f"certificate: expected {expected.certificate}, saw {_identity(last.certificate)}"
    if expected.resumed is not None and last.resumed is not expected.resumed:
        yield f"resumed: expected {expected.resumed}, saw {last.resumed}"
    if expected.arrivals is not None and expected.arrivals != seen.arrivals:
        yield f"arrivals: expected {format_times(expected.arrivals)}, saw {format_times(seen.arrivals)}"
    names = seen.event_names()
    yield from (f"events: expected {name}, which did not happen" for name in expected.events if name not in names)
    yield from (f"never: {name} happened" for name in expected.never if name in names)
    reasons = seen.httperr_reasons()
    if expected.httperr is not None and expected.httperr not in reasons:
        yield f"httperr: expected {expected.httperr}, saw {', '.join(reasons) or 'no line'}"
    if expected.messages is not None and list(expected.messages) != seen.messages():
        yield _first_difference(list(expected.messages), seen.messages())


def _identity(subject: str | None) -> str:
    return "none" if subject is None else subject.removeprefix("CN=").split(",")[0]


def _first_difference(expected: list[str], seen: list[str]) -> str:
    for number, (want, got) in enumerate(zip(expected, seen, strict=False), 1):
        if want != got:
            return f"messages: number {number} should be {want!r}, but is {got!r}"
    return f"messages: expected {len(expected)} of them, saw {len(seen)}: {', '.join(seen)}"
