"""Each kind of client beside the program that it stands for: the same requests, from the same scenarios, end alike."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlslab.client.identities import People
from tlslab.client.kinds import client_kind
from tlslab.events import (
    AlertReceived,
    ClientCertificateNotSent,
    ClientCertificateReceived,
    Event,
    HelloRequestSent,
    PeerClosed,
    RenegotiationRefused,
    RequestReceived,
    ResponseSent,
)
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Step
from tlslab.text import format_status
from tlslab.verify.memory import World

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 120.0
POLICIES = Path("/etc/chromium/policies/managed")
# What a program calls itself in its requests: the program, and the kind that stands for it.
STANDS_FOR = {
    "curl": ("curl", "openssl+interleaved"),
    "wget": ("wget", "java"),
    "HttpClient": ("java", "java"),
    "go-once": ("go", "java+interleaved"),
    "chromium": ("chromium", "browser"),
    "go": ("go", "no-renegotiation+interleaved"),
    "node": ("node", "no-post-handshake-auth"),
}
LIST, VERDICTS, LATER, TLS13 = (
    "ca-list-truncation",
    "client-certificate-verdicts",
    "post-request-renegotiation",
    "tls13-certificate-on-demand",
)
REQUESTS = {
    "list": (LIST, "/protected?list", "alice"),
    "later": (LATER, "/protected?later", "alice"),
    "expired": (VERDICTS, "/accept?expired", "expired"),
    "usage": (VERDICTS, "/accept?usage", "wrong-eku"),
    "strange": (VERDICTS, "/protected?strange", "wrong-ca"),
    "in-tls13": (TLS13, "/protected?in-tls13", "alice"),
}
# wget offers TLS 1.3 a later question, which Java does not; HttpClient sends a GET that was reset once more.
DIFFERS = {("wget", "in-tls13"), ("HttpClient", "in-tls13")}


@dataclass(frozen=True)
class Signature:
    """What the server saw of a request: on how many connections it came, and what was sent, refused and answered."""

    arrivals: int
    certificates: tuple[str, ...]
    none_sent: int
    refused: int
    statuses: tuple[str, ...]


def signature(events: Sequence[Event], target: str, agent: str) -> Signature:
    """Read it from the connections on which this agent sent this request."""
    own = {
        event.connection
        for event in events
        if isinstance(event, RequestReceived) and (event.target, event.user_agent) == (target, agent)
    }
    seen = [event for event in events if event.connection in own]
    return Signature(
        len(own),
        tuple(event.subject for event in seen if isinstance(event, ClientCertificateReceived)),
        sum(isinstance(event, ClientCertificateNotSent) for event in seen),
        sum(isinstance(event, RenegotiationRefused) for event in seen),
        tuple(format_status(event.status, event.substatus) for event in seen if isinstance(event, ResponseSent)),
    )


# --- the programs -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(labs: Labs, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, LabProcess]:
    """The labs, after each program that is there has sent all requests."""
    running = {scenario: labs(scenario) for scenario, _, _ in REQUESTS.values()}
    folder = tmp_path_factory.mktemp("programs")
    commands = [*_programs(folder), *_one_by_one("curl", running), *_one_by_one("wget", running)]
    lines = [
        f"{name},GET,0,{_identity(running[scenario], identity)},https://localhost:{running[scenario].port}{target}"
        for name, (scenario, target, identity) in REQUESTS.items()
    ]
    authority = running[LIST].ca_file
    environment = {**os.environ, "GOCACHE": str(folder / "go"), "GO111MODULE": "off", "HOME": str(folder)}

    def run(words: Sequence[str]) -> None:
        more = [authority, *lines] if words[0] not in ("curl", "wget") else []
        subprocess.run(
            [*words, *more],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env=environment,
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, commands))
    return running


def _programs(folder: Path) -> Iterator[Sequence[str]]:
    commands = {
        "node": ["node", str(PROGRAMS / "requests.mjs")],
        "java": ["java", str(PROGRAMS / "Requests.java")],
        "go": ["go", "run", str(PROGRAMS / "requests.go")],
    }
    yield from (words for program, words in commands.items() if shutil.which(program))
    if shutil.which("chromium") and not why_not_chromium():
        yield [sys.executable, str(PROGRAMS / "chromium.py")]


def _one_by_one(program: str, running: Mapping[str, LabProcess]) -> Iterator[Sequence[str]]:
    for scenario, target, identity in REQUESTS.values() if shutil.which(program) else ():
        lab = running[scenario]
        files = _identity(lab, identity)
        if program == "curl":
            words = ["curl", "-q", "-sS", "-A", "curl", "--noproxy", "*", "--cacert", lab.ca_file]
            words += ["--cert", f"{files}.pem", "--key", f"{files}-key.pem"]
        else:
            words = ["wget", "--no-config", "--no-proxy", "-q", "-O", "-", "--tries=1", "--user-agent=wget"]
            words += [f"--ca-certificate={lab.ca_file}", f"--certificate={files}.pem", f"--private-key={files}-key.pem"]
        yield [*words, f"https://localhost:{lab.port}{target}"]


def _identity(lab: LabProcess, name: str) -> Path:
    return Path(lab.ready["identities"][name]["cert_file"]).with_suffix("")


def why_not_chromium() -> str:
    """What Chromium lacks besides itself; nothing where it has all."""
    if not (shutil.which("certutil") and shutil.which("pk12util")):
        return "certutil and pk12util are not installed (Debian: apt-get install libnss3-tools)"
    if not os.access(next(folder for folder in (POLICIES, *POLICIES.parents) if folder.exists()), os.W_OK):
        return f"{POLICIES} cannot be written, and without a policy Chromium asks a person for a certificate"
    return ""


# --- and the kinds ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of the kinds."""
    return open_pki(tmp_path_factory.mktemp("kinds"), datetime.now(UTC))


