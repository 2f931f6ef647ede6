"""Everything a scenario promises, as trials: the symptom, its further cases, every fix, and what defeats each fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tlslab.scenario.schema import Case, Expect, Fix, Scenario, Step


@dataclass(frozen=True, slots=True)
class Trial:
    """Steps to run against the lab with `fixes` and `overrides`, and what must be observed.

    `name` is the trial's place in the file: `symptom`, `cases.NAME`, `fixes.NAME` or `fixes.NAME.defeated_by.NAME`.
    """

    name: str
    title: str
    fixes: tuple[str, ...]
    overrides: Mapping[str, Any]
    client: tuple[Step, ...]
    expect: Expect


def trials(scenario: Scenario) -> Iterator[Trial]:
    """List the trials in the order of the file."""
    symptom = scenario.symptom.client or ()
    yield _trial("symptom", scenario.symptom, scenario.title, (), symptom)
    for name, case in scenario.cases.items():
        yield _trial(f"cases.{name}", case, name, (), symptom)
    for name, fix in scenario.fixes.items():
        client = fix.client or symptom
        # What a fix sets is laid over the scenario by naming it among the fixes, not a second time as overrides.
        yield Trial(f"fixes.{name}", fix.title, (name,), {}, client, fix.expect)
        yield from _defeats(f"fixes.{name}", fix, name, client)


def _defeats(place: str, fix: Fix, fix_name: str, client: tuple[Step, ...]) -> Iterator[Trial]:
    for name, case in fix.defeated_by.items():
        yield _trial(f"{place}.defeated_by.{name}", case, name, (fix_name,), client)


def _trial(place: str, case: Case, title: str, fixes: tuple[str, ...], client: tuple[Step, ...]) -> Trial:
    return Trial(place, case.title or title, fixes, case.set, case.client or client, case.expect)
