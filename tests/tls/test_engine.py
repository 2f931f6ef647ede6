"""What both sides of TLS have in common: bytes are kept until somebody wants what is in them, and counted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tlslab.events import (
    AlertReceived,
    AlertSent,
    HandshakeMessage,
    HelloRequestSent,
    TlsFailed,
)
from tlslab.tls.context import Protocol
from tlslab.tls.engine import SMALL_READ_BYTES
from tlslab.tls.failures import FailureKind
from tlslab.tls.server import Handshake
from tlslab.wire.records import HEADER_BYTES as RECORD_HEADER_BYTES

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
RECORD = 16384


@BOTH
def test_plaintext_goes_both_ways(join, protocol):
    """What one side writes the other reads, as much at a time as it wants."""
    ends = join(protocol)
    assert ends.client.write(b"question")
    ends.pass_on(ends.client, ends.server)
    assert [ends.take(4), ends.take(100), ends.take(100)] == [b"ques", b"tion", b""]
    assert ends.answer(b"answer")
    ends.pass_on(ends.server, ends.client)
    assert ends.client.read(100) == b"answer"


# --- what is not read ---


def test_unread_counts_ciphertext_and_plaintext(join):
    """Records nobody asked for stay encrypted; of a record that was begun the rest waits as plaintext."""
    ends = join()
    for size in (1000, 500):
        ends.client.write(bytes(size))
    ciphertext = ends.client.data_to_send()
    ends.server.receive(ciphertext)
    assert (ends.server.unread, ends.server.pending_plaintext, ends.server.blocked) == (len(ciphertext), 0, False)
    assert ends.take(400) == bytes(400)
    second = ends.server.unread - 600
    assert ends.server.blocked
    assert ends.server.pending_plaintext == 600
    assert 500 < second < 600  # the second record, with its header and tag
    assert ends.take(RECORD) == bytes(600)
    assert (ends.server.unread, ends.server.blocked) == (second, False)
    assert ends.take(RECORD) == bytes(500)
    assert ends.server.unread == 0


def test_an_incomplete_record_is_unread(join):
    """Half a record is nothing to OpenSSL, and it is counted."""
    ends = join()
    ends.client.write(b"whole")
    ciphertext = ends.client.data_to_send()
    ends.server.receive(ciphertext[:-1])
    assert ends.take(100) == b""
    assert ends.server.unread == len(ciphertext) - 1
    ends.server.receive(ciphertext[-1:])
    assert ends.take(100) == b"whole"


def test_a_small_read_never_passes_the_end_of_a_record(join):
    """Who brings no more than `read_limit` holds less than a page of what nobody took, and nothing of what follows."""
    ends = join()
    ends.client.write(bytes(RECORD))
    ends.client.write(bytes(RECORD))
    wire, received = ends.client.data_to_send(), b""
    while not received:
        limit = ends.server.read_limit
        assert 0 < limit <= SMALL_READ_BYTES
        ends.server.receive(wire[:limit])
        wire = wire[limit:]
        received = ends.take(RECORD)
    assert received == bytes(RECORD)
    assert RECORD < len(wire) < RECORD + 100  # the second record, whole
    assert ends.server.unread == 0


@BOTH
def test_a_limit_beyond_a_record_joins_records(join, protocol):
    """Of what stands whole behind the first one: as many as have room, header and all. Otherwise it is one record."""
    ends = join(protocol)
    for byte in b"abcde":
        ends.client.write(bytes([byte]) * RECORD)
    wire = ends.client.data_to_send()
    ends.server.receive(wire[:-1])
    assert ends.take(RECORD) == b"a" * RECORD
    assert ends.take(2 * RECORD) == b"b" * RECORD
    assert ends.take(9 * RECORD) == b"c" * RECORD + b"d" * RECORD
    rest = len(wire) // 5 - 1
    assert (ends.server.unread, ends.server.pending_plaintext) == (rest, 0)
    assert ends.take(9 * RECORD) == b""
    ends.server.receive(wire[-1:])
    assert ends.take(9 * RECORD) == b"e" * RECORD
    assert ends.server.unread == 0


def test_records_are_not_joined_beyond_a_handshake(join):
    """What a ClientHello says is told in its place, behind the body in front of it."""
    ends = stalled(join, bytes(2 * RECORD))
    assert ends.take(9 * RECORD) == bytes(2 * RECORD)
    assert ends.watcher.hellos == []
    assert ends.take(9 * RECORD) == b""
    assert len(ends.watcher.hellos) == 1


@BOTH
def test_reading_nothing_lets_handshakes_pass(join, protocol):
    """read(0) carries the whole first handshake, and leaves the body that came with it."""
    ends = join(protocol, handshake=False)
    while not ends.client.established:
        ends.client.read(0)
        ends.pass_on(ends.client, ends.server)
        ends.pass_on(ends.server, ends.client)
    ends.client.write(b"body")
    ends.pass_on(ends.client, ends.server)
    assert ends.server.established
    assert (ends.server.blocked, ends.server.pending_plaintext) == (True, 4)
    assert ends.take(0) == b""
    assert ends.take(100) == b"body"


def stalled(join, body):
    """A server that asked for the certificate while a body was on its way: the ClientHello stands behind it."""
    ends = join(TLS_1_2)
    ends.told.clear()
    ends.ask()
    for start in range(0, len(body), RECORD):
        ends.client.write(body[start : start + RECORD])
    ends.client.receive(ends.server.data_to_send())
    ends.client.read(0)
    ends.exchange()
    return ends


def test_the_freeze_is_real(join):
    """While the body is left unread OpenSSL never sees the ClientHello behind it, and no time will change that."""
    ends = stalled(join, bytes(40_000))
    frozen = ends.server.unread
    assert frozen > 40_000
    for _ in range(3):
        ends.exchange()
    assert ends.messages() == ["S HelloRequest"]
    assert ends.server.unread == frozen
    assert ends.server.handshake is not Handshake.NONE


def test_the_freeze_ends_when_the_body_is_read(join):
    """The same connection, read on: the ClientHello appears behind the body and the certificate arrives."""
    body = bytes(40_000)
    ends = stalled(join, body)
    read = 0
    while data := ends.take(RECORD):
        read += len(data)
    assert read == len(body)
    ends.exchange()
    assert len(ends.watcher.hellos) == 1
    assert ends.server.client_certificate.subject == "CN=alice"
    assert ends.server.unread == 0


def test_without_a_body_nothing_freezes(join):
    """The same question with no body before the answer is answered at once."""
    ends = stalled(join, b"")
    assert ends.server.client_certificate.subject == "CN=alice"


def test_tls13_reads_the_certificate_behind_a_body_too_late(join):
    """TLS 1.3 has the same order on the wire: what answers stands behind the body."""
    ends = join(TLS_1_3)
    ends.ask()
    ends.client.write(b"body")
    ends.exchange()
    assert ends.server.handshake is not Handshake.NONE
    assert ends.take(100) == b"body"
    ends.exchange()
    assert ends.server.handshake is Handshake.NONE
    assert ends.server.client_certificate.subject == "CN=alice"


# --- what is told ---

FIRST = {
    TLS_1_2: "C ClientHello, S ServerHello, S Certificate, S ServerKeyExchange, S ServerHelloDone, C ClientKeyExchange,"
    " C Finished, S Finished",
    TLS_1_3: "C ClientHello, S ServerHello, S EncryptedExtensions, S Certificate, S CertificateVerify, S Finished,"
    " C Finished, S NewSessionTicket, S NewSessionTicket",
}
LATER = {
    TLS_1_2: "S HelloRequest, C ClientHello, S ServerHello, S Certificate, S ServerKeyExchange, S CertificateRequest,"
    " S ServerHelloDone, C Certificate, C ClientKeyExchange, C CertificateVerify, C Finished, S Finished",
    TLS_1_3: "S CertificateRequest, C Certificate, C CertificateVerify, C Finished, S NewSessionTicket,"
    " S NewSessionTicket",
}


@BOTH
def test_every_handshake_message_is_named(join, protocol):
    """Encrypted ones too: the order on the wire is the order of the RFCs, in the first handshake and in the second."""
    ends = join(protocol)
    assert ", ".join(ends.messages()) == FIRST[protocol]
    ends.ask()
    ends.exchange()
    assert ", ".join(ends.messages()) == LATER[protocol]


def test_the_length_is_that_of_the_message(join):
    """`length` is without the header of four bytes; Finished has 12 bytes in TLS 1.2 (RFC 5246, 7.4.9)."""
    ends = join(TLS_1_2)
    told = {event.name: event.length for event in ends.all(HandshakeMessage)}
    assert (told["Finished"], told["ServerHelloDone"]) == (12, 0)


@pytest.mark.parametrize("wanted", [frozenset(), frozenset({HelloRequestSent})])
def test_only_what_is_wanted_is_told(join, wanted):
    """With no reader a whole conversation goes by without one event; with one, there are its own alone."""
    ends = join(TLS_1_2, wanted=wanted)
    ends.ask()
    ends.exchange()
    assert ends.server.client_certificate is not None
    assert {type(event) for event in ends.told} == wanted


# --- how it ends ---


@BOTH
def test_close_says_close_notify(join, protocol):
    """The other side learns that this is the end; a connection that is just forgotten says nothing."""
    ends = join(protocol)
    ends.close()
    ends.exchange()
    assert ends.client.said_close_notify
    assert ends.only(AlertSent).description == "close_notify"
    silent = join(protocol)
    silent.server.leave_resumable()
    silent.exchange()
    assert not silent.client.said_close_notify
    assert not silent.all(AlertSent)


def test_close_before_the_handshake_is_silent(join):
    """There is nobody to say goodbye to yet."""
    ends = join(handshake=False)
    ends.close()
    assert ends.server.data_to_send() == b""


def test_the_peers_close_notify_is_an_end_not_a_failure(join):
    """What the client wrote before it is still read."""
    ends = join()
    ends.client.write(b"last words")
    ends.client.close()
    ends.pass_on(ends.client, ends.server)
    assert not ends.server.said_close_notify
    assert ends.take(100) == b"last words"
    assert ends.take(100) == b""
    assert ends.server.said_close_notify
    assert ends.server.failure is None
    ends.exchange()
    assert ends.only(AlertReceived).description == "close_notify"


def test_nothing_is_kept_after_a_failure(join):
    """Garbage ends the connection, with an alert; what comes later is neither read nor kept by a reading."""
    ends = join()
    ends.server.receive(b"\x17\x03\x03\0\x20" + bytes(32) + b"\x17\x03\x03\0\x01x" * 3)
    assert ends.take(100) == b""
    assert ends.server.failure.kind is FailureKind.DAMAGED_RECORD
    assert ends.server.unread == 0
    ends.server.receive(b"more")
    assert ends.take(100) == b""
    ends.exchange()
    assert ends.only(TlsFailed).kind is FailureKind.DAMAGED_RECORD
    assert ends.all(AlertSent)


def test_writing_into_a_failed_connection_says_no(join):
    """It is told by the return value and `failure`, not raised."""
    ends = join()
    ends.server.receive(b"garbage, not a record")
    ends.take(0)
    assert not ends.answer(b"answer")


def test_writing_during_a_handshake_waits(join):
    """Before the handshake is through nothing can be written, and that is no failure."""
    ends = join(handshake=False)
    ends.client.read(0)
    ends.pass_on(ends.client, ends.server)
    assert not ends.answer(b"too early")
    assert ends.server.failure is None
    ends.exchange()
    assert ends.answer(b"now")


# --- whatever comes ---


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    broken=st.none() | st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    cut=st.floats(0, 1),
    protocol=st.sampled_from([TLS_1_2, TLS_1_3]),
)
def test_joined_or_one_by_one_is_the_same(join, sizes, broken, cut, protocol):
    """Whatever comes, damaged, in two pieces, and with a goodbye behind it: the same bytes, the same end and events."""
    seen = []
    for limit in (RECORD, 9 * RECORD):
        ends = join(protocol)
        ends.told.clear()
        for size in sizes:
            ends.client.write(bytes(size))
        ends.client.close()
        wire = bytearray(ends.client.data_to_send())
        if broken is not None:
            wire[int(broken[0] * len(wire))] ^= broken[1]
        taken, at = b"", int(cut * len(wire))
        for piece in (wire[:at], wire[at:]):
            ends.server.receive(bytes(piece))
            while data := ends.take(limit):
                taken += data
        ends.exchange()
        seen.append((taken, ends.server.unread, ends.server.failure, ends.server.said_close_notify, ends.told))
    assert seen[0] == seen[1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(garbage=st.binary(min_size=1, max_size=300), established=st.booleans())
@example(garbage=b"\x00\x03\x00", established=False)  # the beginning of a record of no type, of which more may come
def test_no_bytes_raise(join, garbage, established):
    """Whatever comes, in a handshake or after it, to the server or to the client, is a failure at most."""
    for side in ("server", "client"):
        ends = join(handshake=established)
        engine = getattr(ends, side)
        engine.receive(garbage)
        read = ends.take if side == "server" else engine.read
        assert read(100) == b""
        engine.receive(garbage)
        assert read(0) == read(100) == b""
        (ends if side == "server" else engine).close()
        seen = garbage * 2
        waits = len(seen) < RECORD_HEADER_BYTES + int.from_bytes(seen[3:5], "big")  # for the rest of a record
        assert engine.failure is not None or engine.unread or engine.said_close_notify or waits