@pytest.fixture
def foreseen(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Callable[[str, str], Signature]:
    """Return a function that has a kind send a request, in memory."""

    def take(kind_name: str, request: str) -> Signature:
        scenario, target, identity = REQUESTS[request]
        kind = client_kind(kind_name)
        plan = build(shipped(scenario), (), {}, pki)
        steps = kind.laid_over([Step.model_validate({"request": f"GET {target}", "identity": identity})])
        events = World(plan, People(pki, kind.criteria), kind.style).walk(steps).events
        return signature(events, target, "tlslab")

    return take


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("agent", STANDS_FOR)
def test_a_kind_is_its_program(agent, request_name, served, foreseen, require_client):
    """The server sees the same of both: connections, certificates, refusals and answers."""
    program, kind = STANDS_FOR[agent]
    require_client(program)
    if program == "chromium" and (reason := why_not_chromium()):
        pytest.skip(reason)
    scenario, target, _ = REQUESTS[request_name]
    seen = signature(served[scenario].events(), target, agent)
    assert seen.arrivals
    if (agent, request_name) in DIFFERS:
        assert seen != foreseen(kind, request_name)
    else:
        assert seen == foreseen(kind, request_name)


def test_lftp_and_its_kind(labs, pki, shipped, require_client):
    """Asked to renegotiate, both leave without an answer and without an alert, whatever lftp asked before."""
    lab = labs(LATER)
    files = _identity(lab, "alice")
    settings = f"set ssl:ca-file {lab.ca_file}; set ssl:cert-file {files}.pem; set ssl:key-file {files}-key.pem; "
    settings += "set http:user-agent lftp; set net:max-retries 1; set net:reconnect-interval-base 1"
    told = f"{settings}; open https://localhost:{lab.port}; cat /protected"
    done = subprocess.run(
        [require_client("lftp"), "--norc", "-c", told], capture_output=True, timeout=PATIENCE, check=False
    )
    assert b"max-retries exceeded" in done.stderr
    plan = build(shipped(LATER), (), {}, pki)
    steps = client_kind("ignores-renegotiation").laid_over([Step(request="GET /protected")])
    foreseen = World(plan, People(pki), client_kind("lftp").style).walk(steps).events
    for events, agent in ((lab.events(), "lftp"), (foreseen, "tlslab")):
        asked = {
            event.connection
            for event in events
            if isinstance(event, RequestReceived) and (event.method, event.user_agent) == ("GET", agent)
        }
        assert asked
        for connection in asked:
            own = [event for event in events if event.connection == connection]
            behind = own[next(number for number, one in enumerate(own) if isinstance(one, HelloRequestSent)) :]
            assert any(isinstance(event, PeerClosed) for event in behind)
            assert not any(isinstance(event, AlertReceived | RenegotiationRefused | ResponseSent) for event in behind)


def test_kinds_differ_from_one_another(foreseen):
    """The contrast: no two of these kinds are the same to a server that is asked for all of it."""
    kinds = {re.sub(r"\+.*", "", kind) for _, kind in STANDS_FOR.values()}
    seen = {kind: tuple(foreseen(kind, name) for name in REQUESTS) for kind in kinds}
    assert len(set(seen.values())) == len(kinds) == 5
