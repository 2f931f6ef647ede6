"""`tlslab pki`: the lab's authorities and identities, where they are, and how other programs get them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.console import console, prose, tell
from tlslab.errors import LabError, UsageProblem, in_words
from tlslab.lab.home import expanded, home, open_home
from tlslab.lab.shell import join, program
from tlslab.lab.trust import Exported, risk, ways
from tlslab.lab.verdicts import status_of
from tlslab.pki.authorities import Credential
from tlslab.pki.description import Description, describe
from tlslab.pki.export import certificates_pem, key_pem, pkcs12_bytes
from tlslab.pki.files import clear_drafts, draft
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import PKCS12_PASSWORD, Pki, reset_pki
from tlslab.text import json_text

PEM, APART, P12, P12_LEGACY = FORMATS = ("pem", "apart", "p12", "p12-legacy")


@click.group(name="pki")
def command() -> None:
    """Show, export or remake the lab's certificates.

    They are made on first use, in a folder of yours, and protect nothing but the lab.
    """


# --- show -----------------------------------------------------------------------------------------------------


@command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(as_json: bool) -> None:
    """Say where every file is, and what each identity is for.

    The status is that of a request to a path that requires a client certificate.
    """
    pki = open_home()
    tell(pki.server.news)
    if as_json:
        click.echo(json_text(_as_json(pki), indent=1))
    else:
        _print(pki, console())


def _as_json(pki: Pki) -> dict[str, Any]:
    return {
        "folder": str(pki.folder),
        "server_authority": {
            "cert_file": str(pki.ca_file),
            **_facts(describe(pki.server_authority.certificate)),
            "vouches_for": pki.server.vouches_for,
        },
        "client_authority": {"cert_file": str(pki.client_ca_file), **_facts(describe(pki.client_authorities[0]))},
        "identities": {
            name: {
                "purpose": IDENTITIES[name].purpose,
                "verdict": IDENTITIES[name].verdict,
                "status": status_of(name),
                "status_is_documented": IDENTITIES[name].is_documented,
                "cert_file": str(files.cert_file),
                "key_file": str(files.key_file),
                "pkcs12_file": str(files.pkcs12_file),
                "pkcs12_password": files.pkcs12_password,
                **_facts(describe(pki.identity(name).chain[0])),
            }
            for name, files in pki.identities.items()
        },
        "revoked": [
            {
                "identity": one.identity,
                "serial": f"{one.serial:x}",
                "issuer": one.issuer,
                "since": one.since.isoformat(),
            }
            for one in pki.revocations()
        ],
    }


def _facts(one: Description) -> dict[str, str]:
    return {
        "subject": one.subject,
        "issuer": one.issuer,
        "serial": one.serial,
        "not_before": one.not_before.isoformat(),
        "not_after": one.not_after.isoformat(),
        "fingerprint_sha256": one.fingerprint_sha256,
        "fingerprint_sha1": one.fingerprint_sha1,
    }


def _print(pki: Pki, out: Console) -> None:
    out.print(Text.assemble(("Folder     ", "bold"), str(pki.folder)))
    server, client = describe(pki.server_authority.certificate), describe(pki.client_authorities[0])
    _print_authority(out, "Server CA", "clients must trust it", pki.ca_file, server)
    prose(out, risk(pki.server), first="    ")
    _print_authority(out, "Client CA", "the lab's servers trust it", pki.client_ca_file, client)
    out.print(Text("\nIdentities, each with what a path that requires a certificate answers", style="bold"))
    for name, files in pki.identities.items():
        out.print(Text.assemble((f"  {name:14}", "bold"), f"{status_of(name):8}{IDENTITIES[name].purpose}"))
        _print_facts(out, describe(pki.identity(name).chain[0]))
        out.print(f"    {files.cert_file}")
    out.print()
    keys = "Beside each .pem lie its key (-key.pem) and both for browsers and Windows"
    prose(out, f"{keys} (.p12, password {PKCS12_PASSWORD}). SHA-1 is what Windows calls the thumbprint.")
    assumed = [name for name, kind in IDENTITIES.items() if not kind.is_documented]
    prose(out, f"The status of {' and '.join(assumed)} is an assumption: no document names it.")
    for one in pki.revocations():
        prose(out, f"Revoked since {one.since:%Y-%m-%d}: {one.identity}, serial {one.serial:x}.")
    prose(out, "How programs come to trust and use them:")
    out.print(f"  {join([*program(), 'pki', 'export', 'DIR'])}")


def _print_authority(out: Console, label: str, use: str, file: Path, one: Description) -> None:
    out.print(Text.assemble((f"\n{label:11}", "bold"), f"{one.subject}: {use}"))
    _print_facts(out, one)
    out.print(f"    {file}")


def _print_facts(out: Console, one: Description) -> None:
    lines = [
        f"valid {one.not_before:%Y-%m-%d %H:%M} to {one.not_after:%Y-%m-%d %H:%M} UTC",
        f"SHA-256 {one.fingerprint_sha256}",
        f"SHA-1   {one.fingerprint_sha1}",
    ]
    for line in lines:
        out.print(Text(f"    {line}", style="dim"))


# --- export ---------------------------------------------------------------------------------------------------


@command.command(name="export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--identity",
    "names",
    multiple=True,
    type=click.Choice(list(IDENTITIES)),
    metavar="NAME",
    help="Only this identity; may be repeated.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=(PEM, APART, P12),
    type=click.Choice(FORMATS),
    help="pem: certificate with its authorities; key. apart: certificate with its key; authorities (Apache as a "
    "proxy). p12: all in one file (AES-256, SHA-256). p12-legacy: the same for Windows Server 2016 and other old "
    "readers (3DES, SHA-1). May be repeated; all but p12-legacy unless given.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def export(folder: Path, names: tuple[str, ...], formats: tuple[str, ...], force: bool) -> None:
    """Copy certificates and keys to a folder, and say how programs come to trust and use them.

    The lab itself changes no trust store, neither of this machine nor of any program.
    """
    pki = open_home()
    tell(pki.server.news)
    chosen = tuple(dict.fromkeys(names)) or tuple(IDENTITIES)
    place = expanded(folder)
    files = dict(_files(pki, chosen, formats))
    _write(place, files, force)
    out = console()
    prose(out, f"Written to {place} (readable by you alone; password of every .p12: {PKCS12_PASSWORD}):")
    for name in files:
        out.print(f"  {name}")
    out.print()
    prose(out, f"The server authority: {risk(pki.server)}")
    identity, authority = describe(pki.identity(chosen[0]).chain[0]), describe(pki.server_authority.certificate)
    exported = Exported(place, authority, chosen[0], identity, frozenset(formats))
    for way in ways(exported):
        out.print(Text(f"\n{way.title}", style="bold"))
        for text, lines in way.steps:
            prose(out, text, first="  ")
            for line in lines:
                out.print(f"    {line}")
    out.print()
    prose(out, "The lab changed no trust store. What you trust by hand, take out again when you are done.", style="dim")


def _files(pki: Pki, names: tuple[str, ...], formats: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    yield "server-ca.pem", certificates_pem([pki.server_authority.certificate])
    for name in names:
        credential = pki.identity(name)
        for form in formats:
            yield from _in_format(name, credential, form)


def _in_format(name: str, credential: Credential, form: str) -> Iterator[tuple[str, bytes]]:
    if form == PEM:
        yield f"{name}.pem", certificates_pem(credential.chain)
        yield f"{name}-key.pem", key_pem(credential.key)
    elif form == APART:
        leaf, *authorities = credential.chain
        yield f"{name}-leaf-and-key.pem", certificates_pem([leaf]) + key_pem(credential.key)
        if authorities:
            yield f"{name}-chain.pem", certificates_pem(authorities)
    elif form == P12:
        yield f"{name}.p12", pkcs12_bytes(credential, name, PKCS12_PASSWORD)
    else:
        yield f"{name}-legacy.p12", pkcs12_bytes(credential, name, PKCS12_PASSWORD, legacy=True)


def _write(folder: Path, files: dict[str, bytes], force: bool) -> None:
    """Write every file with mode 0600, or none where one is in the way."""
    failed, hint = f"cannot write to {folder}", "name a folder that you may write to"
    with in_words(failed, hint):
        folder.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if os.path.lexists(folder / name)]
    if there and not force:
        raise UsageProblem(f"{folder} has {', '.join(there)} already", "--force replaces them")
    clear_drafts(folder)
    with draft(folder, files, failed, hint) as place:  # whoever reads a file meanwhile sees the old one or the new one
        for name in files:
            os.replace(place / name, folder / name)


# --- reset ----------------------------------------------------------------------------------------------------


@command.command(name="reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--server", "server_only", is_flag=True, help="Only the server authority; the identities stay.")
def reset(yes: bool, server_only: bool) -> None:
    """Make new authorities and identities; the old ones are moved aside.

    Programs that trusted the old server authority must be told to trust the new one. With --server only that one is
    new, for this machine's own names alone, and the old one's key is deleted.
    """
    out = console()
    where = home()
    if not yes:
        _ask(out, "a new server authority" if server_only else "new authorities and identities", where)
    if server_only:
        pki = open_home()
        pki.server.remake()
        tell(pki.server.news)
        return
    aside = reset_pki(where, datetime.now(UTC))
    pki = open_home()
    prose(out, f"New: {pki.folder}", rest="  ")
    if aside is not None:
        prose(out, f"The old ones were moved to {aside}", rest="  ")
        prose(out, "Take the old authority out of what trusts it, then delete that folder. A lab that is running now ")
        prose(out, "keeps the old certificates until it is started again.")


def _ask(out: Console, what: str, where: Path) -> None:
    prose(out, f"This makes {what} in {where}. What trusts the old server authority will not trust the new one.")
    prose(out, "Type yes to go on:")
    # Not click's prompt: that makes the same of Ctrl-C and of a "no".
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise LabError("nothing was changed", "type yes, or give --yes")
