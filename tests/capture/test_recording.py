"""The capture that a lab writes while it runs."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab import events as e
from tlslab.capture import writers
from tlslab.tap import NO_TAP, Tap
from tlslab.types import EvidenceEnd

CLIENT, LAB = ("127.0.0.1", 50_000), ("127.0.0.1", 8443)
EPOCH = 1_766_000_000_250_000_000


def at(kind, *details, connection=1):
    """An event of a connection."""
    return kind(0.0, connection, "site", *details)


STALLED = at(e.EntityBodyStalled, 40960, 1048576, 0, 61440, "ClientHello")
NO_CERTIFICATE = at(e.ClientCertificateNotSent)
ANSWERED = at(e.ResponseSent, 403, 7, "GET", "/p", None, 5, 0.1)


@pytest.fixture
def made(recording):
    """A capture, and its first connection, already opened and written."""
    seen = recording()
    tap: Tap = seen.capture
    wire = tap.open(1, CLIENT, LAB, 0.0)
    wire.settle()
    return seen, wire


def test_the_head(recording):
    """The file can be read before anything has happened: what wrote it, what of, one interface."""
    section, interface = recording().blocks()
    assert section.options == ((1, b"a scenario"), (4, b"tlslab 1.2"))
    assert interface.options[0] == (2, b"tlslab")


def test_packet_time(made):
    """It is the epoch of lab time 0 and the lab time, to the nanosecond."""
    seen, wire = made
    wire.received(b"hello", 1.000000001)
    wire.settle()
    times = [block.fields[1] << 32 | block.fields[2] for block in seen.blocks() if block.kind == 6]
    assert times == [EPOCH] * 3 + [EPOCH + 1_000_000_001] * 2


def test_a_later_beginning(made):
    """What was the wall's clock at lab time 0 is known better when the lab runs."""
    seen, wire = made
    seen.capture.begin(1_000_000_000.5)
    wire.received(b"hello", 1.0)
    wire.settle()
    times = [block.fields[1] << 32 | block.fields[2] for block in seen.blocks() if block.kind == 6]
    assert times == [EPOCH] * 3 + [1_000_000_001_500_000_000] * 2


def test_nothing_is_written_before_it_settles(made):
    """And then all of it at once, in the order in which it happened."""
    seen, wire = made
    before = seen.path.stat().st_size
    wire.received(b"question", 1.0)
    wire.sent(b"answer", 2.0)
    assert seen.path.stat().st_size == before
    wire.settle()
    assert [one.payload for one, _ in seen.packets()[3:]] == [b"question", b"answer", b""]


def test_a_step_is_one_piece(recording):
    """Secrets and packets are written together: where there is no room for all of a step there is none of it."""
    seen = recording(limit_bytes=1000)
    wire = seen.capture.open(1, CLIENT, LAB, 0.0)
    wire.settle()
    whole = seen.path.read_bytes()
    seen.capture.secrets("CLIENT_RANDOM 00 11")
    wire.received(bytes(900), 1.0)
    wire.settle()
    assert seen.path.read_bytes() == whole
    assert seen.ends == [EvidenceEnd.SIZE_LIMIT]


def test_secrets_come_before_their_packets(made):
    """All lines of a step in one block in front of it, whoever's step is the first to be written."""
    seen, wire = made
    other = seen.capture.open(2, ("::1", 50_000), ("::1", 8443), 0.0)
    seen.capture.secrets("ONE 1 2")
    seen.capture.secrets("TWO 3 4")
    wire.settle()  # nothing to write, so they wait
    other.settle()
    wire.received(b"hello", 1.0)
    wire.settle()
    assert [block.kind for block in seen.blocks()] == [0x0A0D0D0A, 1, 6, 6, 6, 10, 6, 6, 6, 6, 6]
    assert seen.blocks()[5].data == b"ONE 1 2\nTWO 3 4\n"


