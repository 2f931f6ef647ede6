"""What every test shares: hypothesis settings, certificates, a tap, and a list of the tests without their client."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tlslab.events import Event
from tlslab.pki.authorities import (
    SERVER_AUTH,
    Authority,
    Credential,
    issue_client,
    make_authority,
    server_credential,
)
from tlslab.scenario.load import LoadedScenario, load
from tlslab.text import HostPort
from tlslab.tls.context import ClientSettings, Protocol, ServerSettings, Shown

# Random on every run, with the blob that repeats a failure; no deadline, for a busy machine is not a defect.
# CI looks longer than a developer waits; a test that needs more looks asks for a multiple of what this profile has.
EXAMPLES = 100 if os.environ.get("CI") else 20
settings.register_profile("tlslab", derandomize=False, print_blob=True, deadline=None, max_examples=EXAMPLES)
settings.load_profile("tlslab")

# The lab is on loopback, and no proxy of the machine is to be asked for it.
for proxy in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(proxy, None)
    os.environ.pop(proxy.upper(), None)


# The others are named like their program.
DEBIAN_PACKAGES = {
    "apache2": "apache2-bin",
    "certutil": "libnss3-tools",
    "gnutls-cli": "gnutls-bin",
    "go": "golang-go",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "keytool": "default-jre-headless",
    "nginx": "nginx-light",
    "node": "nodejs",
    "nsenter": "util-linux",
    "pk12util": "libnss3-tools",
    "text2pcap": "wireshark-common",
}


@pytest.fixture(scope="session")
def require_client() -> Callable[[str], str]:
    """Return a function from a program's name to its path; a missing one skips the test, or fails it in CI."""
    return find_client


def find_client(name: str) -> str:
    """Return the path of `name`; where there is none, skip, or fail with TLSLAB_REQUIRE_CLIENTS=1."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"{name} is not installed (Debian: apt-get install {DEBIAN_PACKAGES.get(name, name)})"
    if os.environ.get("TLSLAB_REQUIRE_CLIENTS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], LoadedScenario]:
    """Return a function from a name to the scenario, read once: it takes longer than most tests that want it."""
    return cache(load)


@dataclass(frozen=True)
class Certificates:
    """One authority for servers, one for clients, and what they issued; nothing in it changes."""

    server_authority: Authority
    client_authority: Authority
    server: Credential
    clients: dict[str, Credential]


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Certificates of a lab: alice is in order, the others are not."""
    now = datetime.now(UTC)
    trusted, unknown = make_authority("Client Authority", now), make_authority("Unknown Authority", now)
    servers = make_authority("Server Authority", now)
    clients = {
        "alice": issue_client(trusted, "alice", now),
        "bob": issue_client(unknown, "bob", now),  # an issuer that the server does not trust
        "carol": issue_client(trusted, "carol", now - timedelta(days=900)),  # expired
        "dan": issue_client(trusted, "dan", now + timedelta(days=30)),  # not yet valid
        "erin": issue_client(trusted, "erin", now, purpose=SERVER_AUTH),  # meant for servers
    }
    return Certificates(servers, trusted, server_credential(servers, [], now), clients)


@pytest.fixture(scope="session")
def server_settings(certificates: Certificates) -> Callable[..., ServerSettings]:
    """Make the TLS settings of a binding: TLS 1.2, and no CertificateRequest in the first handshake, unless told."""

    def make(*protocols: Protocol, asks: bool = False) -> ServerSettings:
        authority = certificates.client_authority.certificate
        return ServerSettings(
            chain=certificates.server.chain,
            key=certificates.server.key,
            protocols=frozenset(protocols or {Protocol.TLS1_2}),
            asks_in_handshake=asks,
            client_authorities=(authority,),
            issuer_names=(authority.subject,),
        )

    return make


@pytest.fixture(scope="session")
def client_settings(certificates: Certificates) -> Callable[..., ClientSettings]:
    """Make the settings of a client that trusts the lab's servers, with one of the identities or none.

    With `filters` it goes by the issuers that the server names; `shows` is another chain and key than the identity's.
    """

    def make(
        identity: str | None = None, *, refuses: bool = False, filters: bool = False, shows: Shown | None = None
    ) -> ClientSettings:
        trusted = (certificates.server_authority.certificate,)
        if identity is None:
            return ClientSettings(trusted, refuses_renegotiation=refuses)
        credential = shows or certificates.clients[identity]
        if not filters:
            return ClientSettings(trusted, credential.chain, credential.key, refuses)
        mine = {one.issuer.public_bytes() for one in credential.chain}
        wallet = (Shown(credential.chain, credential.key),)
        return ClientSettings(trusted, wallet=wallet, choose=lambda named: 0 if not named or named & mine else None)

    return make


@dataclass
class Heard:
    """A tap, its one wire and a reader of events, that write down what they are told in one list."""

    looks_ahead: bool = True
    labels: tuple[str, ...] = ("CLIENT_RANDOM ",)  # how each line of secrets begins: TLS 1.2 has this one
    told: list[str] = field(default_factory=list)
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    unread: bytes = b""
    addresses: tuple[HostPort, HostPort] | None = None

    def open(self, _number: int, peer: HostPort, local: HostPort, _at: float) -> Heard:
        self.addresses = (peer, local)
        self.told.append("open")
        return self

    def secrets(self, line: str) -> None:
        assert line.startswith(self.labels)
        self.told.append("secrets")

    def received(self, data: bytes, _at: float) -> None:
        self.up += data
        self.unread = self.unread[len(data) :]
        self.told.append("received")

    def waiting(self, data: bytes, _at: float) -> None:
        self.unread = data
        self.told.append("waiting")

    def window_closed(self, _at: float) -> None:
        self.told.append("window closed")

    def sent(self, data: bytes, _at: float) -> None:
        self.down += data
        self.told.append("sent")

    def peer_ended(self, _at: float, *, reset: bool) -> None:
        self.told.append("peer reset" if reset else "peer fin")

    def ended(self, _at: float, *, reset: bool) -> None:
        self.told.append("reset" if reset else "fin")

    def settle(self) -> None:
        self.told.append("settled")

    def read(self, event: Event) -> None:
        """Write down whose event it is; several of one in a row count as one."""
        word = "events" if event.connection else "events of the lab"
        if self.told[-1:] != [word]:
            self.told.append(word)

    def take(self) -> list[str]:
        """What was told since the last call."""
        taken, self.told = self.told, []
        return taken

    @property
    def facts(self) -> list[str]:
        """What passed on the wire, without the looks at what waits and without the pauses."""
        return [word for word in self.told if word not in ("waiting", "settled")]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs, far from this checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=Path(__file__).parent.parent, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def make_tap() -> Callable[..., Heard]:
    """Make a tap that keeps what it is told."""
    return Heard


def pytest_collection_finish() -> None:
    """Take what collecting made, and what will stay to the end, out of all that the garbage collector walks."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the client tests that were skipped, by reason, so that a green run does not hide them."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "client" in report.keywords]
    if not skipped:
        return
    terminalreporter.section("tests of real clients that did not run")
    for (reason, file), count in sorted(Counter(map(_reason, skipped)).items()):
        terminalreporter.write_line(f"{reason} ({file}: {count} test{'s' if count > 1 else ''})")


def _reason(report: pytest.TestReport) -> tuple[str, str]:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: "), Path(report.nodeid.split("::")[0]).as_posix()
