"""`tlslab schema`: the JSON Schema of what people write, and of what programs read."""

from __future__ import annotations

import click

from tlslab.lab.event_schema import events_schema
from tlslab.scenario.schema import json_schema
from tlslab.text import json_text


@click.command(name="schema")
@click.argument("of", type=click.Choice(["scenario", "events"]), default="scenario")
def command(of: str) -> None:
    """Print the JSON Schema of scenario files, for an editor; or that of the lines of `serve --events`."""
    click.echo(json_text(events_schema() if of == "events" else json_schema(), indent=2))