def test_the_first_packet_shows_that_it_is_tls(made):
    """A client that begins byte by byte has its first five in one packet; what it sends later is not put together."""
    seen, wire = made
    for moment, byte in enumerate(b"\x16\x03\x01\x02\x00\x01\x00", 1):
        wire.received(bytes([byte]), moment)
        wire.settle()
        assert len(seen.packets()) == 3 + 2 * max(moment - 4, 0)
    sent = [one.payload for one, _ in seen.packets() if one.payload]
    assert sent == [b"\x16\x03\x01\x02\x00", b"\x01", b"\x00"]


@pytest.mark.parametrize(
    ("told", "flags"),
    [
        (lambda wire: wire.peer_ended(9.0, reset=False), ["PA", "FA", "A"]),
        (lambda wire: wire.ended(9.0, reset=True), ["PA", "RA"]),
        (lambda wire: wire.sent(b"alert", 9.0), ["PA", "PA", "A"]),
        (lambda wire: wire.waiting(b"POST more", 9.0), ["PA", "PA", "A"]),
    ],
)
def test_a_few_bytes_and_no_more(made, told, flags):
    """Where something else happens before there are five they are shown, and at the moment at which they came."""
    seen, wire = made
    wire.received(b"POST", 1.0)
    wire.settle()
    told(wire)
    wire.settle()
    packets = [one for one, _ in seen.packets()[3:]]
    assert packets[0].payload == b"POST"
    assert [one.flags for one in packets] == flags
    times = [block.fields[1] << 32 | block.fields[2] for block in seen.blocks() if block.kind == 6]
    assert [(time - EPOCH) / 1e9 for time in times[3:5]] == [1.0, 9.0]


def test_what_waits_is_shown_once(made, read_streams):
    """Told again it is not written again, nor when it is read at last."""
    seen, wire = made
    assert wire.looks_ahead
    for told in (b"abc", b"abc", b"abcdef"):
        wire.waiting(told, 1.0)
        wire.settle()
    wire.received(b"ab", 2.0)
    wire.waiting(b"cdefg", 2.0)
    wire.received(b"cdefghi", 3.0)
    wire.settle()
    segments = [one for one, _ in seen.packets()]
    assert [one.payload for one in segments if one.payload] == [b"abc", b"def", b"g", b"hi"]
    assert read_streams(segments)[CLIENT] == b"abcdefghi"


def test_the_stalls_comment(made):
    """It goes on where HelloRequest's ends, although the client's bytes in the socket are told after it."""
    seen, wire = made
    wire.received(bytes(3000), 1.0)
    wire.sent(b"hello request", 1.0)
    wire.waiting(bytes(3000), 1.0)
    seen.capture.note(at(e.CertificateRetrievalStarted, "synchronous", 40960, 1048576, False, 120.0))
    seen.capture.note(at(e.HelloRequestSent))
    seen.capture.note(STALLED)
    wire.settle()
    [(number, _flags, texts)] = seen.comments()
    assert seen.packets()[number - 1][0].payload == b"hello request"
    assert texts[0].startswith("client certificate wanted after 40,960 bytes of body")
    assert texts[1:] == ["HelloRequest sent; 40,960 bytes of body buffered, 61,440 waiting in the socket"]


def test_no_decision_comes_of_what_nobody_read(made):
    """What is said of the client's data stands beside data that was taken, not beside what waits behind it."""
    seen, wire = made
    wire.received(b"POST /", 1.0)
    wire.received(b"more", 1.0)
    wire.waiting(b"body", 1.0)
    seen.capture.note(at(e.RequestReceived, "POST", "/p", "1.1", 9, False, "", ""))
    seen.capture.note(NO_CERTIFICATE)
    wire.settle()
    about = [(seen.packets()[number - 1][0].payload, text[:7]) for number, _flags, [text] in seen.comments()]
    assert about == [(b"POST /", "POST /p"), (b"more", "the cli")]  # a request begins somewhere, a verdict comes last


