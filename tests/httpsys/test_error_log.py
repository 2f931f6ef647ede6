"""Lines of HTTPERR."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.events import HttpErrLogged
from tlslab.httpsys.error_log import file_name, line

MOMENT = datetime(2002, 7, 5, 20, 6, 1, tzinfo=UTC)
CLIENT, SERVER = ("172.31.77.6", 64388), ("127.0.0.1", 80)
NOTHING = HttpErrLogged(0.0, 1, "", "Timer_HeaderWait", None, None, None, None)


def logged(method: str, target: str, status: int | None) -> HttpErrLogged:
    """A request that ended here."""
    return HttpErrLogged(0.0, 1, "", "BadRequest", method, target, "1.1", status)


def test_the_order_of_the_fields():
    """That of KB820729, whose own samples end before the queue's name."""
    expected = "2002-07-05 20:06:01 172.31.77.6 64388 127.0.0.1 80 - - - - - Timer_HeaderWait -\n"
    assert line(MOMENT, CLIENT, SERVER, NOTHING) == expected
    told = line(MOMENT, CLIENT, SERVER, logged("GET", "/qos/1kbfile.txt?a=b", 400))
    assert told.endswith(" 80 HTTP/1.1 GET /qos/1kbfile.txt?a=b 400 - BadRequest -\n")


def test_long_ones_are_cut():
    """The URL with its query at 4,096 bytes, the verb at 255."""
    fields = line(MOMENT, CLIENT, SERVER, logged("V" * 300, "/" + "ü" * 5000, None)).split()
    assert (len(fields[7]), len(fields[8].encode())) == (255, 4095)  # and no half of a letter


@pytest.mark.parametrize("nasty", ["/a b\t\r\n2002-07-05", "".join(map(chr, range(0x2100))), "\u2028 "])
def test_nobody_breaks_a_line(nasty):
    """Spaces, tabs and what cannot be printed are plus signs."""
    told = line(MOMENT, CLIENT, SERVER, logged(nasty, nasty, 400))
    assert len(told.splitlines()) == 1
    assert len(told.split()) == len(told.split(" ")) == 13


def test_the_files():
    """Numbered."""
    assert [file_name(1), file_name(12)] == ["httperr1.log", "httperr12.log"]


@pytest.mark.parametrize(
    ("head", "version", "method", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", None, None, 400, "Hostname"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "2.0", "GET", 505, "Version_N/S"),
        (b"\x00\r\n\r\n", None, None, 400, "BadRequest"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "1.1", "POST", 400, "Number"),
    ],
)
def test_what_http_sys_answers(converse, head, version, method, status, reason):
    """The line has the status, and of the request what could be read."""
    talk = converse()
    talk.feed(head)
    event = talk.only(HttpErrLogged)
    assert (event.http_version, event.method, event.status, event.reason) == (version, method, status, reason)


def test_a_timer_answers_nothing(converse):
    """There is no status for a connection that is reset."""
    talk = converse()
    talk.feed(b"POST /a HTTP/1.0\r\nContent-Length: 5\r\n\r\nab")
    talk.pass_time(121.0)
    event = talk.only(HttpErrLogged)
    assert (event.http_version, event.method, event.target, event.status) == ("1.0", "POST", "/a", None)
