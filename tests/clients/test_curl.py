"""curl against a running lab: the freeze every time, that it is real, and what else the README lets people try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pytest

from tlslab.events import (
    ClientHelloReceived,
    ConnectionClosed,
    EntityBodyResumed,
    EntityBodyStalled,
    HelloRequestSent,
    HttpErrLogged,
    PeerClosed,
    ResponseSent,
    TimerExpired,
)
from tlslab.scenario.schema import Step

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, LabProcess, Labs

DEADLOCK, RENEGOTIATION = "large-post-deadlock", "post-request-renegotiation"
SIZES = pytest.mark.parametrize("size", [100_000, 1024 * 1024, 10 * 1024 * 1024], ids=["100KB", "1MiB", "10MiB"])
TIMES = 20
FREEZES_SHORT: Mapping[str, str] = {"timers.ssl_renegotiation": "30s"}


def freezing(labs: Labs) -> LabProcess:
    """A lab whose freeze lasts 30 of its seconds, and little more than one of ours."""
    return labs(DEADLOCK, speed=24, settings=FREEZES_SHORT)


@SIZES
def test_the_freeze_happens_every_time(size: int, labs: Labs, curl: CurlClient) -> None:
    """20 uploads of 20 freeze until the timer ends them, and HTTPERR has the reason for each."""
    lab = freezing(labs)
    seen = lab.watch()
    ends = curl.at_once(lab, Step(request="POST /upload", body=size), TIMES)
    assert {end.code for end in ends} <= {55, 56}, ends
    assert {line.reason for line in seen.wait_for(HttpErrLogged, TIMES)} == {"Timer_SslRenegotiation"}
    stalls = {stall.connection: stall for stall in seen.of(EntityBodyStalled)}
    expired = {event.connection: event for event in seen.of(TimerExpired)}
    assert len(stalls) == len(expired) == TIMES
    for connection, stall in stalls.items():
        assert stall.body_buffered >= 40 * 1024
        assert stall.body_announced == size
        assert stall.tls_unread + stall.socket_unread > 0
        assert expired[connection].at - stall.at > 30 - 5
    assert not seen.of(ResponseSent)
    assert {event.how for event in seen.wait_for(ConnectionClosed, TIMES)} == {"reset"}


@SIZES
def test_the_freeze_is_real(size: int, labs: Labs, curl: CurlClient) -> None:
    """Let the server read on after a minute: the ClientHello is there, behind the body, and the answer is 200."""
    settings = {"sites./upload.client_cert_retrieval.read_on_after": "60s", "timers.ssl_renegotiation": "600s"}
    lab = labs(DEADLOCK, speed=40, settings=settings)
    seen = lab.watch()
    (end,) = curl.walk(lab, [Step(request="POST /upload", body=size)])
    assert (end.code, end.outcome.kind, end.outcome.certificate) == (0, "200", "CN=alice"), end
    assert end.outcome.body_length == size
    seen.settled()
    (resumed,) = seen.of(EntityBodyResumed)
    assert resumed.after_seconds >= 59
    (hello,) = [event for event in seen.of(ClientHelloReceived) if event.renegotiation]
    assert hello.behind_body_bytes is not None
    assert hello.behind_body_bytes > 40 * 1024
    assert len(seen.of(ConnectionClosed)) == 1


@pytest.mark.parametrize("size", [100_000, 1024 * 1024], ids=["100KB", "1MiB"])
def test_curl_that_gives_up_is_noticed_at_once(size: int, labs: Labs, curl: CurlClient) -> None:
    """`curl -m 2` ends its connection long before the lab's two minutes, and the lab knows."""
    lab = labs(DEADLOCK)
    seen = lab.watch()
    (end,) = curl.walk(lab, [Step(request="POST /upload", body=size, gives_up_after=2)])
    assert end.code == 28, end
    (left,) = seen.wait_for(PeerClosed)
    (stalled,) = seen.of(EntityBodyStalled)
    assert left.during == "certificate_retrieval"
    assert 1 < left.at - stalled.at < 60
    seen.settled()
    assert not seen.of(TimerExpired)


