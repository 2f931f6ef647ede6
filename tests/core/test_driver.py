"""Who is told what of a connection, and in which order: the tap, the readers of events, and the connection itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.core.connection import UNSENT_LIMIT
from tlslab.core.machine import Machine
from tlslab.events import (
    ALL,
    AlertSent,
    ConnectionClosed,
    EntityBodyStalled,
    Event,
    InternalFault,
    PeerClosed,
    PeerReset,
    ResponseSent,
    TlsFailed,
)
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset

if TYPE_CHECKING:
    from tests.conftest import Heard

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
GET = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
PAGE = b"GET / HTTP/1.1\r\nHost:x\r\nAccept:text/html\r\n\r\n"
JUNK_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)  # application data that does not decrypt


# How the lines of secrets begin, in TLS 1.2 and in TLS 1.3.
LABELS = ("CLIENT_RANDOM ", "CLIENT_HANDSHAKE_", "SERVER_HANDSHAKE_", "CLIENT_TRAFFIC_", "SERVER_TRAFFIC_", "EXPORTER_")


@pytest.fixture
def hear(talk, make_lab, make_tap) -> Callable[..., tuple[Any, Heard]]:
    """Open a connection, and give it with what heard all of it."""

    def make(*protocols: Any, opened: bool = True, looks_ahead: bool = True) -> tuple[Any, Heard]:
        heard = make_tap(looks_ahead=looks_ahead, labels=LABELS)
        lab = Machine(make_lab(*protocols).plan, ALL, lambda line: heard.secrets(line.decode()))
        client = talk(lab=lab, opened=opened, tap=heard, read=heard.read)
        if opened:
            heard.take()
        return client, heard

    return make


# --- one step --------------------------------------------------------------------------------------


def flights(client):
    """One step for each flight of a client that shakes hands and asks for what needs its certificate."""
    client.client.read(0)
    asked = False
    while flight := client.client.data_to_send():
        client.driver.receive_data(flight, 0.0)
        client._down()
        yield
        if client.client.established and not asked:
            asked = client.client.write(GET.replace(b"/open", b"/upload"))


ANSWERED = ["received", "sent", "events", "settled"]
TWO_FLIGHTS = ["received", "sent", "sent", "events", "settled"]
STEPS = {
    # ClientHello; Finished; GET, answered with HelloRequest; ClientHello; Finished, and the answer after the lab's own
    TLS_1_2: [ANSWERED, ["secrets", *ANSWERED], ANSWERED, ANSWERED, ["secrets", *TWO_FLIGHTS]],
    # ClientHello; Finished and GET, answered with tickets and CertificateRequest; the certificate, likewise
    TLS_1_3: [["secrets"] * 4 + ANSWERED, ["secrets", *TWO_FLIGHTS], TWO_FLIGHTS],
}


@pytest.mark.parametrize("protocol", STEPS)
def test_the_order_of_a_step(hear, protocol):
    """Secrets before the bytes that they decrypt, bytes in and out, events, and only then is it settled."""
    client, heard = hear(protocol, opened=False)
    assert heard.take() == ["open", "events", "settled"]
    assert [heard.take() for _ in flights(client)] == STEPS[protocol]
    assert client.statuses() == ["200"]


CHANGE_CIPHER_SPEC, DATA = 20, 23


def ends_of(stream, content_type):
    """Where in a client's stream each record of a type ends."""
    end = 0
    while end < len(stream):
        kind = stream[end]
        end += 5 + int.from_bytes(stream[end + 3 : end + 5], "big")
        if kind == content_type:
            yield end


@pytest.mark.parametrize("protocol", STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4) | st.integers(1, 2000), max_size=60))
def test_secrets_come_in_time(talk, make_lab, make_tap, protocol, cuts):
    """However a client's flights are cut, a secret is told before the bytes at which a reader of the capture wants it.

    In TLS 1.2 that is where ChangeCipherSpec ends, of each handshake; in TLS 1.3 behind Finished, its first record that
    looks like data. No line is told twice.
    """
    heard, lines, places = make_tap(labels=LABELS), [], []

    def keylog(line):
        lines.append(line)
        places.append(len(heard.up))

    client, sizes = talk(lab=Machine(make_lab(protocol).plan, ALL, keylog), opened=False, tap=heard), iter(cuts)
    client.client.read(0)
    asked = False
    while client._up() | client._down() | (client.client.established and not asked):
        if client.client.established and not asked:
            asked = client.client.write(GET.replace(b"/open", b"/upload"))
        client.piece = next(sizes, 1000)
    assert client.statuses() == ["200"]
    assert len(set(lines)) == len(lines)
    if protocol is TLS_1_2:
        wanted = list(ends_of(heard.up, CHANGE_CIPHER_SPEC))
        assert len(wanted) == len(places) == 2
        assert all(place < end for place, end in zip(places, wanted, strict=True))
    else:
        assert max(places) < next(ends_of(heard.up, DATA))


