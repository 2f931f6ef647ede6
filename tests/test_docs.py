"""The documentation speaks of commands, options, files, keys and tables that exist, and shows them as they are."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from tlslab.cli import COMMANDS, main
from tlslab.client.identities import People
from tlslab.core.settings import Site
from tlslab.httpsys.client_certificate import Retrieval
from tlslab.httpsys.timers import Timers
from tlslab.lab.verdicts import status_of
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario, parse_scenario
from tlslab.scenario.overlay import parse_set, resolve
from tlslab.scenario.schema import (
    BindingModel,
    Case,
    Expectation,
    ExpectationByStyle,
    Fix,
    Scenario,
    Step,
    WritingStyle,
)
from tlslab.scenario.stores import Roots, Store
from tlslab.scenario.windows_names import understood
from tlslab.verify.judge import judge
from tlslab.verify.memory import World
from tlslab.verify.trials import Trial, trials

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Options that pages name by themselves and that belong to other programs.
FOREIGN = {"--cacert", "--cert", "--cert-type", "--key", "--ssl-revoke-best-effort", "--ssl-no-revoke", "--version"}
FOREIGN |= {"--next", "--tries", "--networking-mode"}
FOREIGN |= {"--tlslab-artifacts"}  # of pytest, by our plugin
FOREIGN |= {"--cap-drop", "--init", "--network", "--read-only"}  # of podman and docker


def _commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {name: command for name in COMMANDS if (command := main.get_command(context, name)) is not None}


def _options(command: click.Command) -> set[str]:
    """The options of a command, and of the commands below it."""
    own = {"--help", "-h"}.union(*(parameter.opts for parameter in command.params))
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(_options, below))


OPTIONS = {name: _options(command) for name, command in _commands().items()}


def _code(page: str) -> list[str]:
    """Every line of code of a page: fenced ones with continuations joined, and spans within the text."""
    text = PAGES[page]
    fenced = "\n".join(FENCE.findall(text)).replace("\\\n", " ").splitlines()
    return fenced + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def _calls(page: str) -> list[list[str]]:
    """Each call of `tlslab` on a page, as words; ARGS="..." of make is one too, and `--set PATH=VALUE` alone."""
    lines = [
        re.sub("^--set ", "tlslab serve --set ", line)
        .replace("make serve", "tlslab serve")
        .replace("SCENARIO=", "--scenario ")
        .replace("ARGS=", "")
        for line in _code(page)
        if re.search(r"(?<!from )\btlslab [a-z]|make serve|^--set ", line)
    ]
    lines = [line[line.index("tlslab ") :].replace('"--', "--") for line in lines if "tlslab " in line]
    return [words[1:] for line in lines if (words := _words(line))[1:2]]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an odd quote: half of make's ARGS="..."
        return line.replace('"', "").split()


@EVERY_PAGE
def test_every_command_and_option_exists(page: str) -> None:
    """What a page tells people to type is understood."""
    for name, *rest in _calls(page):
        assert name in OPTIONS, name
        assert {word for word in rest if re.fullmatch(r"--[a-z-]+", word)} <= OPTIONS[name], rest


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_no_markup(name: str) -> None:
    """The help of a command is for people: click's mark for lines that stay apart is not shown."""
    command = _commands()[name]
    assert "\\b" not in command.get_help(click.Context(command))


@EVERY_PAGE
def test_every_option_named_alone_exists(page: str) -> None:
    """An option in the text, without its command, is one of some command, or another program's that we know."""
    named = {match[0] for code in _code(page) if (match := re.match(r"--[a-z][a-z-]*", code))}
    assert named <= set().union(*OPTIONS.values()) | FOREIGN


@EVERY_PAGE
def test_every_scenario_fix_and_path_exists(page: str, shipped: Callable[[str], LoadedScenario]) -> None:
    """Scenarios, fixes and the paths of --set in commands are those of the catalogue."""
    for words in _calls(page):
        given = [(words[i], words[i + 1]) for i in range(len(words) - 1) if words[i].startswith("--")]
        names = [value for option, value in given if option == "--scenario" and value in catalogue.names()]
        names += [word for word in words[1:2] if word in catalogue.names()]
        loaded = shipped(names[0] if names else "large-post-deadlock")
        for option, value in given:
            if option == "--scenario":
                assert value in catalogue.names() or value.endswith(".yaml") or value.isupper(), value
            elif option == "--fix" and not value.isupper():
                assert value in loaded.scenario.fixes, value
            elif option == "--set" and not value.startswith("PATH"):
                [path] = understood(loaded.data, dict([parse_set(value)]))
                resolve(loaded.data, path)


