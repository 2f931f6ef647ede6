"""What docs/clients.md and `tlslab show` say of each client, held against it: each plays the same requests."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlslab.cli.clients import CLIENTS, ClientFacts, Renegotiation
from tlslab.events import (
    ClientCertificateNotSent,
    ClientCertificateReceived,
    Event,
    RenegotiationRefused,
    RequestReceived,
    ResponseSent,
    SessionResumed,
)

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 120.0
POLICIES = Path("/etc/chromium/policies/managed")
# The program that a client needs, and what it calls itself in its requests.
NEEDS = {
    "curl": ("curl", "curl"),
    "wget": ("wget", "wget"),
    "Python http.client": ("python3", "python"),
    "Node https": ("node", "node"),
    "Java HttpClient": ("java", "HttpClient"),
    "Java HttpsURLConnection": ("java", "HttpsURLConnection"),
    "Go": ("go", "go"),
    "Go with RenegotiateOnceAsClient": ("go", "go-once"),
    "Chromium": ("chromium", "chromium"),
}
EVERY_CLIENT = pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
WHO_IS_ASKED = pytest.mark.parametrize(
    "client", [one for one in CLIENTS if one.renegotiation is not Renegotiation.REFUSES], ids=lambda one: one.name
)
Line = tuple[str, str, str]  # what it calls itself, the request's name, how that ended


@dataclass(frozen=True)
class Request:
    """What each client sends: the identity is a path without `.pem`."""

    name: str
    lab: LabProcess
    method: str
    size: int
    identity: Path
    path: str

    @property
    def url(self) -> str:
        """Where to."""
        return f"https://localhost:{self.lab.port}{self.path}"

    def __str__(self) -> str:
        return f"{self.name},{self.method},{self.size},{self.identity},{self.url}"


@dataclass
class Measured:
    """How each client's requests ended, by its name for itself and the request's, and what each lab saw of it."""

    requests: Sequence[Request]
    lines: list[Line] = field(default_factory=list)

    def outcome(self, agent: str, name: str) -> str:
        """How a client's last request of this name ended."""
        outcomes = [outcome for its, request, outcome in self.lines if (its, request) == (agent, name)]
        return outcomes[-1]

    def seen(self, agent: str, name: str) -> list[list[Event]]:
        """The events of each connection on which a client sent this request, and of those between without any."""
        request = next(one for one in self.requests if one.name == name)
        of_each: dict[int, list[Event]] = {}
        for event in request.lab.events():
            of_each.setdefault(event.connection, []).append(event)
        return [events for events in of_each.values() if any(_is(one, agent, request) for one in events)]


def _is(event: Event, agent: str, request: Request) -> bool:
    if not isinstance(event, RequestReceived):
        return False
    return (event.user_agent, event.method, event.target) == (agent, request.method, request.path)


def has(kind: type[Event], connections: Sequence[Sequence[Event]]) -> bool:
    """Whether there is an event of a type."""
    return any(isinstance(event, kind) for events in connections for event in events)


