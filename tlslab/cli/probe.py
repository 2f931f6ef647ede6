"""`tlslab probe`: look at a conversation from both sides, or at any server from outside."""

from __future__ import annotations

from pathlib import Path
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
  tlslab probe --url https://localhost:8443/upload --identity alice --upload
  tlslab probe --url https://www.example.com/path --write-scenario example.yaml

\b
Clients of --client, by how they choose their certificate and take a question for it:
  openssl, java, schannel, browser, no-renegotiation, ignores-renegotiation,
  no-post-handshake-auth
and by how they write, alone or joined to one of those (schannel+prime):
  write-then-read, interleaved, expect-continue, prime
"""


_FILE = click.Path(path_type=Path)
OF_A_URL = ("cert", "key", "identity", "ca", "upload", "quick", "long", "yes", "write_scenario")
OF_A_SCENARIO = ("kind", "fixes", "settings", "holds", "speed")
OPTIONS = {"kind": "--client", "fixes": "--fix", "settings": "--set"}  # the others are called as they are


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
@click.option("--url", metavar="URL", help="Look at this server in place of a scenario; it must be yours.")
@click.option("--cert", type=_FILE, metavar="FILE", help="--url: who the client is, PEM, with what chain it has.")
@click.option("--key", type=_FILE, metavar="FILE", help="--url: the key of --cert, PEM, without a passphrase.")
@click.option("--identity", metavar="IDENTITY", help="--url: be one of the lab's own, such as alice.")
@click.option("--ca", type=_FILE, metavar="FILE", help="--url: whom the server's certificate may be from, PEM.")
@click.option("--upload", is_flag=True, help="--url: also send uploads, of 256 KiB at most, and look for the limit.")
@click.option("--quick", is_flag=True, help="--url: with fewer connections, and no look for limits.")
@click.option("--long", is_flag=True, help="--url: also wait for timers, some minutes.")
@click.option("--yes", is_flag=True, help="--url: do not ask whether the server is yours.")
@click.option("--write-scenario", type=_FILE, metavar="FILE.yaml", help="--url: write a scenario that imitates it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(scenario: str | None, url: str | None, as_json: bool, **given: Any) -> None:
    """Show both sides of a failure, or look at a server of yours.

    --scenario: the lab serves the scenario on free ports of this machine, and one of its own clients takes the steps of
    the symptom. Exit code 0 where that ends as promised of such a client, 1 where it does not.

    --url: what the server speaks, when it asks for a certificate, whom it names, how it ends; and which failures of the
    catalogue it can show. Exit code 0 where it could be looked at.
    """
    if (scenario is None) == (url is None):
        what = "probe what?" if url is None else "a scenario or a URL, not both:"
        raise UsageProblem(f"{what} tlslab probe --scenario NAME, or --url URL", "tlslab list names the scenarios")
    foreign, needed = (OF_A_SCENARIO, "--scenario") if url is not None else (OF_A_URL, "--url")
    for name in foreign:
        if given[name]:
            option = OPTIONS.get(name, f"--{name.replace('_', '-')}")
            raise UsageProblem(f"{option} goes with {needed} alone", "tlslab probe --help")
    # Not before they are wanted: neither needs what the other does.
    if url is not None:
        from tlslab.cli.looking import Wishes, probe_url

        if given["quick"] and given["long"]:
            raise UsageProblem("--quick and --long cannot both be", "choose one")
        wishes = Wishes(**{name: given[name] for name in OF_A_URL}, as_json=as_json)
        raise SystemExit(probe_url(url, wishes))
    from tlslab.cli.probing import probe_scenario

    assert scenario is not None
    raise SystemExit(probe_scenario(scenario, **{name: given[name] for name in OF_A_SCENARIO}, as_json=as_json))
