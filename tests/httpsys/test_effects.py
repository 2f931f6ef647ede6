"""What a request's head says, and what is told of it."""

from __future__ import annotations

import pytest

from tlslab.events import RequestReceived, ResponseSent
from tlslab.httpsys.client_certificate import EarlyAsyncDrain
from tlslab.httpsys.effects import Response, Service


def test_headers_are_told_as_they_came(converse):
    """User-Agent and Referer, bytes beyond ASCII as Latin-1."""
    talk = converse()
    talk.feed(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: a b/1\t(\xfc)\r\nReferer: https://x/y\r\n\r\n")
    told = talk.only(RequestReceived)
    assert (told.user_agent, told.referer) == ("a b/1\t(ü)", "https://x/y")


def test_headers_that_are_not_there(converse):
    """They are empty."""
    talk = converse()
    talk.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    told = talk.only(RequestReceived)
    assert (told.user_agent, told.referer) == ("", "")


@pytest.mark.parametrize("win32", [5, None])
def test_the_win32_status_is_told(converse, win32):
    """It is no part of the answer, only of the event."""
    talk = converse()
    talk.response = Response(403, 7, "text/plain", b"", win32=win32)
    talk.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert talk.only(ResponseSent).win32 == win32


def test_the_time_taken(converse):
    """It runs from the request's head to its answer, waiting for the certificate included."""
    talk = converse(service=Service(EarlyAsyncDrain(max=1000)))
    talk.pass_time(5.0)
    talk.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
    talk.pass_time(7.0)
    talk.settle()
    assert talk.only(ResponseSent).seconds == 7.0
