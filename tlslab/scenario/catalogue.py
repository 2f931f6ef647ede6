"""The scenarios that come with the lab: found by name or by symptom, and read only when asked for."""

from __future__ import annotations

from pathlib import Path

from tlslab.errors import UsageProblem
from tlslab.scenario.load import LoadedScenario, load_scenario
from tlslab.scenario.names import suggestion

SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Where the scenarios are: inside an installed package, else beside it in a checkout."""
    installed = _PACKAGE / "_scenarios"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def names() -> list[str]:
    """The names of the shipped scenarios, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def load(name_or_path: str) -> LoadedScenario:
    """Read a shipped scenario by its name, or any by its file: what ends in .yaml or .yml or has a separator in it.

    UsageProblem: there is no such scenario. LabError: the file cannot be read. ScenarioError: what it says cannot be
    used.
    """
    if name_or_path.endswith(SUFFIXES) or Path(name_or_path).name != name_or_path:
        return load_scenario(Path(name_or_path))
    known = names()
    if name_or_path not in known:
        raise UsageProblem(f"there is no scenario {name_or_path!r}", suggestion(name_or_path, known))
    return load_scenario(folder() / f"{name_or_path}.yaml")


def load_all() -> list[LoadedScenario]:
    """Read every shipped scenario."""
    return [load(name) for name in names()]


def find_by_symptom(text: str) -> list[LoadedScenario]:
    """Find the shipped scenarios one of whose symptoms has every word of `text` in it, whatever the case."""
    words = text.casefold().split()
    return [loaded for loaded in load_all() if any(_has(words, entry) for entry in loaded.scenario.symptoms)]


def _has(words: list[str], entry: str) -> bool:
    folded = entry.casefold()
    return all(word in folded for word in words)
