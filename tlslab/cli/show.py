"""`tlslab show`: everything about one failure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.clients import advice
from tlslab.cli.console import STYLES, console, prose, tell
from tlslab.cli.options import between, profile_option
from tlslab.cli.steps import step_in_words
from tlslab.errors import UsageProblem
from tlslab.lab.options import Options
from tlslab.lab.shell import join, program
from tlslab.scenario.knobs import KnobAt, knobs_of
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.names import suggestion
from tlslab.scenario.schema import Fix
from tlslab.scenario.setup import setup_of
from tlslab.text import json_text

if TYPE_CHECKING:
    from tlslab.cli.recipes import Recipe

ALL_CASES = "*"


@click.command(name="show")
@click.argument("name", metavar="NAME|FILE.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; sizes in bytes, times in seconds.")
@click.option("--fixes", is_flag=True, help="Print how to try each fix: the lab's line, the client's, what to expect.")
@click.option(
    "--commands",
    "case",
    is_flag=False,
    flag_value=ALL_CASES,
    metavar="[CASE]",
    help="Print how to see the failure and each case beside it, or one case alone.",
)
@click.option(
    "--port", type=int, callback=between(1, 65535), metavar="N", help="For a lab that is served with --port N."
)
@click.option(
    "--speed", type=float, callback=between(0.01, 10_000), default=1.0, metavar="N", help="For one with --speed N."
)
@profile_option
def command(
    name: str, as_json: bool, fixes: bool, case: str | None, port: int | None, speed: float, profile: str | None
) -> None:
    """Explain a failure: what one sees, why, the Windows settings behind it, and every documented fix."""
    loaded = load(name, profile)
    if fixes or case is not None:
        for recipe in _recipes(loaded, Options(name, profile=profile, port=port, speed=speed), case, fixes=fixes):
            recipe.show(console())
    elif as_json:
        click.echo(json_text(_as_json(loaded, name), indent=1))
    else:
        _print(loaded, name, console())


def _recipes(loaded: LoadedScenario, options: Options, case: str | None, *, fixes: bool) -> Iterator[Recipe]:
    """What --commands and --fixes ask for. UsageProblem: there is no such case."""
    # Not before it is wanted: it takes OpenSSL and makes keys on first use.
    from tlslab.cli import recipes
    from tlslab.lab.home import home, open_home
    from tlslab.lab.running import Running
    from tlslab.scenario.build import build

    cases = {name: shown for name, shown in loaded.scenario.cases.items() if case in (name, ALL_CASES)}
    if case not in (None, ALL_CASES) and not cases:
        raise UsageProblem(f"{loaded.name} has no case {case!r}", suggestion(str(case), loaded.scenario.cases))
    pki = open_home()
    plan = build(loaded, (), {}, pki, port=options.port)
    tell(pki.server.news)
    running = Running.of(loaded, plan, pki, plan.listeners, options, home())
    if case == ALL_CASES:
        yield recipes.symptom(running)
    for name, shown in cases.items():
        yield recipes.case(running, name, shown)
    if fixes:
        for name in loaded.scenario.fixes:
            yield recipes.fix(running, name)


def _as_json(loaded: LoadedScenario, source: str) -> dict[str, Any]:
    scenario = loaded.scenario
    content = scenario.model_dump(
        mode="json", include={"title", "story", "sources", "symptoms", "unverified", "profile", "teach"}
    )
    return {
        "name": loaded.name,
        **content,
        "bindings": scenario.model_dump(mode="json")["bindings"],
        "knobs": [
            {"path": knob.path, "value": knob.value, "set": knob.as_set, "windows_name": knob.windows_name}
            for knob in knobs_of(loaded.scenario)
        ],
        "fixes": [_fix_json(name, fix) for name, fix in scenario.fixes.items()],
        "clients": list(advice(scenario)),
        "suggested_speed": scenario.suggested_speed,
        "commands": _commands(loaded, source, ["tlslab"]),
    }


def _fix_json(name: str, fix: Fix) -> dict[str, Any]:
    content = fix.model_dump(
        mode="json", include={"title", "says", "changes", "recommended", "deterministic", "costs", "set"}
    )
    defeats = {key: case.title or key for key, case in fix.defeated_by.items()}
    return {"name": name, **content, "defeated_by": defeats}


def _commands(loaded: LoadedScenario, source: str, start: list[str]) -> list[str]:
    """What to type; the lab then prints what the client types."""
    serve = [*start, "serve", "--scenario", source]
    serve += ["--profile", loaded.another_windows] if loaded.another_windows else []
    fixes = [[*serve, "--fix", name] for name, fix in loaded.scenario.fixes.items() if fix.set]
    faster = [[*serve, "--speed", f"{loaded.scenario.suggested_speed:g}"]] if loaded.scenario.suggested_speed else []
    return [join(words) for words in (serve, *faster, *fixes)]


def _changed(loaded: LoadedScenario, before: Collection[KnobAt], fix: Fix) -> Iterator[KnobAt]:
    """The knobs that a fix turns, as they are then."""
    fixed = setup_of(loaded.data, fix.set, ground=loaded.ground)
    return (knob for knob in knobs_of(fixed) if knob not in before)


def _print(loaded: LoadedScenario, source: str, out: Console) -> None:
    scenario = loaded.scenario
    out.rule(Text(f" {loaded.name} ", style="bold"), align="left")
    prose(out, scenario.title, style="bold")
    _section(out, "What happens", scenario.story)
    _section(out, "What the client does", "\n".join(map(step_in_words, scenario.symptom.client or ())))
    _section(out, "How it shows itself", _listed(scenario.symptoms))
    _section(out, "Which clients (measured)", "\n".join(f"- {line}" for line in advice(scenario)))
    _section(
        out,
        "Bindings and knobs",
        "Change one: tlslab serve --scenario NAME --set 'PATH=VALUE', as they stand here, or by Windows' own name.",
    )
    knobs = tuple(knobs_of(scenario))
    for knob in knobs:
        _print_knob(knob, out, "  ")
    out.print(Text("\nFixes", style="bold"))
    for name, fix in scenario.fixes.items():
        _print_fix(loaded, knobs, name, fix, out)
    _section(out, "To take with you", scenario.teach)
    _section(out, "Shown although no document says so", _listed(scenario.unverified))
    _section(out, "Sources", _listed(scenario.sources))
    _section(out, "Try it", f"What to send then: tlslab show {source} --commands, or --fixes for each fix.")
    for line in _commands(loaded, source, program()):
        out.print(f"  {line}")


def _print_knob(knob: KnobAt, out: Console, indent: str) -> None:
    prose(out, f"{knob.path} = {knob.as_set}", first=indent, rest=f"{indent}    ")
    prose(out, f"[{knob.windows_name}]", style="dim", first=f"{indent}    ")


def _print_fix(loaded: LoadedScenario, knobs: Collection[KnobAt], name: str, fix: Fix, out: Console) -> None:
    marks = ["recommended"] if fix.recommended else []
    marks += ["deterministic" if fix.deterministic else "not deterministic"]
    out.print(Text(f"  {name}", style=f"bold {STYLES['good']}"))
    prose(out, fix.title, first="    ", style="bold")
    prose(out, f"Who must change: {', '.join(fix.changes)}. {', '.join(marks).capitalize()}.", first="    ")
    prose(out, fix.says, first="    ")
    prose(out, f"Costs: {fix.costs}", first="    ")
    if fix.set:
        out.print("    On the server:")
        for knob in _changed(loaded, knobs, fix):
            _print_knob(knob, out, "      ")
    if fix.client:
        out.print("    The client sends:" if fix.set else "    Nothing changes on the server; the client sends:")
        for step in fix.client:
            prose(out, step_in_words(step), first="      ", rest="        ")
    for key, case in fix.defeated_by.items():
        prose(out, f"Defeated when: {case.title or key}", style=STYLES["odd"], first="    ", rest="      ")
    out.print()


def _section(out: Console, title: str, text: str) -> None:
    if text.strip():
        out.print(Text(f"\n{title}", style="bold"))
        prose(out, text, first="  ")


def _listed(entries: tuple[str, ...]) -> str:
    return "\n".join(f"- {entry}" for entry in entries)
