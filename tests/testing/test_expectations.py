"""What a test expects, held against connections made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlslab.lab.summaries import ConnectionAccount
from tlslab.testing.expectations import TLS_ITSELF, Expected, complaint, described
from tlslab.types import ConnectionEnd

FROZEN = ConnectionAccount(
    1,
    "c:1",
    requests=["POST /upload"],
    deadlocked=True,
    how=ConnectionEnd.RESET,
    why="TimerExpired: ssl_renegotiation",
)
FINE = ConnectionAccount(2, "c:2", requests=["GET /a"], statuses=["200"], certificate="CN=alice", renegotiated=True)
DISTRUSTS = ConnectionAccount(3, "c:3", how=ConnectionEnd.CLOSED, why="AlertReceived: unknown_ca")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"deadlock": True}, [FROZEN]),
        ({"deadlock": False}, [FINE, DISTRUSTS]),
        ({"status": "200"}, [FINE]),
        ({"certificate": "alice", "renegotiated": True}, [FINE]),
        ({"certificate": "none"}, [FROZEN, DISTRUSTS]),
        ({"resumed": True}, []),
        ({"why": "TimerExpired"}, [FROZEN]),
        ({"status": "200", "certificate": "none"}, []),
    ],
)
def test_one_connection(wanted, fits):
    """All that is expected must be so of it."""
    for one in (FROZEN, FINE, DISTRUSTS):
        assert (complaint(Expected(**wanted), [one]) is None) is (one in fits)


def test_several_connections():
    """One must be all of it; but none may have deadlocked where none should."""
    assert complaint(Expected(deadlock=True), [FINE, FROZEN]) is None
    assert complaint(Expected(status="200", deadlock=True), [FINE, FROZEN]) is not None
    assert complaint(Expected(deadlock=False), [FINE, FROZEN]) == (
        "an upload deadlocked\n"
        "  #2 GET /a: 200, certificate alice, renegotiated, still open\n"
        "  #1 POST /upload: no answer, certificate none, deadlocked, reset (TimerExpired: ssl_renegotiation)"
    )
    assert complaint(Expected(status="200"), []) == "expected status='200', and nobody connected"


def test_where_tls_failed():
    """A ConnectionError of requests may be an SSLError: the complaint says that the failure was never reached."""
    told = complaint(Expected(deadlock=True), [DISTRUSTS])
    assert told is not None
    assert told.endswith(TLS_ITSELF)
    assert TLS_ITSELF not in str(complaint(Expected(deadlock=True), [FINE]))


def test_a_connection_that_the_lab_left():
    """The lab's own end is no reason."""
    assert described(replace(FINE, how=ConnectionEnd.ABANDONED)).endswith("abandoned (the lab ended)")