@pytest.fixture(scope="module")
def measured(labs: Labs, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Let each client that is installed take all requests, all at the same time."""
    verdicts, issuers, sessions = (
        labs(name) for name in ("client-certificate-verdicts", "ca-list-truncation", "session-lifetime")
    )
    freezing = labs("large-post-deadlock", speed=24, settings={"timers.ssl_renegotiation": "30s"})
    alice = Path(verdicts.alice[0]).with_suffix("")
    expired = Path(verdicts.ready["identities"]["expired"]["cert_file"]).with_suffix("")
    requests = [
        Request("first", sessions, "GET", 0, alice, "/shop"),
        Request("second", sessions, "GET", 0, alice, "/shop"),
        Request("follow", verdicts, "GET", 0, alice, "/protected"),
        Request("list", issuers, "GET", 0, alice, "/protected"),
        Request("expired", verdicts, "GET", 0, expired, "/accept"),
        Request("freeze", freezing, "POST", 1024 * 1024, alice, "/upload"),
    ]
    folder = tmp_path_factory.mktemp("clients")
    (folder / "body").write_bytes(bytes(1024 * 1024))
    runs: dict[str, Callable[[Sequence[Request], Path], Iterator[Line]]] = {
        "curl": with_curl,
        "wget": with_wget,
        "python3": with_python,
        "node": with_program("node", str(PROGRAMS / "requests.mjs")),
        "java": with_program("java", str(PROGRAMS / "Requests.java")),
        "go": with_program("go", "run", str(PROGRAMS / "requests.go")),
        "chromium": with_program(sys.executable, str(PROGRAMS / "chromium.py")),
    }
    if why_not_chromium():
        del runs["chromium"]
    present = [run for program, run in runs.items() if shutil.which(program)]
    with ThreadPoolExecutor(len(present)) as pool:
        found = list(pool.map(lambda run: list(run(requests, folder)), present))
    return Measured(requests, [line for lines in found for line in lines])


# --- how each takes them ----------------------------------------------------------------------------------------


def ran(words: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def outcome_of(text: str, complaint: str) -> str:
    """The last status that stands in an answer, or else what the client said."""
    statuses: list[str] = re.findall(r'"status": "([\d.]+)"', text)
    return statuses[-1] if statuses else complaint.strip()


def with_program(*command: str) -> Callable[[Sequence[Request], Path], Iterator[Line]]:
    """One of the folder `programs`, which take all requests and print a line for each."""

    def run(requests: Sequence[Request], folder: Path) -> Iterator[Line]:
        environment = {"GOCACHE": str(folder / "go"), "GO111MODULE": "off", "HOME": str(folder)}
        done = ran([*command, requests[0].lab.ca_file, *map(str, requests)], environment)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            agent, name, outcome = line.split("\t")
            yield agent, name, outcome

    return run


def with_curl(requests: Sequence[Request], folder: Path) -> Iterator[Line]:
    """One command for each request, but one for the first two: sessions end with it."""

    def words(one: Request) -> list[str]:
        more = ["-H", "Connection: close"] if one.path == "/shop" else []
        more += ["-H", "Expect:", "--data-binary", f"@{folder / 'body'}"] if one.size else []
        files = ["--cacert", one.lab.ca_file, "--cert", f"{one.identity}.pem", "--key", f"{one.identity}-key.pem"]
        return ["-sS", "-A", "curl", "--noproxy", "*", *files, *more, one.url]

    for group in [requests[:2], *([one] for one in requests[2:])]:
        asked = [words(one) for one in group]
        done = ran(["curl", "-q", *asked[0], *[word for one in asked[1:] for word in ["--next", *one]]])
        yield "curl", group[-1].name, outcome_of(done.stdout, done.stderr)


def with_wget(requests: Sequence[Request], folder: Path) -> Iterator[Line]:
    """The same; it keeps no connection."""
    for group in [requests[:2], *([one] for one in requests[2:])]:
        one = group[-1]
        words = ["wget", "--no-config", "--no-proxy", "-nv", "-O", "-", "--content-on-error", "--tries=1"]
        words += ["--user-agent=wget", "--no-http-keep-alive", f"--ca-certificate={one.lab.ca_file}"]
        words += [f"--certificate={one.identity}.pem", f"--private-key={one.identity}-key.pem"]
        words += [f"--post-file={folder / 'body'}"] if one.size else []
        done = ran([*words, *(one.url for one in group)])
        yield "wget", one.name, outcome_of(done.stdout, done.stderr)


def with_python(requests: Sequence[Request], _folder: Path) -> Iterator[Line]:
    """The library, in this process."""
    for one in requests:
        context = ssl.create_default_context(cafile=one.lab.ca_file)
        context.load_cert_chain(f"{one.identity}.pem", f"{one.identity}-key.pem")
        connection = http.client.HTTPSConnection("localhost", one.lab.port, context=context, timeout=PATIENCE)
        try:
            connection.request(one.method, one.path, bytes(one.size) or None, {"User-Agent": "python"})
            outcome = outcome_of(connection.getresponse().read().decode(), "")
        except OSError as error:
            outcome = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
        finally:
            connection.close()
        yield "python", one.name, outcome


# --- what is held -----------------------------------------------------------------------------------------------


@pytest.fixture
def agent(client: ClientFacts, require_client: Callable[[str], str]) -> str:
    """What the client calls itself; skips where it is not installed."""
    program, agent = NEEDS[client.name]
    require_client(program)
    if program == "chromium" and (reason := why_not_chromium()):
        if os.environ.get("TLSLAB_REQUIRE_CLIENTS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return agent


def why_not_chromium() -> str:
    """What Chromium lacks besides itself; nothing where it has all."""
    if not (shutil.which("certutil") and shutil.which("pk12util")):
        return "certutil and pk12util are not installed (Debian: apt-get install libnss3-tools)"
    if not os.access(next(folder for folder in (POLICIES, *POLICIES.parents) if folder.exists()), os.W_OK):
        return f"{POLICIES} cannot be written, and without a policy Chromium asks a person for a certificate"
    return ""


@EVERY_CLIENT
def test_renegotiation(client: ClientFacts, agent: str, measured: Measured) -> None:
    """Who follows gets in, on the first or a second connection; who refuses is reset, and never sees a status."""
    seen = measured.seen(agent, "follow")
    refuses = client.renegotiation is Renegotiation.REFUSES
    assert has(RenegotiationRefused, seen) is refuses
    assert has(ResponseSent, seen) is not refuses
    assert len(seen) == (2 if client.renegotiation is Renegotiation.COMES_BACK else 1)
    assert ("no renegotiation" if refuses else "200") in measured.outcome(agent, "follow")


@WHO_IS_ASKED
def test_the_list_of_issuers(client: ClientFacts, agent: str, measured: Measured) -> None:
    """Who goes by the list has nothing to send and gets 403.7; who does not gets in."""
    seen = measured.seen(agent, "list")
    assert has(ClientCertificateNotSent, seen) is client.goes_by_list
    assert has(ClientCertificateReceived, seen) is not client.goes_by_list
    assert measured.outcome(agent, "list") == ("403.7" if client.goes_by_list else "200")


@WHO_IS_ASKED
def test_a_certificate_that_has_expired(client: ClientFacts, agent: str, measured: Measured) -> None:
    """Most send it, and get 403.17; who looks at the dates offers none, and gets what somebody without one gets."""
    assert measured.outcome(agent, "expired") == ("200" if client.checks_dates else "403.17")
    assert has(ClientCertificateNotSent, measured.seen(agent, "expired")) is client.checks_dates


@EVERY_CLIENT
def test_sessions(client: ClientFacts, agent: str, measured: Measured) -> None:
    """Who resumes offers on its next connection the session id of the one before."""
    seen = measured.seen(agent, "second")
    statuses = [event for events in seen for event in events if isinstance(event, ResponseSent)]
    assert [event.status for event in statuses] == [200, 200]
    if client.name == "Chromium":  # which keeps its connection, until uploads are reset
        seen = measured.seen(agent, "freeze")
    assert len(seen) > 1
    assert has(SessionResumed, seen) is client.resumes


@EVERY_CLIENT
def test_an_upload_that_freezes(client: ClientFacts, agent: str, measured: Measured) -> None:
    """What it says of the reset, and how often it has sent the upload by then."""
    seen = measured.seen(agent, "freeze")
    assert not has(ResponseSent, [events for events in seen if client.name != "Chromium"])  # it opened the page there
    least = 2 if client.name == "Chromium" else client.most_uploads  # a third time if it has connected in advance
    assert least <= len(seen) <= client.most_uploads
    assert client.frozen in measured.outcome(agent, "freeze")


@pytest.mark.parametrize("client", [one for one in CLIENTS if one.name == "Chromium"], ids=["Chromium"])
def test_the_page_says_two_things(agent: str, measured: Measured) -> None:
    """The output that screen readers speak changes at the start of an upload and at its end, whatever ticks between."""
    first, last = measured.outcome(agent, "freeze").split(" | ")
    assert first == "POST 1 MiB to /upload ..."
    assert re.fullmatch(r"POST 1 MiB to /upload: Failed to fetch after \d+\.\d s", last)
