"""`tlslab probe`: look at a conversation from both sides, with a client of the lab's own."""

from __future__ import annotations

from typing import Any

import click

from tlslab.cli.options import between
from tlslab.errors import UsageProblem

EPILOG = """\b
Examples:
  tlslab probe --scenario large-post-deadlock
  tlslab probe --scenario ca-list-truncation --client schannel
  tlslab probe --scenario ca-list-truncation --client all
  tlslab probe --scenario large-post-deadlock --client browser --fix negotiate-on-binding

\b
Clients of --client, by how they choose their certificate and take a question for it:
  openssl, java, schannel, browser, no-renegotiation, ignores-renegotiation,
  no-post-handshake-auth
and by how they write, alone or joined to one of those (schannel+prime):
  write-then-read, interleaved, expect-continue, prime
"""


@click.command(name="probe", epilog=EPILOG)
@click.option(
    "--scenario", "-s", metavar="NAME|FILE.yaml", help="Be server and client of a scenario, and show both sides."
)
@click.option("--client", "kind", metavar="KIND", help="Which client takes the steps; all compares them.")
@click.option("--fix", "fixes", multiple=True, metavar="FIX", help="With this fix in place (`tlslab show` names them).")
@click.option("--set", "settings", multiple=True, metavar="PATH=YAML", help="Change one knob, as `tlslab serve` does.")
@click.option(
    "--holds",
    multiple=True,
    metavar="IDENTITY",
    help="What the client has beside the identity of its steps, and may choose (`tlslab pki show`); all is everything.",
)
@click.option(
    "--speed",
    type=float,
    callback=between(0.01, 10_000),
    metavar="N",
    help="Run every clock N times as fast, instead of as it suits the steps.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(scenario: str | None, **given: Any) -> None:
    """Show both sides of a failure: what the client said and heard, what the server did, and why it ended so.

    The lab serves the scenario on free ports of this machine, and one of its own clients takes the steps of the
    symptom. Exit code 0 where that ends as promised of such a client, 1 where it does not.
    """
    if scenario is None:
        raise UsageProblem("probe what? Name a scenario: tlslab probe --scenario NAME", "tlslab list names them")
    # Not before it is wanted: a server somewhere else needs none of it.
    from tlslab.cli.probing import probe_scenario

    raise SystemExit(probe_scenario(scenario, **given))