def test_a_key_exchange_that_fails_has_no_secret(hear):
    """ClientKeyExchange with a point that is none: the lab's alert, and nothing for the key log."""
    client, heard = hear(TLS_1_2, opened=False)
    client.client.read(0)
    for sent in (client.client.data_to_send(), b"\x16\x03\x03\x00\x06\x10\x00\x00\x02\x01\x07"):
        client.driver.receive_data(sent, 0.0)
        client.driver.finish_step(0.0)
    assert "secrets" not in heard.take()
    assert client.names(AlertSent, TlsFailed, InternalFault) == ["AlertSent", "TlsFailed"]


def test_what_it_did_to_the_lab_is_told_after_it(hear):
    """A fatal alert takes a session away: the connection's events, the lab's, and the end of the connection."""
    client, heard = hear(TLS_1_2)
    client.raw(JUNK_RECORD)
    client.driver.closed(0.0)
    assert heard.take() == ["received", "sent", "events", "events of the lab", "events", "settled"]
    assert client.names(Event)[-1] == "ConnectionClosed"


def test_a_step_in_which_nothing_happens(hear):
    """It is settled, and nothing else."""
    client, heard = hear(TLS_1_2)
    assert client.driver.finish_step(1.0) is False
    assert heard.take() == ["settled"]


# --- sending ---------------------------------------------------------------------------------------


def test_what_is_not_taken_waits(hear):
    """Told is what was taken; the rest goes when there is room, in order, and nothing is lost."""
    client, heard = hear(TLS_1_2)
    client.client.write(GET)
    client.wire.room = 10
    client.driver.receive_data(client.client.data_to_send(), 0.0)
    client.driver.finish_step(0.0)
    assert heard.take() == ["received", "sent", "events", "settled"]
    assert (len(client.wire.down), client.driver.may_read) == (10, True)
    left = client.driver.unsent
    client.wire.room = left
    client.driver.finish_step(0.0)
    assert heard.take() == ["sent", "settled"]
    assert (len(client.wire.down), client.driver.unsent) == (10 + left, 0)
    assert heard.down.endswith(client.wire.down)
    client.run()
    assert client.statuses() == ["200"]


def test_who_takes_no_answers_is_not_read(hear):
    """Answers wait up to a limit, and requests are left until they are gone; then they have their turn in one step."""
    client, _ = hear(TLS_1_2)
    count = 12_000 // len(PAGE)
    client.client.write(PAGE * count)
    client.wire.room = 0
    client.driver.receive_data(client.client.data_to_send(), 0.0)
    client.driver.finish_step(0.0)
    assert client.driver.unsent > UNSENT_LIMIT
    assert not client.driver.may_read
    assert 0 < len(client.all(ResponseSent)) < count
    client.wire.room = 2**30
    client.driver.finish_step(0.0)
    assert (client.driver.unsent, client.driver.may_read) == (0, True)
    assert len(client.all(ResponseSent)) == count


def test_a_peer_that_is_gone(hear):
    """Where sending fails the peer has reset; the step is not settled, for the lab's own end belongs to it."""
    client, heard = hear(TLS_1_2)
    client.client.write(GET)
    client.wire.gone = True
    client.driver.receive_data(client.client.data_to_send(), 0.0)
    client.driver.finish_step(0.0)
    assert heard.take() == ["received", "peer reset", "events"]
    assert (client.server.closing, client.driver.unsent) == (Reset(), 0)
    assert client.only(PeerReset)


def test_a_peer_that_is_gone_has_reset_once(hear):
    """Of two flights that were to go the first finds it; the second is dropped, and finds nothing again."""
    client, heard = hear(TLS_1_2, opened=False)
    steps = flights(client)
    for _ in range(4):
        next(steps)
    client.client.read(0)
    client.driver.receive_data(client.client.data_to_send(), 0.0)
    heard.take()
    client.wire.gone = True
    client.driver.finish_step(0.0)
    assert heard.take() == ["peer reset", "events"]
    assert (client.driver.unsent, client.server.take_flights()) == (0, [])
    assert client.only(PeerReset)


