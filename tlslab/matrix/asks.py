"""What a real client is asked to do: the requests of a trial, as far as any client can be told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Scenario, Step, WritingStyle
from tlslab.verify.trials import Trial, trials

# What makes a client another one (whether it renegotiates, what it sends) is the real client's own business. These are
# about the world around it, which no driver makes.
BEYOND = (
    "sni",
    "wait",
    "others",
    "resumes",
    "relay",
    "crosses_close",
    "token",
    "answers_after",
    "gives_up_after",
    "pace",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request: `body` in bytes; on the connection of the one before if `same_connection`."""

    method: str
    url: str
    body: int
    same_connection: bool
    expect_100: bool
    chunked: bool
    headers: Mapping[str, str]
    cert: str
    key: str
    pkcs12: str

    def as_json(self) -> dict[str, Any]:
        """What a driver's program reads."""
        return asdict(self)


def why_not(trial: Trial) -> str:
    """Why no real client can be told to take a trial; "" where it can."""
    defaults = Step.model_fields
    for step in trial.client:
        for name in BEYOND:
            if getattr(step, name) != defaults[name].default:
                return f"a step has {name}"
    return ""


def asks_of(trial: Trial, urls: Mapping[str | None, str], identities: Mapping[str, IdentityFiles]) -> list[Wanted]:
    """The requests of a trial, to a lab that is served at these URLs by binding."""
    return [_ask(step, urls[step.binding], identities.get(step.identity)) for step in trial.client]


def _ask(step: Step, url: str, files: IdentityFiles | None) -> Wanted:
    return Wanted(
        step.method,
        f"{url}{step.target}",
        step.body,
        step.same_connection,
        step.expect_100 is not None,
        step.chunked,
        dict(step.headers),
        "" if files is None else str(files.cert_file),
        "" if files is None else str(files.key_file),
        "" if files is None else str(files.pkcs12_file),
    )


def chosen(scenario: Scenario, *, every_fix: bool) -> Iterator[Trial]:
    """The symptom, and the fixes that are recommended and certain, or all of them."""
    for trial in trials(scenario):
        if trial.name == "symptom":
            yield trial
        elif trial.name.startswith("fixes.") and ".defeated_by." not in trial.name:
            fix = scenario.fixes[trial.name.removeprefix("fixes.")]
            if every_fix or (fix.recommended and fix.deterministic):
                yield trial


def promised(trial: Trial) -> Sequence[str]:
    """The outcomes that the scenario's file promises of its own client, in either style."""
    return sorted({trial.expect.for_style(style).outcome for style in WritingStyle})
