"""The scenarios that come with the lab, found by name.

To be found, a scenario is read as YAML and no further: whoever looks through the list waits for no models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlslab.errors import Problem, ScenarioError, UsageProblem
from tlslab.scenario import yaml_nodes
from tlslab.scenario.files import decode, read
from tlslab.scenario.names import suggestion

SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Listed:
    """What a scenario is listed by."""

    name: str
    title: str
    symptoms: tuple[str, ...]
    fixes: tuple[str, ...]
    cause: str | None = None
    tell_apart: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What a symptom that somebody has is compared with."""
        return (self.title, *self.symptoms, *([self.cause] if self.cause else []))


def folder() -> Path:
    """Where the scenarios are: inside an installed package, else beside it in a checkout."""
    installed = _PACKAGE / "_scenarios"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def names() -> list[str]:
    """The names of the shipped scenarios, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(name_or_path: str) -> Path:
    """Find the file of a shipped scenario; what ends in .yaml or .yml or has a separator in it is a file already.

    UsageProblem: there is no such scenario.
    """
    if name_or_path.endswith(SUFFIXES) or Path(name_or_path).name != name_or_path:
        return Path(name_or_path)
    known = names()
    if name_or_path not in known:
        raise UsageProblem(f"there is no scenario {name_or_path!r}", suggestion(name_or_path, known))
    return _file(name_or_path)


def listed() -> list[Listed]:
    """List every shipped scenario. ScenarioError: one cannot be listed."""
    return [_listed(_file(name)) for name in names()]


def described(name_or_path: str) -> Listed:
    """List one scenario, shipped or a file. UsageProblem: there is none. ScenarioError: it cannot be listed."""
    return _listed(find(name_or_path))


def _file(name: str) -> Path:
    return folder() / f"{name}.yaml"


def _listed(path: Path) -> Listed:
    name, file = path.stem, str(path)
    node, problems = yaml_nodes.parse(decode(read(path), file), file)
    match None if node is None else node.plain():
        case {"title": str(title), "symptoms": list(symptoms), "fixes": dict(fixes), **others} if not problems:
            cause, tell_apart = (_text(others.get(key)) for key in ("cause", "tell_apart"))
            return Listed(name, title, tuple(map(str, symptoms)), tuple(fixes), cause, tell_apart)
    raise ScenarioError(problems or [Problem(file, 1, 1, "cannot be listed: tlslab validate says what is wrong")])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
