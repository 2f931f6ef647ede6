"""`tlslab schema`: the JSON Schema of a scenario file."""

from __future__ import annotations

import click

from tlslab.scenario.schema import json_schema
from tlslab.text import json_text


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of scenario files, for an editor that completes and checks them."""
    click.echo(json_text(json_schema(), indent=2))
