"""openssl s_client: a client that does what is typed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tlslab.events import (
    ConnectionClosed,
    EntityBodyStalled,
    HttpErrLogged,
    RenegotiationRefused,
    RequestReceived,
    ResponseSent,
)

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs, Talk

RENEGOTIATION = "post-request-renegotiation"
Start = Callable[..., "Talk"]


@pytest.fixture
def s_client(require_client: Callable[[str], str], talk: Start) -> Start:
    """Return a function that connects `openssl s_client` to a lab, with alice's certificate and more options."""
    openssl = require_client("openssl")

    def start(lab: LabProcess, *more: str) -> Talk:
        cert, key = lab.alice
        words = ["-connect", f"127.0.0.1:{lab.port}", "-servername", "localhost", "-CAfile", lab.ca_file]
        words += [
            "-cert",
            cert,
            "-key",
            key,
            "-nocommands",
            "-ign_eof",
            *(more if "-tls1_3" in more else ("-tls1_2", *more)),
        ]
        started: Talk = talk(openssl, "s_client", *words)
        started.wait_for("Verify return code: 0 (ok)")
        return started

    return start


def request(method: str, path: str, body: int = 0) -> bytes:
    """Return the head of a request, and its body."""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body}\r\n\r\n".encode() + bytes(body)


def test_get_with_renegotiation(labs: Labs, s_client: Start) -> None:
    """A request that is typed gets its 200 after the second handshake; the first asked for no certificate."""
    lab = labs(RENEGOTIATION, speed=2)
    client = s_client(lab)
    assert "No client certificate CA names sent" in client.heard
    client.say(request("GET", "/protected"))
    client.wait_for('"subject": "CN=alice"')
    assert "HTTP/1.1 200" in client.heard


def test_large_post_freezes(labs: Labs, s_client: Start) -> None:
    """1 MiB freezes as curl's does."""
    lab = labs("large-post-deadlock", speed=24, settings={"timers.ssl_renegotiation": "30s"})
    seen = lab.watch()
    client = s_client(lab)
    client.say(request("POST", "/upload", 1024 * 1024))
    (line,) = seen.wait_for(HttpErrLogged)
    assert line.reason == "Timer_SslRenegotiation"
    assert seen.of(EntityBodyStalled)
    assert client.wait() != 0
    assert "HTTP/1.1" not in client.heard


def test_a_client_that_refuses(labs: Labs, s_client: Start) -> None:
    """`-no_renegotiation`: the connection is gone, and no status says why."""
    lab = labs(RENEGOTIATION, speed=2)
    seen = lab.watch()
    client = s_client(lab, "-no_renegotiation")
    client.say(request("GET", "/protected"))
    seen.wait_for(RenegotiationRefused)
    client.wait()
    assert "HTTP/1.1" not in client.heard
    seen.settled()
    assert [event.how for event in seen.of(ConnectionClosed)] == ["reset"]
    assert not seen.of(ResponseSent)


@pytest.mark.parametrize("notify", ["false", "true"])
def test_http_1_0_without_host(labs: Labs, s_client: Start, notify: str) -> None:
    """A request from 1996 is answered, and the connection ends with the answer.

    OpenSSL 3 takes it for an error that http.sys sends no close_notify, and for none where EnableSslCloseNotify is set.
    """
    lab = labs(RENEGOTIATION, speed=2, settings={"enable_ssl_close_notify": notify})
    seen = lab.watch()
    client = s_client(lab)
    client.say(b"GET /protected HTTP/1.0\r\n\r\n")
    client.wait_for('"subject": "CN=alice"')
    assert client.wait() == (0 if notify == "true" else 1)
    seen.settled()
    assert [event.http_version for event in seen.of(RequestReceived)] == ["1.0"]
    assert [event.status for event in seen.of(ResponseSent)] == [200]


@pytest.mark.parametrize("offers", [False, True])
@pytest.mark.parametrize(
    ("on_unavailable", "answer"), [("reset", ""), ("status_500", "500"), ("no_certificate", "403")]
)
def test_tls13_on_demand(labs: Labs, s_client: Start, offers: bool, on_unavailable: str, answer: str) -> None:
    """As browsers do, it offers no post-handshake authentication unless it is told to; then it is asked."""
    lab = labs("tls13-certificate-on-demand", settings={"on_unavailable": on_unavailable})
    client = s_client(lab, "-tls1_3", *(["-enable_pha"] if offers else []))
    client.say(request("GET", "/protected"))
    if offers or answer:
        client.wait_for(f"HTTP/1.1 {'200' if offers else answer}")
    else:
        client.wait()
        assert "HTTP/1.1" not in client.heard
