"""Instructions for other programs: for what was exported, and nothing that was not."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tlslab.lab.trust import Exported, ways
from tlslab.pki.authorities import issue_client, make_authority
from tlslab.pki.description import describe

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AUTHORITY = describe(make_authority("tlslab Server CA 01234567", NOW).certificate)
ALICE = describe(issue_client(make_authority("tlslab Client CA", NOW), "alice", NOW).chain[0])
TITLES = ["curl", "Windows (Edge, Chrome, .NET, curl.exe)", "Browsers elsewhere", "Java", "Python", "Node"]
TITLES += ["Apache as a proxy in front of the lab"]


def exported(*formats: str, folder: str = "/x") -> Exported:
    """Alice in these formats."""
    return Exported(Path(folder), AUTHORITY, "alice", ALICE, frozenset(formats))


def text(what: Exported) -> dict[str, str]:
    """Everything that is said, by program."""
    return {way.title: "\n".join(line for said, lines in way.steps for line in (said, *lines)) for way in ways(what)}


@pytest.mark.parametrize("formats", [("pem",), ("p12",), ("p12-legacy",), ("pem", "p12"), ("p12", "p12-legacy")])
def test_every_program_is_told_what_there_is(formats):
    """Each learns of the authority; an identity's file is named only in a format that was exported."""
    told = text(exported(*formats))
    assert list(told) == TITLES
    assert all("server-ca.pem" in said for said in told.values())
    everything = "\n".join(told.values())
    assert ("/x/alice.pem" in everything) == ("/x/alice-key.pem" in everything) == ("pem" in formats)
    assert ("alice.p12" in everything) == ("p12" in formats)
    assert ("alice-legacy.p12" in everything) == ("p12-legacy" in formats and "p12" not in formats)


def test_what_is_missing_is_said():
    """Who needs another format hears which."""
    pem, p12 = text(exported("pem")), text(exported("p12"))
    assert all("--format p12" in pem[title] for title in TITLES[1:4])
    assert "--format pem" in p12["Python"]
    assert "--format apart" in pem[TITLES[-1]]
    apart = text(exported("pem", "apart"))[TITLES[-1]]
    assert 'SSLProxyMachineCertificateFile "/x/alice-leaf-and-key.pem"' in apart
    assert 'SSLProxyMachineCertificateChainFile "/x/alice-chain.pem"' in apart


def test_what_is_put_in_can_be_taken_out():
    """Whatever lands in a store that lasts has its line of the way back."""
    told = text(exported("p12"))
    assert 'certutil -user -delstore Root "tlslab Server CA 01234567"' in told[TITLES[1]]
    assert "certutil -user -delstore My " in told[TITLES[1]]
    assert '-D -n "tlslab Server CA 01234567"' in told[TITLES[2]]
    assert "-F -n alice" in told[TITLES[2]]


@pytest.mark.parametrize("folder", ["/with a space", "/it's", '/q"uote', "/$HOME"])
@pytest.mark.parametrize("form", ["pem", "p12"])
def test_lines_survive_odd_folders(folder, form):
    """The shell gives back each path whole."""
    for way in ways(exported(form, folder=folder)):
        if way.title in ("curl", "Browsers elsewhere", "Java"):
            words = [word for _, lines in way.steps for line in lines for word in shlex.split(line)]
            assert [word for word in words if "server-ca" in word] == [f"{folder}/server-ca.pem"]
