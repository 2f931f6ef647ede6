"""Writes tlslab/cli/option_table.py, from the commands as they are: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tlslab.cli import main

TABLE = Path(__file__).parent.parent / "tlslab" / "cli" / "option_table.py"
HEAD = '''"""The options and arguments of every command, each with what it takes. Made by make docs from the commands.

A shell asks for them while somebody types, and must not wait until all that the commands import is there.
"""

'''


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
    yield name, [f'"{option}": "{what}"' for option, what in sorted(takes.items())]
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield from _rows(f"{name} {below}", inner)


def _taken(command: click.Command) -> Iterator[tuple[str, str]]:
    for one in command.params:
        what = one.metavar or (one.name or "").upper()
        if isinstance(one.type, click.Choice):
            what = "|".join(one.type.choices)
        if isinstance(one, click.Argument):
            yield "_", what.strip("[].")
        elif isinstance(one, click.Option) and not one.hidden:
            yield from ((name, "" if one.is_flag else what) for name in one.opts)


def _wrapped(line: str, width: int = 120) -> str:
    """A row in lines that are not too long."""
    lines = [""]
    for cell in line.split(", "):
        if len(lines[-1]) + len(cell) + 2 > width:
            lines.append("        ")
        lines[-1] += f"{cell}, "
    return "\n".join(one.rstrip() for one in lines).removesuffix(",")


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
