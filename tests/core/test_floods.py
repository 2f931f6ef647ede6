"""What no ordinary TLS library would send: records forged with a connection's own keys, one by one or in floods.

docs/misbehaving-clients.md shows the table.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

from tlslab.events import (
    AlertSent,
    ClientHelloReceived,
    HttpErrLogged,
    RenegotiationRefused,
    TlsFailed,
)
from tlslab.tls.context import Protocol, client_context
from tlslab.types import Drain, Reset

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
PAGE = Path(__file__).parents[2] / "docs" / "misbehaving-clients.md"
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
GET = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
KEY_BYTES, HASH = 32, "sha384"  # AES-256-GCM with SHA-384: what these clients and the lab choose


class Forger:
    """Writes a client's records with the keys of its connection; `sequence` counts those it has sent before."""

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self._key = self._iv = b""

    def record(self, content_type: int, plaintext: bytes) -> bytes:
        """The next record."""
        sequence = self._sequence.to_bytes(8, "big")
        self._sequence += 1
        return self._sealed(content_type, plaintext, sequence)

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        raise NotImplementedError


class Forger12(Forger):
    """TLS 1.2 (RFC 5246, 6.3; RFC 5288)."""

    def __init__(self, connection: SSL.Connection, sequence: int) -> None:
        super().__init__(sequence)
        secret, server, client = connection.master_key(), connection.server_random(), connection.client_random()
        assert secret and server and client  # noqa: PT018 - none is there before the handshake
        block = b"".join(self._expand(secret, b"key expansion" + server + client))[: 2 * KEY_BYTES + 8]
        self._key, self._iv = block[:KEY_BYTES], block[2 * KEY_BYTES : 2 * KEY_BYTES + 4]

    def _expand(self, secret: bytes, seed: bytes) -> Iterator[bytes]:
        a = seed
        for _ in range(3):
            a = hmac.digest(secret, a, HASH)
            yield hmac.digest(secret, a + seed, HASH)

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        extra = sequence + bytes((content_type, 3, 3)) + len(plaintext).to_bytes(2, "big")
        fragment = sequence + AESGCM(self._key).encrypt(self._iv + sequence, plaintext, extra)
        return bytes((content_type, 3, 3)) + len(fragment).to_bytes(2, "big") + fragment


class Forger13(Forger):
    """TLS 1.3 (RFC 8446, 5.2 and 7.3); `secret` is the client's application traffic secret."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(0)
        self._use(secret)

    def _use(self, secret: bytes) -> None:
        self._secret, self._sequence = secret, 0
        self._key, self._iv = self._expand(b"key", KEY_BYTES), self._expand(b"iv", 12)

    def _expand(self, label: bytes, length: int) -> bytes:
        label = b"tls13 " + label
        info = length.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0\1"
        return hmac.digest(self._secret, info, HASH)[:length]

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        header = bytes((DATA, 3, 3)) + (len(plaintext) + 17).to_bytes(2, "big")
        nonce = bytes(a ^ b for a, b in zip(self._iv, bytes(4) + sequence, strict=True))
        return header + AESGCM(self._key).encrypt(nonce, plaintext + bytes((content_type,)), header)

    def key_update(self, *, asks: bool) -> bytes:
        """A KeyUpdate, which may ask for one in return; what follows has other keys (RFC 8446, 4.6.3)."""
        record = self.record(HANDSHAKE, bytes((24, 0, 0, 1, asks)))
        self._use(self._expand(b"traffic upd", 48))
        return record


@pytest.fixture
def forge(talk, client_settings):
    """Open a connection, and give it with a forger that writes on for the client."""

    def make(protocol, sends=b""):
        context, lines = client_context(client_settings("alice")), []
        context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
        context.set_keylog_callback(lambda _connection, line: lines.append(line.split()))
        client = talk(protocol, client=context)
        if sends:
            client.client.write(sends)
            client.server.receive_data(client.client.data_to_send(), 0.0)
        if protocol is TLS_1_2:
            return client, Forger12(client.client._connection, 1 + bool(sends))  # Finished was the first
        [secret] = [bytes.fromhex(line[2].decode()) for line in lines if line[0] == b"CLIENT_TRAFFIC_SECRET_0"]
        return client, Forger13(secret)

    return make


def take(client, data):
    """Give the lab bytes, and take what it tells and says; the client engine is left out: it knows nothing of them."""
    client.server.receive_data(data, client.now)
    sent = b"".join(client.server.take_flights())
    client.told += client.server.take_events()
    return sent


@pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
def test_a_forged_record_is_a_record(forge, protocol):
    """The forgery is good: a request that was written so is answered."""
    client, forger = forge(protocol)
    assert take(client, forger.record(DATA, GET))
    assert not client.all(TlsFailed)
    assert "ResponseSent" in {type(event).__name__ for event in client.told}


# --- where none may come ---------------------------------------------------------------------------


def test_application_data_in_the_renegotiation(forge):
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


def test_application_data_before_the_renegotiation(forge):
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


def pour(client, forger, flood, count):
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
def test_a_flood_ends(forge, flood):
    """By an alert soon, or by the timer that it does not restart; nothing of it is kept, and little is said to it."""
    client, forger = forge(flood.protocol)
    client.told.clear()
    count, received, sent = pour(client, forger, flood, 1000)
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
def test_a_little_of_it_does_no_harm(forge, flood):
    """Two records of what only a flood makes harmful, and the connection serves on."""
    client, forger = forge(flood.protocol)
    pour(client, forger, flood, 2)
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
