"""Lines of HTTPERR."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.events import HttpErrLogged
from tlslab.httpsys.error_log import FIELDS, file_name, heading, line
from tlslab.httpsys.settings import ErrorLogForm as Form

MOMENT = datetime(2002, 7, 5, 20, 6, 1, tzinfo=UTC)
CLIENT, SERVER = ("172.31.77.6", 64388), ("127.0.0.1", 80)
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NOTHING = HttpErrLogged(0.0, 1, "", "Timer_HeaderWait", None, None, None, None)


def logged(method: str, target: str, status: int | None, *, is_routed: bool = False) -> HttpErrLogged:
    """A request that ended here."""
    return HttpErrLogged(0.0, 1, "", "BadRequest", method, target, "1.1", status, is_routed)


def test_the_order_of_the_fields():
    """That of the headings; site id and queue name are there once the request was routed."""
    assert FIELDS[Form.HTTP_API_2_0] == (
        "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename"
    )
    expected = "2002-07-05 20:06:01 172.31.77.6 64388 127.0.0.1 80 - - - - - Timer_HeaderWait -\n"
    assert line(MOMENT, CLIENT, SERVER, NOTHING) == expected
    told = line(MOMENT, CLIENT, SERVER, logged("GET", "/qos/1kbfile.txt?a=b", 400))
    assert told.endswith(" 80 HTTP/1.1 GET /qos/1kbfile.txt?a=b 400 - BadRequest -\n")
    routed = line(MOMENT, CLIENT, SERVER, logged("GET", "/", None, is_routed=True))
    assert routed.endswith(" 80 HTTP/1.1 GET / - 1 BadRequest DefaultAppPool\n")


@pytest.mark.parametrize(
    ("form", "ends"),
    [
        (Form.KB820729, "GET / 400 - BadRequest"),  # as its samples end; the site id is always a hyphen
        (Form.HTTP_API_1_0, "GET / 400 1 BadRequest DefaultAppPool"),
        (Form.STREAMID, "GET / - 400 1 BadRequest DefaultAppPool"),
        (Form.TRANSPORT, "GET / - - 400 1 BadRequest DefaultAppPool TCP"),
        (Form.FAULT_CODE, "GET / - - 400 1 BadRequest DefaultAppPool TCP - -"),
    ],
)
def test_the_other_forms(form, ends):
    """A line has a value for each field of its heading, in that order; the first form has no headings."""
    told = line(MOMENT, CLIENT, SERVER, logged("GET", "/", 400, is_routed=True), form)
    assert told.endswith(f" 80 HTTP/1.1 {ends}\n")
    assert len(told.split()) == len(FIELDS[form].split())


def test_the_headings():
    """Four lines, with the version that the build calls itself; none in the first form."""
    assert heading(MOMENT, Form.HTTP_API_1_0).splitlines() == [
        "#Software: Microsoft HTTP API 1.0 (imitated by tlslab)",
        "#Version: 1.0",
        "#Date: 2002-07-05 20:06:01",
        f"#Fields: {FIELDS[Form.HTTP_API_1_0]}",
    ]
    assert heading(MOMENT, Form.TRANSPORT).startswith("#Software: Microsoft HTTP API 2.0 ")
    assert heading(MOMENT, Form.KB820729) == ""


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
    ("head", "version", "method", "status", "reason", "is_routed"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", None, None, 400, "Hostname", False),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "2.0", "GET", 505, "Version_N/S", False),
        (b"\x00\r\n\r\n", None, None, 400, "BadRequest", False),
        (CHUNKED + b"zz\r\n", "1.1", "POST", 400, "Number", True),
    ],
)
def test_what_http_sys_answers(converse, head, version, method, status, reason, is_routed):
    """The line has the status, and of the request what could be read; only a whole head finds a site."""
    talk = converse()
    talk.feed(head)
    event = talk.only(HttpErrLogged)
    assert (event.http_version, event.method, event.status, event.reason) == (version, method, status, reason)
    assert event.is_routed is is_routed


def test_a_timer_answers_nothing(converse):
    """There is no status for a connection that is reset."""
    talk = converse()
    talk.feed(b"POST /a HTTP/1.0\r\nContent-Length: 5\r\n\r\nab")
    talk.pass_time(121.0)
    event = talk.only(HttpErrLogged)
    assert (event.http_version, event.method, event.target, event.status) == ("1.0", "POST", "/a", None)
    assert event.is_routed


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_waits_for_a_request_has_no_site(converse, begun):
    """Timer_HeaderWait and Timer_ConnectionIdle run before there is one, and after it was answered."""
    talk = converse()
    talk.feed(begun)
    talk.pass_time(121.0)
    assert not talk.only(HttpErrLogged).is_routed
