"""`tlslab validate`: what is wrong with a scenario file."""

from __future__ import annotations

from pathlib import Path

import click

from tlslab.cli.console import complain, console
from tlslab.errors import LabError
from tlslab.scenario.load import load_scenario
from tlslab.text import format_count


@click.command(name="validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> None:
    """Check scenario files; every problem comes as FILE:LINE:COLUMN, with what would be right. Exit code 1 for any."""
    failed = False
    for file in files:
        try:
            loaded = load_scenario(file)
        except LabError as error:
            complain(error)
            failed = True
        else:
            fixes = format_count(len(loaded.scenario.fixes), "fix", "fixes")
            console().print(f"{file}: good, with {fixes}")
    raise SystemExit(1 if failed else 0)
