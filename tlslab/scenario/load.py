"""Reading a scenario file: every problem at once, each with the line and column it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tlslab.errors import Problem, ScenarioError
from tlslab.scenario import catalogue, yaml_nodes
from tlslab.scenario.checks import cross_check
from tlslab.scenario.complaints import Complaint, complaints
from tlslab.scenario.files import decode, read
from tlslab.scenario.overlay import WINDOWS, Ground, with_profile
from tlslab.scenario.schema import Scenario
from tlslab.scenario.yaml_nodes import Node, Position


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A sound scenario.

    `data` is what fixes and `--set` are laid over: plain, with the profile's defaults. `ground` says what they may set.
    """

    name: str
    file: str
    scenario: Scenario
    data: dict[str, Any]
    ground: Ground = WINDOWS


def load(name_or_path: str) -> LoadedScenario:
    """Read a scenario of the catalogue by its name, or any by its file.

    UsageProblem: there is no such scenario. LabError: the file cannot be read. ScenarioError: what it says cannot be
    used.
    """
    return load_scenario(catalogue.find(name_or_path))


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
    data = with_profile(data)
    scenario, wrong = _validate(data)
    wrong += cross_check(data, valid=scenario is not None)
    problems += [_problem(complaint, node, file) for complaint in wrong]
    if scenario is None or problems:
        unique = dict.fromkeys(problems)
        raise ScenarioError(sorted(unique, key=lambda problem: (problem.line, problem.column)))
    return LoadedScenario(name, file, scenario, data)


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
