"""Reading a scenario file: every problem at once, each with the line and column it stands in."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tlslab.errors import Problem, ScenarioError, UsageProblem
from tlslab.scenario import catalogue, yaml_nodes
from tlslab.scenario.checks import cross_check
from tlslab.scenario.complaints import Complaint, complaints
from tlslab.scenario.files import decode, read
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import WINDOWS, Ground, with_profile
from tlslab.scenario.schema import Scenario
from tlslab.scenario.yaml_nodes import Node, Position


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A sound scenario.

    `data` is what fixes and `--set` are laid over: plain, with the profile's defaults. `ground` says what they may set.
    `said` is the same without those defaults.
    """

    name: str
    file: str
    scenario: Scenario
    data: dict[str, Any]
    ground: Ground = WINDOWS
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def another_windows(self) -> str | None:
        """The profile that stands in place of the file's own; None where it is the file's."""
        own = self.said.get("profile", self.scenario.profile)
        return None if self.scenario.profile == own else self.scenario.profile

    def on(self, profile: str) -> LoadedScenario:
        """The same on another Windows: what the file says stays, what it leaves out is that version's.

        Of the TLS versions that a binding is to speak those stay which that Windows knows. UsageProblem: there is no
        such profile, or no version is left.
        """
        return LoadedScenario(self.name, self.file, *_on(self, profile), self.ground, self.said)


def load(name_or_path: str, profile: str | None = None) -> LoadedScenario:
    """Read a scenario of the catalogue by its name, or any by its file; on another Windows where a `profile` is given.

    UsageProblem: there is no such scenario or profile, or the scenario cannot be had on that Windows. LabError: the
    file cannot be read. ScenarioError: what it says cannot be used.
    """
    loaded = load_scenario(catalogue.find(name_or_path))
    return loaded if profile is None else loaded.on(profile)


def load_scenario(path: Path) -> LoadedScenario:
    """Read a scenario file; its name is the file's without the suffix.

    LabError: the file cannot be read. ScenarioError: what it says cannot be used.
    """
    return parse_scenario(read(path), path.stem, str(path))


def parse_scenario(raw: bytes, name: str, file: str) -> LoadedScenario:
    """Read a scenario from the bytes of `file`. ScenarioError: every problem, in the order of the lines."""
    node, problems = yaml_nodes.parse(decode(raw, file), file)
    if node is None:
        raise ScenarioError(problems)
    data = node.plain()
    if not isinstance(data, dict):
        raise ScenarioError([*problems, Problem(file, *node.position, "a scenario is a mapping: key: value")])
    said, data = data, with_profile(data)
    scenario, wrong = _validate(data)
    wrong += cross_check(data, valid=scenario is not None)
    problems += [_problem(complaint, node, file) for complaint in wrong]
    if scenario is None or problems:
        unique = dict.fromkeys(problems)
        raise ScenarioError(sorted(unique, key=lambda problem: (problem.line, problem.column)))
    return LoadedScenario(name, file, scenario, data, said=said)


def _on(loaded: LoadedScenario, name: str) -> tuple[Scenario, dict[str, Any]]:
    known = loaded.ground.profiles
    if name not in known:
        raise UsageProblem(f"there is no profile {name!r}", suggestion(name, known))
    said = copy.deepcopy(dict(loaded.said)) | {"profile": name}
    for binding, model in said["bindings"].items():
        wanted = model.get("protocols")
        if wanted is None:
            continue
        model["protocols"] = [version for version in wanted if version in known[name].speaks]
        if not model["protocols"]:
            raise UsageProblem(
                f"{loaded.name} cannot be had as {known[name].title}: its binding {binding} speaks "
                f"{_listed(wanted)}, and that Windows knows {_listed(known[name].speaks)} alone",
                _fitting(loaded),
            )
    data = with_profile(said, loaded.ground)
    scenario, wrong = _validate(data)
    wrong += cross_check(data, valid=scenario is not None)
    if scenario is None or wrong:
        raise UsageProblem("\n".join(one.message for one in wrong), f"that is what {name} makes of {loaded.file}")
    return scenario, data


def _fitting(loaded: LoadedScenario) -> str:
    """Name the profiles that know a version of each binding that says which it speaks."""
    wanted = [set(model.get("protocols", ())) for model in loaded.said["bindings"].values()]
    fitting = [
        name
        for name, profile in loaded.ground.profiles.items()
        if all(not versions or versions.intersection(profile.speaks) for versions in wanted)
    ]
    return f"it can be had as {', '.join(fitting)}" if fitting else "no profile knows what its bindings speak"


def _listed(versions: Sequence[str]) -> str:
    return " and ".join(version.replace("TLS", "TLS ") for version in versions)


def _validate(data: dict[str, Any]) -> tuple[Scenario | None, list[Complaint]]:
    try:
        return Scenario.model_validate(data), []
    except ValidationError as error:
        return None, complaints(error, Scenario, data)


def _problem(complaint: Complaint, root: Node, file: str) -> Problem:
    # A lone surrogate would be text that no console can print.
    message = complaint.message.encode(errors="backslashreplace").decode()
    return Problem(file, *_position(complaint, root), message)


def _position(complaint: Complaint, root: Node) -> Position:
    """Where the value stands, or its key. A default of the profile stands where it would have to be written."""
    node = root
    for index, key in enumerate(complaint.keys):
        if complaint.on_key and index == len(complaint.keys) - 1 and str(key) in node.keys:
            return node.keys[str(key)]
        child = node.child(key)
        if child is None:
            break
        node = child
    return node.position
