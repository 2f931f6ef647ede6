"""Lines of a site's log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tlslab.events import RequestReceived, ResponseSent
from tlslab.iis.w3c_log import FIELDS, file_name, heading, line

MOMENT = "2026-03-04 05:06:07"
REQUEST = RequestReceived(1.0, 1, "site", "POST", "/upload/a?b=c&d", "1.1", 5, False, "curl/8.7.1 (x; y)", "")
RESPONSE = ResponseSent(1.25, 1, "site", 403, 7, "POST", "/upload/a?b=c&d", None, 5, 0.2504)


def written(**changes: Any) -> str:
    """The line of the request above, or of one that differs."""
    request = {name: value for name, value in changes.items() if hasattr(REQUEST, name) and name != "at"}
    response = {name: value for name, value in changes.items() if name not in request}
    server = ("192.0.2.1", 443)
    return line(MOMENT, "192.0.2.9", server, replace(REQUEST, **request), replace(RESPONSE, **response))


def test_a_line():
    """Each field in its place; time-taken is milliseconds."""
    expected = "2026-03-04 05:06:07 192.0.2.1 POST /upload/a b=c&d 443 - 192.0.2.9 curl/8.7.1+(x;+y) - 403 7 5 250\n"
    assert written() == expected


def test_the_heading():
    """What IIS writes at the top of a file; the field list is its default one."""
    assert heading(MOMENT).splitlines()[1:] == [
        "#Version: 1.0",
        "#Date: 2026-03-04 05:06:07",
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer)"
        " sc-status sc-substatus sc-win32-status time-taken",
    ]


def test_the_file():
    """One for each day."""
    assert file_name(MOMENT) == "u_ex260304.log"


@pytest.mark.parametrize(
    ("field", "value", "column", "shown"),
    [
        ("win32", None, "sc-win32-status", "-"),
        ("win32", 0, "sc-win32-status", "0"),
        ("win32", 2_148_204_809, "sc-win32-status", "2148204809"),
        ("target", "/", "cs-uri-query", "-"),
        ("target", "http://h:1/a/b?c", "cs-uri-stem", "/a/b"),
        ("target", "http://h:1/a/b?c", "cs-uri-query", "c"),
        ("referer", "https://a/b c", "cs(Referer)", "https://a/b+c"),
        ("user_agent", "", "cs(User-Agent)", "-"),
        ("user_agent", 'a\tb"c"', "cs(User-Agent)", 'a+b"c"'),
    ],
)
def test_fields(field, value, column, shown):
    """Nothing is `-`, and so is a status that no document shows; what would break a line is `+`."""
    columns = dict(zip(FIELDS.split(), written(**{field: value}).split(), strict=True))
    assert columns[column] == shown


@pytest.mark.parametrize("field", ["method", "target", "user_agent", "referer"])
def test_nobody_breaks_a_line(field):
    """Whatever stands in a request, its line is one line of that many fields."""
    hostile = "/a" + "".join(map(chr, range(0x2100))) + "?" + "\r\n#Fields: x\n \u2028"
    told = written(**{field: hostile})
    assert len(told.splitlines()) == 1
    assert len(told.split()) == len(told.split(" ")) == len(FIELDS.split())