def test_a_closed_window(made):
    """It is told once until something is read, in a packet that says nothing else."""
    seen, wire = made
    wire.waiting(b"abc", 1.0)
    for _ in range(2):
        wire.window_closed(1.0)
        wire.settle()
    wire.received(b"abc", 2.0)
    wire.waiting(b"d", 3.0)
    wire.window_closed(3.0)
    wire.settle()
    closed = [one for one, _ in seen.packets() if one.window == 0]
    assert [(one.source, one.flags, one.payload) for one in closed] == [(LAB, "A", b"")] * 2


def test_each_comment_on_its_side(made):
    """What came is beside the client's last data, what the lab did beside its own."""
    seen, wire = made
    wire.received(bytes(2000), 1.0)
    wire.sent(b"403", 1.0)
    wire.sent(b"close_notify", 1.0)
    seen.capture.note(NO_CERTIFICATE)
    seen.capture.note(ANSWERED)
    wire.settle()
    assert [(number, texts[0][:10]) for number, _flags, texts in seen.comments()] == [
        (5, "the client"),
        (9, "403.7 for "),
    ]


def test_comments_where_their_side_is_silent(made):
    """They go to the data that there is."""
    seen, wire = made
    wire.received(bytes(2000), 1.0)
    seen.capture.note(ANSWERED)
    wire.settle()
    wire.sent(b"x", 2.0)
    seen.capture.note(NO_CERTIFICATE)
    wire.settle()
    assert [(number, texts[0][:10]) for number, _flags, texts in seen.comments()] == [
        (5, "403.7 for "),
        (7, "the client"),
    ]


def test_comments_where_nobody_spoke(recording):
    """They go to the last packet of the handshake."""
    seen = recording()
    wire = seen.capture.open(1, CLIENT, LAB, 0.0)
    seen.capture.note(ANSWERED)
    wire.settle()
    assert [(number, flags) for number, flags, _texts in seen.comments()] == [(3, "A")]


def test_a_timers_comment(made):
    """It waits for the next packet, which is the reset."""
    seen, wire = made
    seen.capture.note(at(e.TimerExpired, "ssl_renegotiation", 120.0))
    seen.capture.note(at(e.HttpErrLogged, "Timer_SslRenegotiation", "POST", "/upload", "1.1", None))
    wire.settle()
    wire.settle()
    wire.ended(120.0, reset=True)
    wire.settle()
    texts = ["timer ssl_renegotiation ran out after 120 s", "HTTPERR: Timer_SslRenegotiation"]
    assert seen.comments() == [(4, "RA", texts)]


def test_whose_comments(made):
    """An event of the lab, or of a connection that nobody moves any more, has no packet to stand beside."""
    seen, wire = made
    gone = seen.capture.open(2, CLIENT, LAB, 0.0)
    del gone
    gc.collect()
    wire.received(b"x", 1.0)
    for connection in (0, 2, 3):
        seen.capture.note(at(e.ResponseSent, 200, 0, "GET", "/", None, 0, 0.1, connection=connection))
    seen.capture.note(at(e.ClientHelloReceived, "h", (), "", False, False, None))  # nothing to say of the first
    wire.settle()
    assert not seen.comments()


def test_a_whole_connection(made):
    """Opened, asked, answered, ended by both."""
    seen, wire = made
    wire.received(b"question", 1.0)
    wire.sent(b"answer", 1.0)
    wire.settle()
    wire.peer_ended(2.0, reset=False)
    wire.ended(2.0, reset=False)
    wire.ended(2.0, reset=False)
    wire.settle()
    wire.settle()
    assert [one.flags for one, _ in seen.packets()] == ["S", "SA", "A", "PA", "PA", "A", "FA", "FA", "A"]


def test_after_the_end_of_the_file(recording):
    """The lab is told once; then a connection is recorded by nobody, and one that was does next to nothing."""
    seen = recording(limit_bytes=300)
    wire = seen.capture.open(1, CLIENT, LAB, 0.0)
    wire.settle()  # too much
    written = seen.path.read_bytes()
    for moment in (1.0, 2.0, 3.0):
        wire.received(b"x", moment)
        wire.sent(b"y", moment)
        seen.capture.note(ANSWERED)
        seen.capture.secrets("ONE 1 2")
        wire.settle()
    assert seen.ends == [EvidenceEnd.SIZE_LIMIT]
    assert not wire.looks_ahead
    assert seen.capture.open(2, CLIENT, LAB, 2.0) is NO_TAP
    assert seen.path.read_bytes() == written


