"""Silences: between what, how long, and the longest of them."""

from __future__ import annotations

from dataclasses import replace

from tlslab.trace.ladder import longest, silences

LINES = [
    (0, "C", "ClientHello"),
    (1, "S", "ServerHello"),
    (1, "S", "ServerHelloDone"),
    (3, "C", "Finished"),
    (3, "S", "Finished"),
    (3, "C", "GET /a"),
    (8, "S", "200"),
    (68, "C", "GET /b"),
]


def test_longest(talk):
    """The longest silence is the longest in which somebody had to move; idle time is told apart."""
    found = silences(talk(LINES))
    work, idle = longest(found), longest(found, idle=True)
    assert work is not None
    assert idle is not None
    assert (work.seconds, work.after.frame, work.before and work.before.frame, str(work.turn.who)) == (
        5,
        6,
        7,
        "server",
    )
    assert (idle.seconds, str(idle.turn.who)) == (60, "nobody")


def test_the_capture_ends_first(talk):
    """An open connection is silent up to the end of the capture."""
    found = longest(silences(talk(LINES, until=200)))
    assert found is not None
    assert (found.seconds, found.before, str(found.turn.who)) == (132, None, "server")


def test_nothing_follows_a_reset(talk):
    """A connection that is over is not silent."""
    lines = [*LINES, (69, "S", "RST")]
    assert silences(talk(lines, until=500)) == silences(talk(lines))


def test_windows_end_no_silence(talk):
    """A receive window that closes is in the middle of a silence, and decides whose it is."""
    found = longest(silences(talk([*LINES, (70, "S", "full"), (80, "S", "RST")])))
    assert found is not None
    assert (found.seconds, found.after.frame, found.before and found.before.frame) == (12, 8, 10)
    assert "receive window is full (frame 9)" in found.turn.why


def test_a_window_that_was_closed(talk):
    """A window that opens at the end of a silence was closed in it; one that is closed for a moment says nothing."""
    sending = [*LINES[:5], (3, "C", "POST /a", {"content_length": 90}), (3, "C", "body", {"size": 50})]
    more = (9.1, "C", "body", {"size": 40, "ends": True})
    closed = longest(silences(talk([*sending, (3.1, "S", "full"), (9, "S", "open"), more])))
    moment = longest(silences(talk([*sending, (3.1, "S", "full"), (3.2, "S", "open"), more])))
    before = longest(silences(talk([*sending[:-1], (3, "S", "full"), sending[-1], (9, "S", "open"), more])))
    assert [one and str(one.turn.who) for one in (closed, moment, before)] == ["server", "client", "server"]


def test_missing_packets(talk):
    """Where packets are missing no turn is certain."""
    talked = talk(LINES)
    assert not any(one.turn.is_probable for one in silences(talked))
    assert all(one.turn.is_probable for one in silences(replace(talked, has_gaps=True)))


def test_what_cannot_be_seen(talk):
    """A silence of which nobody knows whose it was does not hide one that is known."""
    dark = {"size": 900, "encrypted": True}
    found = silences(talk([*LINES[:5], (3, "C", "data", dark), (8, "S", "data", dark), (68, "C", "data", dark)]))
    known, other = longest(found), longest(found, idle=True)
    assert [one and (one.seconds, str(one.turn.who)) for one in (known, other)] == [(5, "server"), (60, "unknown")]


def test_one_message(talk):
    """A single message has no silence after it when the capture ends there."""
    assert silences(talk(LINES[:1])) == []
    assert longest([]) is None
