"""`tlslab matrix`: the real clients of this computer, through the catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import click
from rich.table import Table

from tlslab.cli.console import console, prose
from tlslab.errors import UsageProblem, in_words
from tlslab.matrix import report
from tlslab.matrix.driver import RealClient
from tlslab.matrix.drivers import curl, proxies, scripts, terminals, wget
from tlslab.matrix.runs import OfClient, Played, own_client, play_all, present
from tlslab.scenario import catalogue
from tlslab.scenario.names import suggestion

EPILOG = """\b
Examples:
  tlslab matrix --list
  tlslab matrix large-post-deadlock ca-list-truncation
  tlslab matrix post-request-renegotiation --clients curl,Go --markdown clients.md
  tlslab matrix large-post-deadlock --client './mine {url} {ca} {cert} {key} {body_file}'
"""
DRIVERS = (*curl.DRIVERS, *wget.DRIVERS, *terminals.DRIVERS, *scripts.DRIVERS, *proxies.DRIVERS)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="matrix", epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME|FILE.yaml]...")
@click.option("--clients", metavar="A,B", help="Only these of `--list`, parted by commas.")
@click.option(
    "--client", "own", metavar="'COMMAND'", help="A client of your own; {url} {ca} {cert} {key} {p12} {body_file}."
)
@click.option("--python", metavar="PATH", help="Whose requests, httpx, urllib3 and aiohttp; this one's unless given.")
@click.option("--all-fixes", is_flag=True, help="Every fix, and not only those that are recommended and certain.")
@click.option("--speed", type=click.FloatRange(0.01, 10_000), metavar="N", help="Run the labs' clocks N times as fast.")
@click.option("--workers", type=click.IntRange(1, 16), default=2, show_default=True, help="Runs side by side.")
@click.option("--markdown", type=FILE, metavar="FILE", help="Write tables, versions and each client's own words.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write all of it as JSON.")
@click.option("--list", "lists", is_flag=True, help="List the clients that are known, with what is missing here.")
def command(
    names: Sequence[str],
    clients: str | None,
    own: str | None,
    python: str | None,
    all_fixes: bool,
    speed: float | None,
    workers: int,
    markdown: Path | None,
    json_file: Path | None,
    lists: bool,
) -> None:
    """Run real clients through scenarios: what the lab sees of each, and what it says itself.

    Without NAME all scenarios are taken, which takes a while; what a client cannot do is skipped with the reason.
    """
    known = dict(zip((one.name for one in DRIVERS), DRIVERS, strict=True))
    if python is not None:
        known |= {one.name: one for one in scripts.python(python)}
    wanted = [own_client(own)] if own is not None else _wanted(known, clients)
    found = list(present(wanted))
    if lists:
        _list(found)
        return
    here, missing = [one for one, why in found if not why], {one.name: why for one, why in found if why}
    if not here:
        raise UsageProblem(
            "none of these clients is here", "; ".join(f"{name}: {why}" for name, why in missing.items())
        )
    versions = {one.name: one.says_version() for one in here}
    results = _play(here, names or catalogue.names(), all_fixes, speed, workers)
    when = datetime.now(UTC)
    if markdown is not None:
        _write(markdown, report.as_markdown(results, versions, missing, when))
    if json_file is not None:
        _write(json_file, json.dumps(report.as_json(results, versions, missing, when), indent=1) + "\n")
    if markdown is None and json_file is None:
        console().print(report.as_markdown(results, versions, missing, when), soft_wrap=True, markup=False)


def _wanted(known: dict[str, RealClient], clients: str | None) -> list[RealClient]:
    if clients is None:
        return list(known.values())
    chosen = [one.strip() for one in clients.split(",")]
    for name in chosen:
        if name not in known:
            raise UsageProblem(f"there is no client {name!r}", suggestion(name, known))
    return [known[name] for name in chosen]


def _play(
    here: list[RealClient],
    names: Sequence[str],
    all_fixes: bool,
    speed: float | None,
    workers: int,
) -> list[OfClient]:
    err, lock, done = console(stderr=True), Lock(), [0]
    prose(err, f"{', '.join(one.name for one in here)}: {len(names)} scenarios. Ctrl-C ends it.")

    def told(result: OfClient) -> None:
        with lock:
            done[0] += 1
            if isinstance(result, Played) and err.is_terminal:
                text = f"{done[0]:>5}  {result.client}, {result.scenario} ({result.trial}): {result.seen}"
                err.print(text, highlight=False, markup=False)

    return play_all(here, names, every_fix=all_fixes, speed=speed, workers=workers, told=told)


def _list(found: Sequence[tuple[RealClient, str]]) -> None:
    table = Table("client", "here", box=None, padding=(0, 2, 0, 0))
    for one, why in found:
        table.add_row(one.name, why or one.says_version())
    console().print(table)


def _write(path: Path, text: str) -> None:
    with in_words(f"cannot write {path}", "name a file in a folder that you may write to"):
        path.write_text(text, encoding="utf-8")
