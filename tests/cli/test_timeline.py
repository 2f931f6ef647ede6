"""The live timeline, and the summary at its end."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest

from tlslab import events as e
from tlslab.cli.console import LabConsole
from tlslab.cli.timeline import Freezes, Tally, Timeline
from tlslab.types import BindingKey, ConnectionEnd, Fault

STALLED = e.EntityBodyStalled(12.3456, 3, "site", 40960, 2**20, 1000, 2000, "ClientHello")
# As the nearest of eight colours: rich keeps how it wrote a style, and other tests write these, too.
RED, GREEN, ORANGE = "\x1b[1;31m", "\x1b[32m", "\x1b[33m"


def shown(*events: e.Event, terminal: bool, verbose: bool = False, width: int = 80) -> list[str]:
    """What an event looks like."""
    file = io.StringIO()
    out = LabConsole(patient=False, file=file, width=width, soft_wrap=True, force_terminal=terminal, color_system=None)
    Timeline(out, verbose).show(events)
    return file.getvalue().rpartition("\n")[0].splitlines()  # without the line of what is stuck


def test_a_file_gets_one_line_for_each_event():
    """Lab time, connection, sentence."""
    (line,) = shown(STALLED, terminal=False)
    assert line.startswith("   12.346  #3   STUCK: 40 KiB of the body are buffered")


@pytest.mark.parametrize("terminal", [True, False])
def test_events_that_come_together_are_shown_together(terminal):
    """Each has its line, in order, and what has none leaves no gap."""
    silent = e.BindingChosen(0.0, 1, "site", BindingKey.SNI, "a:1", "enable")
    opened = [e.ConnectionOpened(float(n), n, "", "127.0.0.1:1", "127.0.0.1:2") for n in (1, 2)]
    lines = shown(opened[0], silent, opened[1], terminal=terminal)
    assert [line.split()[1] for line in lines] == ["#1", "#2"]
    assert shown(silent, terminal=terminal) == []


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_gets_whole_words(width):
    """A long sentence goes on under its beginning."""
    first, *rest = shown(STALLED, terminal=True, width=width)
    assert rest
    assert max(map(len, (first, *rest))) <= width
    assert all(line.startswith(" " * 16) and line[16] != " " for line in rest)
    assert [" ".join(" ".join([first, *rest]).split())] == [" ".join(shown(STALLED, terminal=False)[0].split())]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (e.HelloRequestSent(0.0, 1, "site"), "HelloRequest: the server asks"),
        (
            e.ResponseSent(0.0, 1, "site", 200, 0, "GET", "/", "CN=a", 0, 0.1),
            f"{GREEN}200 for GET / (CN=a)\x1b[0m\n",
        ),
        (
            e.ResponseSent(0.0, 1, "site", 404, 0, "GET", "/", "CN=a", 0, 0.1),
            f"{RED}404 for GET / (CN=a)\x1b[0m\n",
        ),
        (
            e.ClientCertificateNotSent(0.0, 1, "site"),
            f"{ORANGE}the client was asked and sent no certificate\x1b[0m\n",
        ),
        (
            e.InternalFault(0.0, 1, "site", Fault.EXCEPTION, "", "T\n  U"),
            f"{RED}a defect of tlslab ended this connection; please report it:\x1b[0m\n"
            f"{RED}                T\x1b[0m\n\x1b[1;31m                  U\x1b[0m\n",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_styles(event, text, colours):
    """As rich writes them, which ends a style with its line and begins it anew on the next; or none of them."""
    file = io.StringIO()
    look: dict[str, Any] = {"force_terminal": True, "color_system": "standard" if colours else None, "no_color": False}
    Timeline(LabConsole(patient=False, file=file, width=80, soft_wrap=True, **look), False).show([event])
    text = f"\x1b[2m    0.000  \x1b[0m\x1b[36m#1   \x1b[0m{text}"
    assert file.getvalue().startswith(text if colours else re.sub(r"\x1b\[[\d;]*m", "", text))


ASKED = e.CertificateRetrievalStarted(12.0, 3, "site", "synchronous", 40960, 2**20, False, 120.0)


def test_what_is_stuck():
    """Since when, of how long; the first of several; nothing once it is over."""
    now = [0.0]
    freezes = Freezes(24.0, lambda: now[0])
    assert freezes.line() == ""
    freezes.note([ASKED, STALLED])
    now[0] = 1.875
    assert freezes.line().strip() == "#3 still stuck, 45 of 120 s, the server's turn"
    freezes.note([replace(ASKED, connection=4), replace(STALLED, connection=4)])
    assert freezes.line().strip().startswith("2 still stuck, #3 longest, 45 of 120 s")
    freezes.note([e.EntityBodyResumed(60.0, 3, "site", 45.0)])
    assert freezes.line().strip().startswith("#4 still stuck, 0 of 120 s")
    freezes.note([e.ConnectionClosed(60.0, 4, "site", ConnectionEnd.RESET, 45.0)])
    assert freezes.line() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_line_of_what_is_stuck(terminal):
    """On a terminal it stands below all others, and goes when they come; a file has none."""
    file = io.StringIO()
    out = LabConsole(patient=False, file=file, width=200, soft_wrap=True, force_terminal=terminal, color_system=None)
    timeline = Timeline(out, verbose=False)
    assert timeline.is_live is terminal
    timeline.show([ASKED, STALLED])
    timeline.show([])
    timeline.show([e.ConnectionClosed(132.0, 3, "site", ConnectionEnd.RESET, 132.0)])
    assert "STUCK" in file.getvalue()
    if terminal:
        live, closed = file.getvalue().rstrip("\n").rpartition("\n")[2].split("\r\x1b[2K")
        assert live.strip() == "#3 still stuck, 0 of 120 s, the server's turn"
    else:
        closed = file.getvalue().splitlines()[-1]
        assert "still stuck" not in file.getvalue()
    assert "connection reset by the server" in closed


def test_quiet_events():
    """An event without a sentence is shown with -v alone."""
    event = e.BindingChosen(0.0, 1, "site", BindingKey.SNI, "a:1", "enable")
    assert shown(event, terminal=False) == []
    assert shown(event, terminal=False, verbose=True) == [
        "    0.000  #1   BindingChosen by=sni endpoint=a:1 client_cert_negotiation=enable"
    ]


@pytest.mark.parametrize(
    ("events", "summary"),
    [
        ([], "0 connections; answers: none; 0 freezes; HTTPERR: nothing."),
        (
            [
                e.ConnectionOpened(0.0, 1, "", "c", "s"),
                STALLED,
                e.HttpErrLogged(1.0, 1, "", "Timer_SslRenegotiation", None, None, None, None),
                e.ResponseSent(1.0, 1, "", 403, 7, "GET", "/", None, 5, 0.1),
                e.ResponseSent(1.0, 1, "", 200, 0, "GET", "/", None, 0, 0.1),
                e.ResponseSent(1.0, 1, "", 200, 0, "GET", "/", None, 0, 0.1),
            ],
            "1 connection; answers: 2 x 200, 1 x 403.7; 1 freeze; HTTPERR: 1 x Timer_SslRenegotiation.",
        ),
        (
            [e.InternalFault(0.0, 1, "", Fault.EXCEPTION, "", "T")],
            "0 connections; answers: none; 0 freezes; HTTPERR: nothing; 1 defect of tlslab, please report.",
        ),
        (
            [e.InternalFault(0.0, 1, "", Fault.SYSTEM, "No space left on device", "T")],
            "0 connections; answers: none; 0 freezes; HTTPERR: nothing; 1 connection ended by a refusal of the system.",
        ),
    ],
)
def test_summary(events, summary):
    """What happened, counted."""
    tally = Tally()
    for event in events:
        tally.count(event)
    assert tally.summary(61.25) == f"The lab ran 61.2 s of its time. {summary}"


def test_what_was_missed():
    """Events for which there was no time are counted in their place, behind those that are shown."""
    file = io.StringIO()
    Timeline(LabConsole(patient=True, file=file), False).show([e.HelloRequestSent(1.5, 2, "site")], 1234)
    first, second = file.getvalue().splitlines()
    assert (first[:13], second) == ("    1.500  #2", "      ...  1,234 events came faster than this was read")
