"""The 413 of `upload-read-ahead-413` against real clients: by the byte, every time, and to those still writing."""

from __future__ import annotations

import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tlslab.events import ConnectionClosed, HelloRequestSent, HttpErrLogged, PeerReset, ReadAheadExceeded, ResponseSent
from tlslab.scenario.load import load
from tlslab.scenario.schema import Step

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, LabProcess, Labs, Seen

NAME = "upload-read-ahead-413"
FIXES = load(NAME).scenario.fixes
TIMES = 20
LIMIT = 49_152
TEN_MIB = 10 * 1024 * 1024
SIZES = pytest.mark.parametrize(
    ("size", "status"),
    [(45_000, "200"), (LIMIT, "200"), (LIMIT + 1, "413"), (100_000, "413"), (TEN_MIB, "413")],
    ids=["45000", "49152", "49153", "100KB", "10MiB"],
)


def check(seen: Seen, size: int | None, status: str, count: int) -> None:
    """Hold the lab's own account of `count` uploads against what their clients saw."""
    seen.wait_for(ConnectionClosed, count)
    refused = count if status == "413" else 0
    assert [str(answer.status) for answer in seen.of(ResponseSent)] == [status] * count
    assert {event.how for event in seen.of(ConnectionClosed)} == {"closed"}
    assert len(seen.of(HelloRequestSent)) == count - refused
    exceeded = seen.of(ReadAheadExceeded)
    assert len(exceeded) == refused
    assert {(event.body_announced, event.size_bytes) for event in exceeded} <= {(size, LIMIT)}
    assert not seen.of(HttpErrLogged)
    assert not seen.of(PeerReset)


@SIZES
def test_curl_gets_its_status_every_time(size: int, status: str, labs: Labs, curl: CurlClient) -> None:
    """20 of 20 at the same time, to the byte, with curl's exit code 0: it read an answer, not a reset."""
    lab = labs(NAME)
    seen = lab.watch()
    ends = curl.at_once(lab, Step(request="POST /upload", body=size), TIMES)
    assert [(end.code, end.outcome.kind) for end in ends] == [(0, status)] * TIMES, ends
    check(seen, size, status, TIMES)


@pytest.mark.parametrize(("size", "status"), [(LIMIT, "200"), (LIMIT + 1, "413"), (TEN_MIB, "413")])
def test_curl_chunked(size: int, status: str, labs: Labs, curl: CurlClient) -> None:
    """Without an announced length it is the same to the byte."""
    lab = labs(NAME)
    seen = lab.watch()
    ends = curl.at_once(lab, Step(request="POST /upload", body=size, chunked=True), TIMES)
    assert [(end.code, end.outcome.kind) for end in ends] == [(0, status)] * TIMES, ends
    check(seen, None, status, TIMES)


def post(lab: LabProcess, size: int) -> tuple[str, str | None]:
    """Upload with http.client, which writes everything before it looks; the status and the header Connection."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.load_cert_chain(*lab.alice)
    with closing(http.client.HTTPSConnection("localhost", lab.port, timeout=60, context=context)) as connection:
        connection.request("POST", "/upload", bytes(size))
        response = connection.getresponse()
        content = json.loads(response.read())
        assert str(response.status) in content["status"]
        return str(response.status), response.headers["Connection"]


@SIZES
def test_http_client_gets_its_status_every_time(size: int, status: str, labs: Labs) -> None:
    """A client that looks only when it has written 10 MiB finds the 413 as well, 20 of 20 at the same time."""
    lab = labs(NAME)
    seen = lab.watch()
    with ThreadPoolExecutor(TIMES) as threads:
        answers = list(threads.map(lambda _: post(lab, size), range(TIMES)))
    assert answers == [(status, "close" if status == "413" else None)] * TIMES
    check(seen, size, status, TIMES)


@pytest.mark.parametrize("fix", FIXES)
def test_each_fix(fix: str, labs: Labs, curl: CurlClient) -> None:
    """The contrast: 10 MiB get their 200 with each fix in place, and alice is known."""
    lab = labs(NAME, *([fix] if FIXES[fix].set else []))
    seen = lab.watch()
    steps = FIXES[fix].client or [Step(request="POST /upload", body=TEN_MIB)]
    (end,) = curl.walk(lab, steps)
    assert (end.code, end.outcome.kind, end.outcome.certificate, end.outcome.body_length) == (
        0,
        "200",
        "CN=alice",
        TEN_MIB,
    ), end
    seen.settled()
    assert not seen.of(ReadAheadExceeded)


def test_a_raised_size_is_a_limit_too(labs: Labs, curl: CurlClient) -> None:
    """20 MiB where 16 MiB are read ahead: refused, and the 413 arrives."""
    lab = labs(NAME, "raise-upload-read-ahead-size")
    (end,) = curl.walk(lab, [Step(request="POST /upload", body=2 * TEN_MIB)])
    assert (end.code, end.outcome.kind) == (0, "413"), end


def test_a_page_for_people_says_413_0(labs: Labs, curl: CurlClient) -> None:
    """Whoever accepts HTML gets a page in IIS's layout."""
    (command,) = labs(NAME).curl_commands([Step(request="POST /upload", body=100_000)], curl.uploads)
    page, _ = curl.start(command, "-H", "Accept: text/html").communicate(timeout=60)
    assert "HTTP Error 413.0 - Request Entity Too Large" in page
