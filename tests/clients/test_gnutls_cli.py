"""gnutls-cli: the other TLS library, and one that tells when it is asked to shake hands again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tlslab.events import EntityBodyStalled, HttpErrLogged, ResponseSent, TlsFailed

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs, Talk

RENEGOTIATION = "post-request-renegotiation"
Start = Callable[..., "Talk"]


@pytest.fixture
def gnutls(require_client: Callable[[str], str], talk: Start) -> Start:
    """Return a function that connects gnutls-cli to a lab, with alice's certificate and a priority string."""
    program = require_client("gnutls-cli")

    def start(lab: LabProcess, priority: str = "NORMAL") -> Talk:
        cert, key = lab.alice
        words = ["--x509cafile", lab.ca_file, "--x509certfile", cert, "--x509keyfile", key]
        words += ["--priority", priority, "--port", str(lab.port), "localhost"]
        started: Talk = talk(program, *words)
        started.wait_for("Simple Client Mode")
        return started

    return start


def request(method: str, path: str, body: int = 0) -> bytes:
    """Return the head of a request, and its body."""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body}\r\n\r\n".encode() + bytes(body)


def test_get_with_renegotiation(labs: Labs, gnutls: Start) -> None:
    """It says that it was asked, shakes hands again, and shows the answer."""
    client = gnutls(labs(RENEGOTIATION, speed=2))
    client.say(request("GET", "/protected"))
    client.wait_for('"subject": "CN=alice"')
    assert "*** Received rehandshake request" in client.heard
    assert "*** Rehandshake was performed" in client.heard
    assert "HTTP/1.1 200" in client.heard


def test_large_post_freezes(labs: Labs, gnutls: Start) -> None:
    """1 MiB freezes until the timer ends it."""
    lab = labs("large-post-deadlock", speed=24, settings={"timers.ssl_renegotiation": "30s"})
    seen = lab.watch()
    client = gnutls(lab)
    client.say(request("POST", "/upload", 1024 * 1024))
    (line,) = seen.wait_for(HttpErrLogged)
    assert line.reason == "Timer_SslRenegotiation"
    assert seen.of(EntityBodyStalled)
    assert client.wait() != 0
    assert "HTTP/1.1" not in client.heard


def test_without_safe_renegotiation(labs: Labs, gnutls: Start) -> None:
    """A client without RFC 5746 is not renegotiated with: TLS fails, and there is no answer."""
    lab = labs(RENEGOTIATION, speed=2)
    seen = lab.watch()
    client = gnutls(lab, "NORMAL:%DISABLE_SAFE_RENEGOTIATION")
    client.say(request("GET", "/protected"))
    (failed,) = seen.wait_for(TlsFailed)
    assert failed.kind == "unsafe_renegotiation"
    assert client.wait() != 0
    assert not seen.of(ResponseSent)


def test_the_fix_helps_it_too(labs: Labs, gnutls: Start) -> None:
    """Where the binding negotiates there is no second handshake, safe or not."""
    client = gnutls(labs(RENEGOTIATION, "negotiate-on-binding", speed=2), "NORMAL:%DISABLE_SAFE_RENEGOTIATION")
    client.say(request("GET", "/protected"))
    client.wait_for('"subject": "CN=alice"')
    assert "rehandshake" not in client.heard
