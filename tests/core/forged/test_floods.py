"""What no ordinary TLS library would send, one by one or in floods.

docs/misbehaving-clients.md shows the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tlslab.events import (
    AlertSent,
    ClientHelloReceived,
    HttpErrLogged,
    RenegotiationRefused,
    TlsFailed,
)
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
PAGE = Path(__file__).parents[3] / "docs" / "misbehaving-clients.md"
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
GET = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
def test_a_forged_record_is_a_record(forge, take, protocol):
    """The forgery is good: a request that was written so is answered."""
    client, forger = forge(protocol)
    assert take(client, forger.record(DATA, GET))
    assert not client.all(TlsFailed)
    assert "ResponseSent" in {type(event).__name__ for event in client.told}


# --- where none may come ---------------------------------------------------------------------------


def test_application_data_in_the_renegotiation(forge, take):
    """Between its ClientHello and its Finished no application data may come (RFC 5246, 7.4.1.1, and OpenSSL)."""
    client, forger = forge(TLS_1_2, sends=GET.replace(b"/open", b"/upload"))
    client.client.receive(b"".join(client.server.take_flights()))
    client.client.read(0)
    take(client, client.client.data_to_send())
    forger._sequence += 1  # the ClientHello's
    assert client.all(ClientHelloReceived)[1].renegotiation
    take(client, forger.record(DATA, GET))
    assert client.only(AlertSent).description == "unexpected_message"
    assert client.only(TlsFailed).kind == "unexpected_message"
    assert isinstance(client.server.closing, Drain)


def test_application_data_before_the_renegotiation(forge, take):
    """Its twin: after HelloRequest and before the ClientHello it may come, and the certificate comes after it."""
    client, forger = forge(TLS_1_2, sends=GET.replace(b"/open", b"/upload"))
    take(client, forger.record(DATA, GET))
    assert not client.all(TlsFailed)
    assert client.server.closing is None


# --- floods ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flood:
    """The same record again and again: the alert that ends it and the kind of failure, or "" where time ends it."""

    what: str
    protocol: Protocol
    write: Callable[[Any], bytes]
    alert: str
    kind: str


def again(content_type: int, plaintext: bytes) -> Callable[[Any], bytes]:
    """Write the same record."""
    return lambda forger: forger.record(content_type, plaintext)


def key_update(*, asks: bool) -> Callable[[Any], bytes]:
    """Write a KeyUpdate."""
    return lambda forger: forger.key_update(asks=asks)


HELLO = b"\1\0\0\x2d\3\3" + bytes(32) + b"\0\0\4\xc0\x2c\0\xff\1\0" + b"\0\0"
EMPTY, WARNING, UNASKED = again(DATA, b""), again(ALERT, b"\1\x5a"), again(ALERT, b"\1\x64")
MISPLACED = "unexpected_message"
FLOODS = [
    Flood("empty records", TLS_1_2, EMPTY, MISPLACED, MISPLACED),
    Flood("empty records in TLS 1.3", TLS_1_3, EMPTY, MISPLACED, MISPLACED),
    Flood("warning alerts", TLS_1_2, WARNING, MISPLACED, MISPLACED),
    Flood("warning alerts in TLS 1.3", TLS_1_3, WARNING, MISPLACED, MISPLACED),
    Flood("no_renegotiation that nobody asked for", TLS_1_2, UNASKED, "handshake_failure", "peer_alert"),
    Flood("ChangeCipherSpec", TLS_1_2, again(CHANGE_CIPHER_SPEC, b"\1"), MISPLACED, MISPLACED),
    Flood("Finished", TLS_1_2, again(HANDSHAKE, b"\x14\0\0\x0c" + bytes(12)), MISPLACED, MISPLACED),
    Flood("ClientHello, a renegotiation by the client", TLS_1_2, again(HANDSHAKE, HELLO), "", ""),
    Flood("ClientHello in TLS 1.3", TLS_1_3, again(HANDSHAKE, HELLO), MISPLACED, MISPLACED),
    Flood("Certificate in TLS 1.3", TLS_1_3, again(HANDSHAKE, b"\x0b\0\0\4\0\0\0\0"), MISPLACED, MISPLACED),
    Flood("KeyUpdate", TLS_1_3, key_update(asks=False), "", ""),
    Flood("KeyUpdate that asks for one", TLS_1_3, key_update(asks=True), "", ""),
]
MOST = 33  # records until OpenSSL has had enough of the patient ones: MAX_EMPTY_RECORDS is 32


def pour(take, client, forger, flood, count):
    """Write up to `count` records, and return how many were, and the bytes of both directions."""
    written = received = sent = 0
    while written < count:
        record = flood.write(forger)
        written += 1
        received += len(record)
        sent += len(take(client, record))
        if client.server.closing is not None:
            break
    return written, received, sent


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.what.replace(" ", "-"))
def test_a_flood_ends(forge, take, flood):
    """By an alert soon, or by the timer that it does not restart; nothing of it is kept, and little is said to it."""
    client, forger = forge(flood.protocol)
    client.told.clear()
    count, received, sent = pour(take, client, forger, flood, 1000)
    assert len(client.told) <= 2 * count + 2
    assert sent <= 1.5 * received
    assert client.server._served is None or client.server._served.tls.unread == 0
    if flood.alert:
        assert count <= MOST
        assert client.only(AlertSent).description == flood.alert
        assert client.only(TlsFailed).kind == flood.kind
        assert isinstance(client.server.closing, Drain)
    else:
        assert {event.description for event in client.all(AlertSent)} <= {"no_renegotiation"}
        client.server.tick(120.0)
        client.told += client.server.take_events()
        assert client.only(HttpErrLogged).reason == "Timer_HeaderWait"
        assert client.server.closing == Reset()
    assert not client.all(RenegotiationRefused)


HARMLESS = [flood for flood in FLOODS if not flood.alert or flood.write in (EMPTY, WARNING)]


@pytest.mark.parametrize("flood", HARMLESS, ids=lambda flood: flood.what.replace(" ", "-"))
def test_a_little_of_it_does_no_harm(forge, take, flood):
    """Two records of what only a flood makes harmful, and the connection serves on."""
    client, forger = forge(flood.protocol)
    pour(take, client, forger, flood, 2)
    assert take(client, forger.record(DATA, GET))
    assert client.server.closing is None


def test_the_page_shows_the_floods():
    """docs/misbehaving-clients.md has every flood as it is here, and no other."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    shown = lines[lines.index("| A flood of | It gets | The timeline tells |") + 1 :]
    timer = "no answer that lasts; a reset by `Timer_HeaderWait` or `Timer_ConnectionIdle`"
    assert shown == [
        f"| {flood.what} | {'alert ' + flood.alert if flood.alert else timer} | "
        f"`{'TlsFailed ' + flood.kind if flood.kind else 'TimerExpired'}` |"
        for flood in FLOODS
    ]
