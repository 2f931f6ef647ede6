"""Writes tlslab/cli/option_table.py, from the commands as they are: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tlslab.cli import main
from tlslab.client.kinds import CHOOSING, PROGRAMS, WRITING
from tlslab.pki.identities import IDENTITIES

TABLE = Path(__file__).parent.parent / "tlslab" / "cli" / "option_table.py"
HEAD = '''"""The options and arguments of every command, each with what it takes. Made by make docs from the commands.

A shell asks for them while somebody types, and must not wait until all that the commands import is there.
"""

'''


def _kinds() -> str:
    """What --client takes; the words for two at once are a person's to join."""
    return "|".join(("all", *CHOOSING, *WRITING, *PROGRAMS))


def table() -> str:
    """Make the module: {command: {option: what it takes, "" for nothing}}, and a command's argument as `_`."""
    context = click.Context(main)
    rows = [row for name in main.list_commands(context) for row in _rows(name, main.get_command(context, name))]
    lines = [f'    "{name}": {{{", ".join(cells)}}},' for name, cells in rows]
    return HEAD + "# fmt: off\nOPTIONS: dict[str, dict[str, str]] = {\n" + "\n".join(map(_wrapped, lines)) + "\n}\n"


def _rows(name: str, command: click.Command | None) -> Iterator[tuple[str, list[str]]]:
    assert command is not None
    takes = {"--help": "", **dict(reversed(list(_taken(command))))}  # of two arguments the first
    if isinstance(command, click.Group):
        takes["_"] = "|".join(command.commands)
    yield name, [f'"{option}": "{_in_parts(what)}"' for option, what in sorted(takes.items())]
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield from _rows(f"{name} {below}", inner)


def _in_parts(what: str, longest: int = 90) -> str:
    """A value that is too long for a line, as strings that stand one below the other."""
    if len(what) <= longest:
        return what
    cut = what.rindex("|", 0, longest) + 1
    return f'{what[:cut]}"\n        "{_in_parts(what[cut:])}'


def _taken(command: click.Command) -> Iterator[tuple[str, str]]:
    for one in command.params:
        what = one.metavar or (one.name or "").upper()
        if one.name == "kind":
            what = _kinds()
        elif one.name == "holds":
            what = "|".join(("all", *IDENTITIES))
        elif isinstance(one.type, click.Choice):
            what = "|".join(one.type.choices)
        if isinstance(one, click.Argument):
            yield "_", what.strip("[].")
        elif isinstance(one, click.Option) and not one.hidden:
            yield from ((name, "" if one.is_flag else what) for name in one.opts)


def _wrapped(line: str, width: int = 120) -> str:
    """A row in lines that are not too long."""
    lines = [""]
    for cell in line.split(", "):
        if lines[-1] and len(lines[-1]) + len(cell) + 2 > width:
            lines.append("        ")
        lines[-1] += f"{cell}, "
    return "\n".join(one.rstrip() for one in lines).removesuffix(",")


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
