"""What each connection came to, folded from the events of whole conversations in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tlslab.client.identities import People
from tlslab.events import ConnectionSummary, Event, RequestReceived, ResponseSent
from tlslab.lab.summaries import MOST, ConnectionAccount, Summaries
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.verify.memory import World

UPLOAD: dict[str, Any] = {"request": "POST /upload", "body": 2**20}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a lab."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def summaries(pki, shipped):
    """Walk steps through a scenario with these fixes, and return the summaries and whatever is still open."""

    def walk(name: str, *steps: Step, fixes: tuple[str, ...] = ()) -> list[ConnectionSummary]:
        told: list[Event] = []
        folded = Summaries(told.extend)
        World(build(shipped(name), fixes, {}, pki), People(pki), WritingStyle.WRITES_EVERYTHING, read=folded.note).walk(
            steps
        )
        assert not folded.kept
        return [event for event in told if isinstance(event, ConnectionSummary)]

    return walk


def test_a_freeze_and_its_cure(summaries):
    """The deadlock, and why it ended; with the fix everything arrives, and the client closes."""
    [frozen] = summaries("large-post-deadlock", Step(**UPLOAD))
    assert (frozen.deadlocked, frozen.how, frozen.why) == (True, "reset", "TimerExpired: ssl_renegotiation")
    assert (frozen.requests, frozen.statuses, frozen.certificate) == (("POST /upload",), (), None)
    assert (frozen.handshakes, frozen.renegotiated, frozen.protocol) == (1, False, "TLS 1.2")
    assert 40 * 1024 <= frozen.body_received < 2**20
    assert frozen.seconds == pytest.approx(120, abs=1)
    [cured] = summaries("large-post-deadlock", Step(**UPLOAD), fixes=("negotiate-on-binding",))
    assert (cured.deadlocked, cured.how, cured.why) == (False, "closed", "PeerClosed: idle")
    assert (cured.statuses, cured.certificate, cured.body_received) == (("200",), "CN=alice", 2**20)


@pytest.mark.parametrize(
    ("scenario", "step", "why", "statuses", "renegotiated"),
    [
        ("post-request-renegotiation", {"request": "GET /protected"}, "PeerClosed: idle", ("200",), True),
        (
            "post-request-renegotiation",
            {"request": "GET /protected", "renegotiation": "refuse"},
            "RenegotiationRefused",
            (),
            False,
        ),
        ("upload-read-ahead-413", UPLOAD, "ReadAheadExceeded", ("413",), False),
        ("stale-binding", {"request": "GET /public"}, "CertificateNotUsable", (), False),
    ],
)
def test_why_it_ended(summaries, scenario, step, why, statuses, renegotiated):
    """The event that ended it, and what was answered before."""
    [seen] = summaries(scenario, Step(**step))
    assert seen.why == why
    assert tuple(status.partition(".")[0] for status in seen.statuses) == statuses
    assert seen.renegotiated is renegotiated


def test_several_requests_and_a_session(summaries):
    """Bodies add up; a resumed session is told of the connection that resumed it."""
    first, second = summaries(
        "large-post-deadlock",
        Step(request="GET /upload"),
        Step(**UPLOAD, same_connection=True),
        Step(request="GET /upload", resumes=True),
    )
    assert (first.requests, first.body_received) == (("GET /upload", "POST /upload"), 2**20)
    assert (first.resumed, second.resumed, second.handshakes) == (False, True, 1)
    assert second.certificate == "CN=alice"  # which came in the session, and in no handshake


def test_a_connection_with_many_requests():
    """What is kept of one is bounded."""
    account = ConnectionAccount(1, "c:1")
    for number in range(3 * MOST):
        account.note(RequestReceived(0.0, 1, "site", "GET", f"/{number}", "1.1", 0, False, "", ""))
        account.note(ResponseSent(0.1, 1, "site", 200, 0, "GET", f"/{number}", None, 0, 0.1))
    assert (len(account.requests), len(account.statuses), account.requests[0]) == (MOST, MOST, "GET /0")
