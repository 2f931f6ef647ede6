"""`tlslab completion`: let a shell complete what one types.

The script that a shell is given asks this command in turn, with the words of the line. It answers from the table of
options and from the scenario files, and imports no more than that takes: somebody waits with a finger on the Tab key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import click

from tlslab.cli import COMMANDS
from tlslab.cli.completion_scripts import SCRIPTS
from tlslab.cli.option_table import OPTIONS
from tlslab.errors import LabError
from tlslab.scenario import catalogue

SCENARIO, FIX, KNOB, PROFILE = "NAME|FILE.yaml", "FIX", "PATH=YAML", "NAME"
ANOTHER_WINDOWS = "PROFILE"  # of --profile
NOTHING = ('""', "''")  # how PowerShell writes an empty word, by version
EPILOG = """\b
Examples:
  tlslab completion bash > ~/.local/share/bash-completion/completions/tlslab
  tlslab completion zsh > ~/.zfunc/_tlslab
  tlslab completion fish > ~/.config/fish/completions/tlslab.fish
  tlslab completion powershell >> $PROFILE
"""


@click.command(name="completion", epilog=EPILOG, context_settings={"ignore_unknown_options": True})
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(shell: str, words: tuple[str, ...]) -> None:
    """Print the script that lets a shell complete commands, options, scenarios, fixes and knobs.

    With WORDS, those of a line up to the cursor, it says what may stand in place of the last one. The script asks so.
    """
    if words:
        typed = ["" if word in NOTHING else word for word in words[1:]]
        for one in sorted(set(answers(typed))):
            click.echo(one)
    else:
        click.echo(SCRIPTS[shell], nl=False)


def answers(words: Sequence[str]) -> Iterator[str]:
    """What the last word can become, where `tlslab` stands before the words; where files belong, nothing."""
    *before, typed = words or [""]
    name, options = _command(before)
    if not name:
        yield from (one for one in (*COMMANDS, "--help", "--version") if one.startswith(typed))
        return
    option, equals, value = typed.partition("=")
    if typed.startswith("--") and equals:
        yield from (f"{option}={one}" for one in _values(options.get(option, ""), value, before, options))
    elif before and options.get(before[-1]):
        yield from _values(options[before[-1]], typed, before, options)
    elif typed.startswith("-"):
        yield from (one for one in options if one.startswith(typed) and one != "_")
    else:
        yield from _values(options.get("_", ""), typed, before, options)


def _command(before: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The command on the line, with a command below it, and its options."""
    name = next((word for word in before if word in COMMANDS), "")
    below = next((f"{name} {word}" for word in before if f"{name} {word}" in OPTIONS), name)
    return name, OPTIONS.get(below, {})


def _values(what: str, typed: str, before: Sequence[str], options: dict[str, str]) -> list[str]:
    """What an option or an argument can be, that begins with what was typed."""
    known: Sequence[str] = ()
    if what == SCENARIO:
        known = catalogue.names()
    elif what == FIX:
        known = _fixes(_scenario(before, options))
    elif what == KNOB:
        known = _knobs(_scenario(before, options))
    elif what == ANOTHER_WINDOWS or (what == PROFILE and "profiles" in before):
        known = _profiles()
    elif "|" in what and what.islower():
        known = what.split("|")
    return [one for one in known if one.startswith(typed)]


def _scenario(before: Sequence[str], options: dict[str, str]) -> str:
    """The scenario on the line, named with the option or without; none is the one to begin with."""
    for place, word in enumerate(before):
        option, equals, value = word.partition("=")
        takes = options.get(before[place - 1], "") if place else ""
        if options.get(option) == SCENARIO and equals:
            return value
        if takes == SCENARIO or (not takes and word not in COMMANDS and not word.startswith("-")):
            return word
    return ""


def _fixes(scenario: str) -> list[str]:
    """Those of a scenario, or of every one where none is named yet."""
    with contextlib.suppress(LabError):
        listed = [catalogue.described(scenario)] if scenario else catalogue.listed()
        return [fix for one in listed for fix in one.fixes]
    return []


def _knobs(scenario: str) -> list[str]:
    """The paths of a scenario, or those that every one has; models are imported for these alone."""
    from tlslab.scenario.load import load
    from tlslab.scenario.overlay import paths, with_profile

    with contextlib.suppress(LabError):
        return [f"{path}=" for path in paths(load(scenario).data if scenario else with_profile({}))]
    return []


def _profiles() -> list[str]:
    from tlslab.schannel.profiles import PROFILES

    return list(PROFILES)
