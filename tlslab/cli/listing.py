"""`tlslab list`: which failures there are."""

from __future__ import annotations

import click
from rich.text import Text

from tlslab.cli.console import console, prose
from tlslab.scenario import catalogue
from tlslab.text import json_text


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print an array of {name, title, symptoms, fixes}.")
@click.option(
    "--symptom", metavar="TEXT", help='Only what shows itself so: "curl 56", 403.7, Timer_SslRenegotiation, ...'
)
def command(as_json: bool, symptom: str | None) -> None:
    """List the failures that can be served, or those with a symptom you have seen."""
    found = catalogue.listed() if symptom is None else catalogue.find_by_symptom(symptom)
    if as_json:
        entries = [
            {
                "name": one.name,
                "title": one.title,
                "symptoms": list(one.symptoms),
                "fixes": list(one.fixes),
            }
            for one in found
        ]
        click.echo(json_text(entries, indent=1))
        return
    out = console()
    if not found:
        prose(out, f"No scenario has the symptom {symptom!r}. Try fewer words, or tlslab list for all of them.")
    for one in found:
        out.print(Text(one.name, style="bold"))
        prose(out, one.title, first="  ")
    if found:
        out.print()
        prose(out, "More about one: tlslab show NAME. Serve it: tlslab serve --scenario NAME", style="dim")
