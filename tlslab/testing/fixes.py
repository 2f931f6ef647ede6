"""The fixes of a scenario, for tests that are parametrized with them. It imports neither OpenSSL nor models."""

from __future__ import annotations

from tlslab.errors import Problem, ScenarioError, UsageProblem
from tlslab.scenario import catalogue, yaml_nodes
from tlslab.scenario.files import decode, read
from tlslab.scenario.names import suggestion

CHANGES = ("server-config", "server-code", "client-config", "client-code", "dns")


def tlslab_fixes(scenario: str, changes: str | None = None) -> list[str]:
    """Name the fixes of a scenario; with `changes` those that somebody makes there alone, such as `server-config`.

    UsageProblem: there is no such scenario, or nobody can change that. ScenarioError: it cannot be read.
    """
    if changes is not None and changes not in CHANGES:
        raise UsageProblem(f"no fix changes {changes!r}", suggestion(changes, CHANGES))
    return [name for name, changed in _fixes(scenario).items() if changes is None or changed == {changes}]


def _fixes(scenario: str) -> dict[str, set[str]]:
    path = catalogue.find(scenario)
    node, problems = yaml_nodes.parse(decode(read(path), str(path)), str(path))
    match None if node is None else node.plain():
        case {"fixes": dict(fixes)} if not problems:
            return {name: set(fix.get("changes", ())) for name, fix in fixes.items()}
    raise ScenarioError(problems or [Problem(str(path), 1, 1, "it has no fixes: tlslab validate says what is wrong")])
