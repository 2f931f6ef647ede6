"""Python's http.client: what the scenario files leave to a client of its kind (the rest is in test_promises.py)."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tlslab.events import (
    AlertReceived,
    ClientHelloReceived,
    ConnectionClosed,
    EntityBodyResumed,
    RenegotiationRefused,
    ResponseSent,
)

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs


@contextmanager
def connected(lab: LabProcess, *, refuses: bool = False) -> Iterator[http.client.HTTPSConnection]:
    """A connection of alice's; one that refuses answers HelloRequest with no_renegotiation."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.load_cert_chain(*lab.alice)
    if refuses:
        context.options |= ssl.OP_NO_RENEGOTIATION
    connection = http.client.HTTPSConnection("localhost", lab.port, timeout=60, context=context)
    with closing(connection):
        yield connection


@pytest.mark.parametrize("path", ["/protected", "/accept"])
def test_a_client_that_refuses_loses_its_connection(path: str, labs: Labs) -> None:
    """OP_NO_RENEGOTIATION: the lab says why, resets, and answers nothing."""
    lab = labs("post-request-renegotiation", speed=2)
    seen = lab.watch()
    with connected(lab, refuses=True) as connection:
        connection.request("GET", path)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            connection.getresponse()
    seen.wait_for(RenegotiationRefused)
    seen.settled()
    assert "no_renegotiation" in [alert.description for alert in seen.of(AlertReceived)]
    assert [event.how for event in seen.of(ConnectionClosed)] == ["reset"]
    assert not seen.of(ResponseSent)


def test_a_client_that_refuses_is_content_where_nobody_asks(labs: Labs) -> None:
    """The contrast: on a path that wants no certificate it gets its 200."""
    with connected(labs("post-request-renegotiation", speed=2), refuses=True) as connection:
        connection.request("GET", "/public")
        assert connection.getresponse().status == 200


def test_a_client_that_refuses_is_content_with_the_fix(labs: Labs) -> None:
    """And where the binding negotiates, for there is nothing to refuse."""
    with connected(labs("post-request-renegotiation", "negotiate-on-binding", speed=2), refuses=True) as connection:
        connection.request("GET", "/protected")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("size", [100_000, 1024 * 1024, 10 * 1024 * 1024], ids=["100KB", "1MiB", "10MiB"])
def test_the_freeze_is_real(size: int, labs: Labs) -> None:
    """It wrote its whole body before it looked, so the ClientHello stands behind all of it."""
    settings = {"sites./upload.client_cert_retrieval.read_on_after": "60s", "timers.ssl_renegotiation": "600s"}
    lab = labs("large-post-deadlock", speed=40, settings=settings)
    seen = lab.watch()
    with connected(lab) as connection:
        connection.request("POST", "/upload", bytes(size))
        assert connection.getresponse().status == 200
    seen.settled()
    assert [event.behind_body_bytes for event in seen.of(ClientHelloReceived)] == [None, size]
    assert seen.of(EntityBodyResumed)


def test_after_response_cancels_past_its_maximum(labs: Labs) -> None:
    """The second upload is on its way before the answer to the question: past `max` it is given up."""
    lab = labs("large-post-deadlock", "ask-after-response", speed=2)
    with connected(lab) as connection:
        connection.request("POST", "/upload", bytes(1000))
        connection.getresponse().read()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            connection.request("POST", "/upload", bytes(10 * 1024 * 1024))
