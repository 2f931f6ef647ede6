"""`tlslab probe --url`: a server of somebody's own, looked at from outside."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.console import STYLES, console, prose
from tlslab.errors import LabError, UsageProblem, in_words
from tlslab.lab.home import open_home
from tlslab.lab.shell import join, program
from tlslab.pki.identities import IDENTITIES
from tlslab.probe.findings import Insight, Sureness, findings
from tlslab.probe.identity import issuers_of, read_certificates, read_private_key
from tlslab.probe.imitation import scenario_text
from tlslab.probe.possible import Possible, possible
from tlslab.probe.questions import LARGEST_UPLOAD, Look
from tlslab.probe.seen import Portrait
from tlslab.probe.sockets import ask_all_now
from tlslab.scenario.load import load
from tlslab.scenario.names import suggestion
from tlslab.text import format_bytes, format_count, format_host_port, json_text
from tlslab.tls.offers import Shows

HTTPS = 443
SUBJECT = 29  # columns
MARKS = {Sureness.SEEN: "", Sureness.INFERRED: "inferred: ", Sureness.NOT_LOOKED: "not looked at: "}
LOOPBACK_NAMES = ("localhost",)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for beside the URL."""

    cert: Path | None
    key: Path | None
    identity: str | None
    ca: Path | None
    upload: bool
    quick: bool
    long: bool
    yes: bool
    as_json: bool
    write_scenario: Path | None


def probe_url(url: str, wishes: Wishes) -> int:
    """Look at the server, print what was found, and give the exit code. LabError: there is nothing to look at."""
    parts = _parsed(url)
    host, port = parts.hostname or "", parts.port or HTTPS
    shows = _shows(wishes, host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    look = Look(
        host,
        port,
        path,
        bool(shows.chain),
        issuers_of(shows.chain),
        upload=wishes.upload,
        quick=wishes.quick,
        long=wishes.long,
    )
    _announce(look, wishes)
    with console(stderr=True).status("one connection after the other"):
        seen = ask_all_now(look, shows, (host, port))
    found, can = findings(seen, upload=wishes.upload, long=wishes.long), possible(seen)
    if wishes.write_scenario is not None:
        with in_words(f"cannot write {wishes.write_scenario}"):
            wishes.write_scenario.write_text(scenario_text(seen), encoding="utf-8")
    if wishes.as_json:
        click.echo(json_text(_as_json(url, seen, found, can), indent=1))
    else:
        _print(seen, found, can, wishes, console())
    return 0


def _parsed(url: str) -> SplitResult:
    """UsageProblem: it is no https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageProblem(f"{url} is no URL: {error}", "such as https://www.example.com/path") from None
    if parts.scheme != "https" or not parts.hostname:
        hint = "write it with its scheme, such as https://www.example.com:8443/path; there is no TLS in plain http"
        raise UsageProblem(f"{url} is no https URL", hint)
    if port == 0 or parts.username is not None:
        raise UsageProblem(f"{url} has a port or a user that a probe has no use for", "leave it out")
    if not f"{parts.path}{parts.query}".isascii() or not f"{parts.path}{parts.query}".isprintable():
        raise UsageProblem(f"{url} has characters in its path that no request can hold", "write them as %XX")
    return parts


def _shows(wishes: Wishes, host: str) -> Shows:
    """Who the probe is, and whom it trusts: the lab's own authorities, unless --ca names others."""
    if (wishes.cert is None) != (wishes.key is None):
        raise UsageProblem("a certificate and its key belong together", "name both: --cert FILE --key FILE")
    if wishes.cert is not None and wishes.identity is not None:
        raise UsageProblem("--cert and --identity name two clients", "name one of them")
    authorities = read_certificates(*_file(wishes.ca)) if wishes.ca else ()
    if wishes.cert is not None and wishes.key is not None:
        chain = read_certificates(*_file(wishes.cert))
        return Shows(chain, read_private_key(*_file(wishes.key), chain[0]), authorities)
    if wishes.identity is None:
        return Shows(authorities=authorities)
    if wishes.identity not in IDENTITIES:
        raise UsageProblem(f"the lab has no identity {wishes.identity!r}", suggestion(wishes.identity, IDENTITIES))
    pki = open_home()
    credential = pki.identity(wishes.identity)
    return Shows(credential.chain, credential.key, authorities or (pki.server_authority.certificate,))


def _file(path: Path) -> tuple[str, bytes]:
    """The name and the content of a file. LabError: it cannot be read."""
    with in_words(f"cannot read {path}"):
        return str(path), path.read_bytes()


def _announce(look: Look, wishes: Wishes) -> None:
    """Say what will be done, and have it confirmed where it is done to somebody's machine. LabError: it is not."""
    out = console(stderr=True)
    where = format_host_port((look.host, look.port))
    does = f"{where}: at most {format_count(look.most, 'connection')}, one at a time"
    does += f", with uploads of up to {format_bytes(LARGEST_UPLOAD)}" if look.upload else ", no upload"
    prose(out, f"{does}. Probe only what is yours: its logs will show it.", style="dim")
    if wishes.yes or is_loopback(look.host):
        return
    if not sys.stdin.isatty():
        raise UsageProblem(f"{look.host} is not this computer", "--yes says that the server is yours")
    if not click.confirm("Is this server yours, or may you probe it?", err=True):
        raise LabError("nothing was asked", "a lab to look at instead: tlslab serve large-post-deadlock")


def is_loopback(host: str) -> bool:
    """Whether a host is this computer by its own spelling, no resolver asked."""
    if host in LOOPBACK_NAMES or host.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- what is shown --------------------------------------------------------------------------------------------


def _print(seen: Portrait, found: list[Insight], can: list[Possible], wishes: Wishes, out: Console) -> None:
    where = f"{format_host_port((seen.host, seen.port))}{seen.path}"
    out.rule(Text(f" {where} ", style="bold"), align="left")
    for finding in found:
        mark = MARKS[finding.certainty]
        first = f"{finding.subject:<{SUBJECT}} "
        prose(out, f"{mark}{finding.what or finding.how}", first=first, rest=" " * len(first))
    out.print()
    _print_possible(out, "It can show", [one for one in can if one.can], lambda one: _recommended(one.scenario))
    _print_possible(out, "It cannot show", [one for one in can if not one.can], lambda _one: "")
    made = format_count(seen.connections, "connection")
    prose(out, f"{made} were made. How each thing was seen: --json.", style="dim")
    if wishes.write_scenario is not None:
        name = str(wishes.write_scenario)
        out.print(Text(f"{name} is written: {join([*program(), 'serve', name])}", style=STYLES["good"]))


def _print_possible(out: Console, heading: str, ones: list[Possible], more: Callable[[Possible], str]) -> None:
    if not ones:
        return
    out.print(Text(heading, style="bold"))
    for one in ones:
        text = f"{one.scenario}: {MARKS[one.certainty]}{one.why}."
        prose(out, text, first="  ", rest="    ")
        if fix := more(one):
            prose(out, f"Fix: {fix}", first="    ", rest="         ", style="dim")
    out.print()


def _recommended(scenario: str) -> str:
    """The title of the first documented fix that is recommended, with its name."""
    fixes = load(scenario).scenario.fixes
    return next((f"{fix.title} ({name})" for name, fix in fixes.items() if fix.recommended), "")


def _as_json(url: str, seen: Portrait, found: list[Insight], can: list[Possible]) -> dict[str, object]:
    return {
        "url": url,
        "connections": seen.connections,
        "findings": [asdict(one) for one in found],
        "possible": [{**asdict(one), "fix": _recommended(one.scenario) if one.can else ""} for one in can],
    }
