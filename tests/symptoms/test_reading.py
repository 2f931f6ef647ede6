"""What a text says, whoever wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.symptoms.reading import LONGEST, prepared, read


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("curl: (56) Recv failure: Connection reset by peer", {"curl-56", "answer", "reset"}),
        ("pycurl.error: (56, 'Recv failure: Connection reset by peer')", {"curl-56", "answer", "reset"}),
        ("curl 56", {"curl-56"}),
        ("HTTP Error 403.7 - Forbidden", {"403.7"}),
        ("2026-11-20 10:00:00 ::1 GET /a - 443 - ::1 curl/8 - 403 7 64 12", {"403.7", "get"}),
        ("2026-11-20 10:00:00 ::1 GET /a - 443 - ::1 curl/8 - 413 0 0 12", {"413", "get"}),
        ("2026-11-20 10:00:00 ::1 GET /a - 443 - ::1 curl/8 - 200 0 0 413", {"get"}),
        ('10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 413 "-"', {"get"}),
        ("HTTP/1.1 403 Forbidden", {"403"}),
        ("(413) Request Entity Too Large", {"413"}),
        ("SSL alert number 100", {"alert-100", "no-renegotiation"}),
        ("Alert (Level: Warning, Description: No Renegotiation)", {"no-renegotiation"}),
        ("Schannel 36885", {"event-36885"}),
        ("<EventID>15021</EventID>", {"event-15021"}),
        ("reset by peer while SSL handshaking", {"reset", "handshake"}),
        ("a table was installed by somebody", set()),
        ("Client_Reset", {"httperr-client_reset"}),
    ],
)
def test_signs(text, signs):
    """Numbers and words become signs; what only looks like one does not."""
    assert set(read(text).signs) == signs


@pytest.mark.parametrize(
    "text",
    [
        "{} Connection reset by peer",
        "[main] {} Connection reset by peer",
        "{} Connection reset by peer at /usr/lib/python3/site.py line 404",
        'https://example.com:8443/403.7/413?x=502 {} "Connection reset by peer"',
        "10.1.2.3:443 -> [::1]:8443 {} Connection reset by peer",
        "{} Connection reset by peer {{4dc3e181-e14b-4a21-b022-59fc669b0914}}",
    ],
)
def test_what_is_different_each_time_is_ignored(text):
    """Addresses, times, paths, line numbers, threads and GUIDs say nothing."""
    assert set(read(text.format("2026-11-20T10:00:00.123Z")).signs) == {"reset"}


def test_names_of_things_are_kept_whole():
    """What is written as names in programs are is a name, although a word that means something stands in it."""
    read_ahead = read("the uploadReadAheadSize is 49152")
    assert read_ahead.names == {"name uploadreadaheadsize": "uploadReadAheadSize"}
    assert read("the size of the upload").names == {}


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    """Nothing that somebody pastes ends it, and nothing is in a reading that was not in the text."""
    reading = read(text)
    assert all(isinstance(piece, str) for piece in (reading.signs | reading.names | reading.words).values())


def test_a_long_line_is_cut():
    """What stands behind the first characters of a line without an end is not looked at."""
    assert "reset" in read("x " * (LONGEST // 2 - 20) + "ECONNRESET").signs
    assert "reset" not in read("x " * LONGEST + "ECONNRESET").signs
    assert prepared("a   b") == "a b"


def test_the_columns_at_the_end_of_a_long_line():
    """IIS writes the status behind a query of any length, and columns of one's own behind that."""
    line = "2026-11-20 10:00:00 ::1 GET /a q={} 443 - ::1 curl/8 - 403 7 64 12 310 -"
    assert set(read(line.format("x" * 3 * LONGEST)).signs) == {"403.7", "get"}