@pytest.mark.parametrize(("scenario", "path"), [(DEADLOCK, "/upload"), (RENEGOTIATION, "/protected")])
@pytest.mark.parametrize(("identity", "outcome", "subject"), [("alice", "200", "CN=alice"), ("none", "403.7", None)])
def test_get_with_and_without_a_certificate(
    scenario: str,
    path: str,
    identity: Literal["alice", "none"],
    outcome: str,
    subject: str | None,
    labs: Labs,
    curl: CurlClient,
) -> None:
    """A GET gets 200 with the certificate and 403.7 without one, in both scenarios."""
    (end,) = curl.walk(labs(scenario, speed=2), [Step(request=f"GET {path}", identity=identity)])
    assert (end.code, end.outcome.kind, end.outcome.certificate) == (0, outcome, subject), end


def test_a_page_for_people_says_403_7(labs: Labs, curl: CurlClient) -> None:
    """Whoever accepts HTML gets a page, with `403.7` literally in it."""
    lab = labs(RENEGOTIATION, speed=2)
    (command,) = lab.curl_commands([Step(request="GET /protected", identity="none")], curl.uploads)
    process = curl.start(command, "-H", "Accept: text/html")
    page, _ = process.communicate(timeout=60)
    assert "403.7" in page
    assert page.lstrip().lower().startswith("<!doctype html>")


def test_a_client_that_waits_longer_for_the_100_escapes(labs: Labs, curl: CurlClient) -> None:
    """The server takes two real seconds to ask. curl waits for one by default, and escapes when told to wait."""
    settings = {"timers.ssl_renegotiation": "3s", "sites./upload.application_delay": '"2s"'}
    lab = labs(DEADLOCK, "expect-100-continue", settings=settings)
    step = Step(request="POST /upload", body=1024 * 1024, expect_100=1)
    (end,) = curl.walk(lab, [step], "--expect100-timeout", "30")
    assert (end.code, end.outcome.kind) == (0, "200"), end


def test_curl_escapes_by_itself_above_1_mib(labs: Labs, curl: CurlClient) -> None:
    """Without `-H Expect:` curl asks for a 100 before a body of more than 1 MiB, and gets its 200."""
    lab = labs(DEADLOCK, speed=2)
    (command,) = lab.curl_commands([Step(request="POST /upload", body=10 * 1024 * 1024)], curl.uploads)
    at = command.index("Expect:")
    end = curl.end(curl.start([*command[: at - 1], *command[at + 1 :]]))
    assert (end.code, end.outcome.kind) == (0, "200"), end


def test_http2_is_not_offered(labs: Labs, curl: CurlClient) -> None:
    """A client that would speak h2 is answered over HTTP/1.1: there is no renegotiation in HTTP/2."""
    (end,) = curl.walk(labs(RENEGOTIATION, speed=2), [Step(request="GET /protected")], "--http2")
    assert (end.outcome.kind, end.versions) == ("200", ["1.1"]), end


def test_many_at_once(labs: Labs, curl: CurlClient) -> None:
    """50 clients renegotiate at the same time, and each gets its own answer."""
    lab = labs(RENEGOTIATION, speed=2)
    seen = lab.watch()
    ends = curl.at_once(lab, Step(request="GET /protected"), 50)
    assert {(end.code, end.outcome.kind, end.outcome.certificate) for end in ends} == {(0, "200", "CN=alice")}
    assert len(seen.wait_for(ResponseSent, 50)) == len(seen.of(HelloRequestSent)) == 50


def test_the_frozen_do_not_hold_up_the_others(labs: Labs, curl: CurlClient) -> None:
    """While 20 uploads are frozen a GET is answered as if nothing were wrong."""
    lab = labs(DEADLOCK)
    seen = lab.watch()
    (command,) = lab.curl_commands([Step(request="POST /upload", body=100_000)], curl.uploads)
    frozen = [curl.start(command) for _ in range(TIMES)]
    seen.wait_for(EntityBodyStalled, TIMES)
    (end,) = curl.walk(lab, [Step(request="GET /upload")])
    assert end.outcome.kind == "200", end
    for process in frozen:
        process.kill()
    assert len(seen.settled()) > 0
    assert not seen.of(TimerExpired)