def test_what_a_full_disk_did_not_take(made, monkeypatch):
    """Steps are kept or dropped whole, never torn; the next packet says how many, and no secret is lost."""
    seen, wire = made
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(writers, "KEPT_BYTES", 1)
    monkeypatch.setattr(writers, "FIRST_WAIT_SECONDS", 0.0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    whole = seen.path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 70, before[1]))
    try:
        for number in range(3):
            seen.capture.secrets(f"CLIENT_RANDOM {number} 1")
            wire.received(b"x" * 8, 1.0)
            wire.settle()
        assert seen.path.read_bytes() == whole
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    seen.file.look_after()
    wire.sent(b"y", 1.0)
    wire.settle()
    secrets = [block.data for block in seen.blocks() if block.kind == 10]
    assert secrets == [b"CLIENT_RANDOM 0 1\n", b"CLIENT_RANDOM 1 1\nCLIENT_RANDOM 2 1\n"]
    packets = seen.packets()[3:]
    assert [(one.payload, texts) for one, texts in packets] == [
        (b"x" * 8, []),
        (b"", []),
        (b"y", ["tlslab: 4 packets are missing in front of this one"]),
        (b"", []),
    ]
    assert seen.ends == [EvidenceEnd.DISK_FULL]
    assert seen.file.failure == f"the capture is not whole: 4 packets are missing ({seen.path}: File too large)"


TOLD = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["received", "arrived", "sent"]), st.integers(0, 5000)),
        st.tuples(st.sampled_from(["waiting", "settle", "peer_ended", "ended"]), st.just(0)),
    ),
    max_size=25,
)
counter = itertools.count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TOLD)
def test_the_streams_are_what_was_told(recording, read_streams, told):
    """In whatever order pieces are seen waiting, read and sent: by sequence number they are what they were."""
    seen = recording(f"{recording().path}-{next(counter)}")
    wire = seen.capture.open(1, CLIENT, LAB, 0.0)
    source = bytes(itertools.islice(itertools.cycle(range(251)), 25 * 5000))
    in_socket, up, down, shown = b"", b"", b"", 0
    ended = {"peer_ended": False, "ended": False}
    for what, size in told:
        if what == "arrived" and not ended["peer_ended"]:
            in_socket += source[len(up) + len(in_socket) :][:size]
        elif what == "received":
            data, in_socket = in_socket[:size], in_socket[size:]
            wire.received(data, 1.0)
            up += data
            shown = max(shown, len(up))
        elif what == "sent" and not ended["ended"]:
            wire.sent(source[:size], 1.0)
            down += source[:size]
        elif what == "waiting" or (what == "peer_ended" and not ended[what]):
            wire.waiting(in_socket, 1.0)
            shown = max(shown, len(up) + len(in_socket))
        if what in ended and not ended[what]:
            ended[what] = True
            getattr(wire, what)(1.0, reset=False)
        if what == "settle":
            wire.settle()
    wire.settle()
    streams = read_streams([one for one, _ in seen.packets()])
    assert streams[CLIENT] == source[:shown]
    assert streams[LAB] == down
    seen.file.__exit__(None, None, None)
    Path(seen.path).unlink()


def test_a_timers_comment_where_bytes_wait(made):
    """It is beside the reset, not beside what the client had sent meanwhile."""
    seen, wire = made
    seen.capture.note(at(e.TimerExpired, "ssl_renegotiation", 120.0))
    wire.settle()
    wire.waiting(b"more of the body", 120.0)
    wire.ended(120.0, reset=True)
    wire.settle()
    assert [flags for _number, flags, _texts in seen.comments()] == ["RA"]