@EVERY_PAGE
def test_every_make_target_exists(page: str) -> None:
    """`make X` on a page is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    called = {match[1] for line in _code(page) if (match := re.match(r"make ([a-z]+)", line))}
    assert called <= targets


@EVERY_PAGE
def test_every_link_leads_to_a_file(page: str) -> None:
    """Links within the project are relative, and their files are there."""
    links = re.findall(r"\]\(([^)#:]+)\)", PAGES[page])
    assert [link for link in links if not ((ROOT / page).parent / link).is_file()] == []


# --- architecture.md -------------------------------------------------------------------------------------------


def test_what_is_made_of_tables_is_current() -> None:
    """docs/architecture.md shows the state machines and the import table as they are: `make docs` writes them."""
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    shown = re.findall(r"<!-- made of (\S+) by make docs -->", PAGES["docs/architecture.md"])
    assert sorted(shown) == sorted(tables["BLOCKS"])
    assert tables["page"]() == PAGES["docs/architecture.md"]


# --- symptoms.md -----------------------------------------------------------------------------------------------


def test_the_page_of_symptoms_is_current() -> None:
    """docs/symptoms.md says what the scenarios say, each with its cause and its neighbours: `make docs` writes it."""
    made = runpy.run_path(str(ROOT / "docs" / "symptoms.py"))
    assert made["page"]() == PAGES["docs/symptoms.md"]
    assert [one.name for one in catalogue.listed() if not (one.cause and one.tell_apart)] == []
    assert " |  |" not in PAGES["docs/symptoms.md"]  # a row that no scenario has


# --- events.md -------------------------------------------------------------------------------------------------


def test_every_event_is_explained() -> None:
    """docs/events.md and docs/events.schema.json show every event as it is: `make docs` writes both."""
    script = runpy.run_path(str(ROOT / "docs" / "events.py"))
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
    assert schema == script["events_schema"]()
    assert PAGES["docs/events.md"] == script["page"](schema)


# --- clients.md ------------------------------------------------------------------------------------------------


def test_the_table_of_clients_is_current() -> None:
    """docs/clients.md shows what tests/clients holds of each."""
    script = runpy.run_path(str(ROOT / "docs" / "clients.py"))
    assert script["page"]() == PAGES["docs/clients.md"]
    assert PAGES["docs/clients.md"].count(" | follows | ") > 3


def test_the_tables_of_kinds_are_current() -> None:
    """docs/clients-of-the-lab.md shows every kind as it is."""
    script = runpy.run_path(str(ROOT / "docs" / "kinds.py"))
    assert script["page"]() == PAGES["docs/clients-of-the-lab.md"]
    assert PAGES["docs/clients-of-the-lab.md"].count("documented, not measured") == 1


@pytest.mark.soak
def test_what_becomes_of_each_kind_is_current(pki: Pki) -> None:
    """The table of outcomes is what each scenario's steps come to in memory."""
    script = runpy.run_path(str(ROOT / "docs" / "kinds.py"))
    assert script["page"](pki) == PAGES["docs/clients-of-the-lab.md"]


# --- identities.md ---------------------------------------------------------------------------------------------


def test_every_identity_is_explained() -> None:
    """docs/identities.md has the table that the PKI is made from, and what each identity earns."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ([\d.]+) \| (.+) \|$", PAGES["docs/identities.md"], re.MULTILINE)
    assert rows == [(name, status_of(name), kind.purpose) for name, kind in IDENTITIES.items()]


# --- scenario-files.md -----------------------------------------------------------------------------------------

SCENARIO_PAGE = "docs/scenario-files.md"
EXAMPLE = next(block for block in FENCE.findall(PAGES[SCENARIO_PAGE]) if "format_version" in block)


@pytest.fixture(scope="module")
def example() -> LoadedScenario:
    """The page's complete example."""
    return parse_scenario(EXAMPLE.encode(), "nightly", "nightly.yaml")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.mark.parametrize("style", list(WritingStyle))
def test_the_example_keeps_its_promises(example: LoadedScenario, pki: Pki, style: WritingStyle) -> None:
    """What the example says of its symptom, case, fixes and defeat is what happens."""

    def differences(trial: Trial) -> list[str]:
        plan = build(example, trial.fixes, trial.overrides, pki)
        return judge(trial.expect.for_style(style), World(plan, People(pki), style).walk(trial.client))

    assert {trial.name: found for trial in trials(example.scenario) if (found := differences(trial))} == {}


def test_the_table_of_knobs_is_current() -> None:
    """The page shows what each knob says of itself."""
    script = runpy.run_path(str(ROOT / "docs" / "knobs.py"))
    found = script["BLOCK"].search(PAGES[SCENARIO_PAGE])
    assert found is not None
    assert found[0] == f"{found[1]}{script['table']()}{found[2]}"


@pytest.mark.parametrize(
    "model", [Scenario, BindingModel, Site, Timers, Store, Roots, Step, Expectation, ExpectationByStyle, Case, Fix]
)
def test_every_key_is_explained(model: type) -> None:
    """The page on scenario files names every key that a file may have."""
    keys = model.model_fields  # type: ignore[attr-defined]  # one of the pydantic models above
    assert [key for key in keys if f"`{key}`" not in PAGES[SCENARIO_PAGE] and f"{key}:" not in EXAMPLE] == []


def _kinds(kind: type[Retrieval] = Retrieval) -> dict[str, set[str]]:
    found = {}
    for one in kind.__subclasses__():
        found[one.model_fields["kind"].default] = set(one.model_fields) - {"kind"}
        found |= _kinds(one)
    return found


def test_every_way_to_retrieve_a_certificate_is_explained() -> None:
    """The page's table has each kind of client_cert_retrieval with all its settings."""
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| ((?:`[a-z_]+`(?:, )?)+) \|", PAGES[SCENARIO_PAGE], re.MULTILINE)
    assert {kind: set(re.findall(r"[a-z_]+", settings)) for kind, settings in rows} == _kinds()


# --- any-language.md -------------------------------------------------------------------------------------------


def test_what_pages_quote_is_current() -> None:
    """docs/any-language.md shows the programs that tests/clients runs: `make docs` puts them there."""
    script = runpy.run_path(str(ROOT / "docs" / "quotes.py"))
    for name in script["QUOTING"]:
        assert script["page"](name) == PAGES[f"docs/{name}"]
        assert "<!-- quoted from" in PAGES[f"docs/{name}"]
