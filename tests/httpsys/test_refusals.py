"""What http.sys answers by itself: the page, its headers, and how they differ by version of Windows."""

from __future__ import annotations

import pytest

from tlslab.httpsys.effects import Send
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.question import Question
from tlslab.httpsys.refusals import page
from tlslab.httpsys.responses import encode
from tlslab.httpsys.settings import ErrorPageForm, RequestSettings
from tlslab.httpsys.timers import Timers
from tlslab.recorder import Recorder

SHORT, LONG = ErrorPageForm.SHORT, ErrorPageForm.LONG
TOO_LONG = b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"k" * 20_000


def test_the_published_answer():
    """Microsoft's trace of a request that is too long, but for its date: no Server, no substatus, one heading."""
    told = encode(page(400, "RequestLength", SHORT), "GET", closes=True)
    assert told == (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 46\r\n\r\n"
        b"<h1>Bad Request (Request Header Too Long)</h1>"
    )


@pytest.mark.parametrize(("reason", "size"), [("Hostname", 334), ("Header", 339), ("RequestLength", 346)])
def test_the_long_page_has_the_length_that_is_seen(reason, size):
    """334 bytes are those of ASP.NET Core's host filtering, 339 and 346 those of users' reports."""
    told = encode(page(400, reason, LONG), "GET", closes=True)
    assert len(told.partition(b"\r\n\r\n")[2]) == size
    assert b"\r\nServer: Microsoft-HTTPAPI/2.0\r\n" in told
    assert b"<p>HTTP Error 400. The " in told


@pytest.mark.parametrize("form", ErrorPageForm)
@pytest.mark.parametrize(
    ("status", "reason"), [(400, "BadRequest"), (400, "Number"), (501, "N/I"), (505, "Version_N/S")]
)
def test_every_refusal_has_a_page(form, status, reason):
    """No empty pair of parentheses, no hyphen with nothing behind it."""
    body = page(status, reason, form).body
    assert b"()" not in body
    assert b" - <" not in body
    assert body.startswith(b"<h1>" if form is SHORT else b"<!DOCTYPE HTML PUBLIC")


@pytest.mark.parametrize(("form", "begins"), [(SHORT, b"<h1>"), (LONG, b"<!DOCTYPE")])
def test_a_pipeline_answers_in_its_form(form, begins):
    """The knob decides, and 16 KiB of head are too many in either form."""
    http = Pipeline(Timers(), Question(), Recorder(1, frozenset()), 0.0, RequestSettings(error_page=form))
    head = TOO_LONG
    while http.capacity:
        piece, head = head[: http.capacity], head[http.capacity :]
        http.receive(piece, 0.0)
        http.decide(len(head), 0.0)
    [send] = [effect for effect in http.take_effects() if isinstance(effect, Send)]
    assert send.plaintext.partition(b"\r\n\r\n")[2].startswith(begins)
