"""Several bindings, seen by curl: by name and without one, over IPv4 and IPv6, each with its own settings."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tlslab.events import BindingChosen, CertificateRequested, ConnectionClosed, NoBindingMatched

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

SCENARIO = """\
format_version: 1
title: Several bindings
story: One port, several records.
sources: [this test]
symptoms: [none]
profile: windows-server-2012-r2
bindings:
{bindings}
sites:
  - {{path: /protected, ssl_flags: [Ssl, SslNegotiateCert, SslRequireCert]}}
symptom:
  client: [{{request: GET /protected}}]
  expect: {{outcome: 200}}
fixes: {{}}
teach: Look which record answers.
"""
BINDING = '  {name}: {{endpoint: "{endpoint}", client_cert_negotiation: {asks}, protocols: [TLS1.2]}}'
NAMES = {"asking": ("asking.localhost:8443", "enable"), "quiet": ("quiet.localhost:8443", "disable")}
BOTH_FAMILIES = {"four": ("0.0.0.0:8443", "disable"), "six": ("[::]:8443", "enable"), **NAMES}
RESET_CODES = {35, 56}  # CURLE_SSL_CONNECT_ERROR, CURLE_RECV_ERROR: which of them depends on curl's version


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's scenarios are."""
    return tmp_path_factory.mktemp("bindings")


def serve(labs: Labs, folder: Path, name: str, bindings: dict[str, tuple[str, str]]) -> LabProcess:
    """A lab with these bindings: endpoint and clientcertnegotiation, by name."""
    lines = [BINDING.format(name=key, endpoint=endpoint, asks=asks) for key, (endpoint, asks) in bindings.items()]
    path = folder / f"{name}.yaml"
    path.write_text(SCENARIO.format(bindings="\n".join(lines)), encoding="utf-8")
    return labs(str(path))


@dataclass(frozen=True)
class Got:
    """What one curl came to, and what the lab chose for it."""

    code: int
    answer: dict[str, Any]
    chosen: list[tuple[str, str]]
    asked: list[str]


@dataclass(frozen=True)
class Caller:
    """curl, with the files of a lab."""

    path: str
    lab: LabProcess

    def get(self, binding: str, hostname: str) -> Got:
        """Ask the port of a binding by this name or address, wherever DNS would send that name."""
        one = next(one for one in self.lab.ready["bindings"] if one["name"] == binding)
        url = f"https://{hostname}:{one['port']}/protected"
        host = f"[{one['host']}]" if ":" in one["host"] else one["host"]
        cert, key = self.lab.alice
        command = [self.path, "-q", "-sS", "--noproxy", "*", "--cacert", self.lab.ca_file, "--cert", cert, "--key", key]
        if "unknown" in hostname:
            command.append("-k")  # no certificate of this lab carries that name
        seen = self.lab.watch()
        done = subprocess.run(
            [*command, "--connect-to", f"::{host}:{one['port']}", url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        seen.wait_for(ConnectionClosed)
        return Got(
            done.returncode,
            json.loads(done.stdout or "{}"),
            [(event.binding, event.by) for event in seen.of(BindingChosen)],
            [event.during for event in seen.of(CertificateRequested)],
        )


@pytest.fixture
def both(labs: Labs, folder: Path, require_client: Any) -> Caller:
    """A lab with an address record for each family, and two names."""
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    return Caller(require_client("curl"), serve(labs, folder, "both-families", BOTH_FAMILIES))


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("port_of", "hostname", "chosen", "by", "asked"),
    [
        ("four", "localhost", "four", "address", "renegotiation"),
        ("four", "127.0.0.1", "four", "address", "renegotiation"),  # an address: no server name is sent
        ("six", "localhost", "six", "address", "handshake"),
        ("six", "[::1]", "six", "address", "handshake"),
        ("four", "asking.localhost", "asking", "sni", "handshake"),
        ("four", "quiet.localhost", "quiet", "sni", "renegotiation"),
        ("four", "unknown.localhost", "four", "address", "renegotiation"),
    ],
)
def test_each_family_and_name_has_its_own_settings(
    port_of: str, hostname: str, chosen: str, by: str, asked: str, both: Caller
) -> None:
    """The address that was dialled and the name that was sent decide the record, and the record when to ask."""
    got = both.get(port_of, hostname)
    assert (got.code, got.answer["status"], got.answer["binding"]) == (0, "200", chosen)
    assert got.answer["client_certificate"]["subject"] == "CN=alice"
    assert (got.chosen, got.asked) == ([(chosen, by)], [asked])


@pytest.mark.parametrize("hostname", ["127.0.0.1", "unknown.localhost"])
def test_names_alone_reset_everybody_else(hostname: str, labs: Labs, folder: Path, require_client: Any) -> None:
    """Without a record for the address, a client that names none of the names is reset, and the lab says why."""
    lab = serve(labs, folder, "names-only", NAMES)
    seen = lab.watch()
    got = Caller(require_client("curl"), lab).get("asking", hostname)
    assert got.code in RESET_CODES
    assert (got.chosen, got.asked) == ([], [])
    (event,) = seen.of(NoBindingMatched)
    assert event.server_name == (None if hostname == "127.0.0.1" else hostname)
    assert [event.how for event in seen.of(ConnectionClosed)] == ["reset"]


def test_names_alone_serve_those_who_name_them(labs: Labs, folder: Path, require_client: Any) -> None:
    """The contrast, on the same port."""
    got = Caller(require_client("curl"), serve(labs, folder, "names-only", NAMES)).get("asking", "asking.localhost")
    assert (got.code, got.answer["status"], got.chosen) == (0, "200", [("asking", "sni")])