# --- what waits unread -----------------------------------------------------------------------------


def stall(client):
    """Freeze an upload: what came of the step in which reading stopped."""
    for start in range(0, len(UPLOAD), 16_384):
        client.client.write(UPLOAD[start : start + 16_384])
    client.up += client.client.data_to_send()
    while client.driver.may_read:
        client.driver.receive_data(bytes(client.up[:16_384]), 0.0)
        del client.up[:16_384]
        began = client.driver.finish_step(0.0)
    return began


@pytest.mark.parametrize(
    ("looks_ahead", "closed_window", "told"),
    [
        (True, True, ["received", "sent", "waiting", "window closed", "events", "settled"]),
        (True, False, ["received", "sent", "waiting", "events", "settled"]),
        (False, True, ["received", "sent", "events", "settled"]),
    ],
)
def test_where_a_stall_begins_it_is_counted(hear, looks_ahead, closed_window, told):
    """Once, by the step itself; a tap that looks ahead sees it, and sees it again only when there is more."""
    client, heard = hear(TLS_1_2, looks_ahead=looks_ahead)
    client.wire.closed_window = closed_window
    assert stall(client) is True
    assert heard.take()[-len(told) :] == told
    assert heard.unread == (client.up if looks_ahead else b"")
    assert client.only(EntityBodyStalled).socket_unread == len(client.up)
    assert client.driver.finish_step(1.0) is False
    client.wire.closed_window = False
    client.driver.note_unread(2.0)
    assert heard.take() == ["settled"]
    client.up += b"more"
    client.driver.note_unread(3.0)
    assert heard.take() == ["waiting"] * looks_ahead


# --- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (lambda driver: driver.receive_eof(1.0), ["waiting", "peer fin"]),
        (lambda driver: driver.receive_eof(1.0, fin_stuck=True), []),
        (lambda driver: driver.receive_reset(1.0), ["waiting", "peer reset"]),
        (lambda driver: driver.receive_reset(1.0, after_fin=True), ["waiting", "peer fin", "peer reset"]),
    ],
    ids=["fin", "a-fin-that-is-stuck", "reset", "reset-after-fin"],
)
def test_how_the_peer_ended(hear, ends, told):
    """Bytes that waited came before it; a FIN that has not arrived is not on the wire."""
    client, heard = hear(TLS_1_2)
    stall(client)
    client.up += b"more"
    heard.take()
    ends(client.driver)
    client.driver.finish_step(1.0)
    assert heard.take() == [*told, "events"]
    assert client.server.closing == Reset()
    assert len(client.all(PeerClosed) + client.all(PeerReset)) == 1


def test_a_drain(hear):
    """What still comes is told and looked at by nobody; each wait is settled, and the end is an orderly one."""
    client, heard = hear(TLS_1_2)
    client.raw(JUNK_RECORD)
    assert isinstance(client.server.closing, Drain)
    client.driver.output_ended(0.0)
    client.driver.settle()
    assert heard.take() == ["received", "sent", "events", "events of the lab", "fin", "settled"]
    client.told.clear()
    client.driver.receive_data(b"anything", 1.0)
    client.driver.settle()
    client.driver.receive_eof(2.0)
    client.driver.about_to_close(2.0)
    client.driver.closed(2.0)
    assert heard.take() == ["received", "settled", "peer fin", "fin", "events", "settled"]
    assert heard.up.endswith(b"anything")
    assert client.names(Event) == ["ConnectionClosed"]


@pytest.mark.parametrize(
    ("unread", "has_reset", "reset", "told"),
    [
        (b"", False, False, ["fin"]),
        (b"more", False, False, ["waiting", "reset"]),
        (b"", True, False, ["peer reset", "fin"]),
        (b"", False, True, ["reset"]),
    ],
    ids=["all-was-read", "bytes-wait", "the-peer-reset-it", "the-owner-knows"],
)
def test_what_closing_makes_of_it(hear, unread, has_reset, reset, told):
    """A FIN where all was read, a reset where bytes wait; a tap that does not look ahead is told of neither."""
    for looks_ahead in (True, False):
        client, heard = hear(TLS_1_2, looks_ahead=looks_ahead)
        client.up += unread
        client.wire.has_reset = has_reset
        client.driver.about_to_close(1.0, reset=reset)
        assert heard.take() == (told if looks_ahead else [])
        client.driver.closed(1.0)
        assert heard.take() == ["events", "settled"]
        assert client.only(ConnectionClosed).how == "abandoned"
