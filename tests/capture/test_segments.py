"""Packets made up from what passed on a connection."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tlslab.capture.segments import BULK, MERGED_PAYLOAD, MOST_IN_FLIGHT, ConnectionPackets, PacketKind

CLIENT, SERVER = ("10.10.10.16", 49685), ("10.10.10.15", 443)


class Trace:
    """A conversation, and its segments with numbers that count from each side's first."""

    def __init__(self, read_segment, client=CLIENT, server=SERVER, number=7):
        self.read_segment = read_segment
        self.conversation = ConnectionPackets(client, server, number)
        self.segments = []
        self.take(self.conversation.opened())

    def take(self, packets):
        new = [self.read_segment(packet.headers + packet.payload) for packet in packets]
        self.segments += new
        return new

    def rows(self, new=None):
        """Who sent what: direction, flags, relative sequence and acknowledgment numbers, bytes."""
        first, second = (one.sequence for one in self.segments[:2])
        rows = []
        for one in self.segments if new is None else new:
            up = one.source == self.segments[0].source
            own, other = (first, second) if up else (second, first)
            numbers = ((one.sequence - own) % 2**32, (one.acknowledgment - other) % 2**32)
            rows.append(("C" if up else "S", one.flags, *numbers, len(one.payload)))
        return rows


@pytest.fixture
def trace(read_segment):
    """Return a function that opens a conversation."""
    return lambda *arguments, **options: Trace(read_segment, *arguments, **options)


# The published IIS trace: frame, who, flags, sequence and acknowledgment number. Frame 82 is longer than a segment, as
# only a network card's own cutting makes it: behind it the lab's numbers are less by CUT.
CUT = 2165 - 1460
PUBLISHED = [
    (72, "C", "PA", 923564227, 4236088450),
    (73, "S", "PA", 4236088450, 923564385),
    (74, "C", "A", 923564385, 4236089827),
    (75, "C", "PA", 923564385, 4236089827),
    (76, "S", "PA", 4236089827, 923564711),
    (77, "C", "A", 923564711, 4236089886),
    (78, "C", "PA", 923564711, 4236089886),
    (79, "S", "PA", 4236089886, 923565217),
    (80, "C", "A", 923565217, 4236089923),
    (81, "C", "PA", 923565217, 4236089923),
    (82, "S", "PA", 4236089923, 923565414),
    (83, "C", "A", 923565414, 4236092088 - CUT),
    (84, "C", "A", 923565414, 4236092088 - CUT),
    (85, "C", "PA", 923566874, 4236092088 - CUT),
    (86, "S", "A", 4236092088 - CUT, 923567205),
    (87, "S", "PA", 4236092088 - CUT, 923567205),
    (88, "C", "A", 923567205, 4236092178 - CUT),
    (89, "S", "PA", 4236092178 - CUT, 923567205),
    (90, "C", "A", 923567205, 4236092599 - CUT),
    (91, "C", "PA", 923567205, 4236092599 - CUT),
    (92, "S", "PA", 4236092599 - CUT, 923567583),
    (93, "C", "A", 923567583, 4236094044 - CUT),
    (94, "C", "FA", 923567583, 4236094044 - CUT),
    (95, "S", "FA", 4236094044 - CUT, 923567584),
    (96, "C", "A", 923567584, 4236094045 - CUT),
]
PUBLISHED_STEPS = [  # what the client sent, then what the lab sent for it; sizes as published, but for frame 82
    (158, [1377]),
    (326, [59]),
    (506, [37]),
    (197, [1460]),
    (1791, [90, 421]),
    (378, [1445]),
]


def test_the_published_trace(trace):
    """Frames 72 to 96 of the published IIS trace: who speaks, what it acknowledges, and who acknowledges when."""
    seen = trace()
    opened, said = len(seen.segments), seen.conversation
    for up, down in PUBLISHED_STEPS:
        seen.take(said.client_sent(bytes(up)))
        for size in down:
            seen.take(said.server_sent(bytes(size)))
        seen.take(said.settled())
    seen.take(said.client_ended(reset=False))
    seen.take(said.server_ended(reset=False))
    seen.take(said.settled())
    up_from, down_from = 923564227 - 1, 4236088450 - 1
    expected = [
        (who, flags, *((seq - up_from, ack - down_from) if who == "C" else (seq - down_from, ack - up_from)))
        for _number, who, flags, seq, ack in PUBLISHED
    ]
    assert [row[:4] for row in seen.rows()[opened:]] == expected


def test_it_opens_with_three_packets(trace):
    """SYN, SYN/ACK, ACK; both sides tell what a segment may hold, the scale of the window, and that SACK is known."""
    seen = trace()
    assert [row[:3] for row in seen.rows()] == [("C", "S", 0), ("S", "SA", 0), ("C", "A", 1)]
    assert [
        one.acknowledgment - other.sequence for one, other in zip(seen.segments[1:], seen.segments, strict=False)
    ] == [1, 1]
    for one in seen.segments[:2]:
        assert one.options == bytes.fromhex("020405b4010303080101" + "0402")


def test_a_long_piece(trace):
    """It goes in segments of 1,460 bytes, the last with PSH, and is acknowledged once and at once."""
    seen = trace()
    new = seen.take(seen.conversation.client_sent(bytes(2 * 1460 + 5)))
    assert seen.rows(new) == [
        ("C", "A", 1, 1, 1460),
        ("C", "A", 1461, 1, 1460),
        ("C", "PA", 2921, 1, 5),
        ("S", "A", 1, 2926, 0),
    ]
    assert not seen.conversation.settled()


@pytest.mark.parametrize(("size", "flags"), [(1459, ["PA"]), (1460, ["PA"]), (1461, ["A", "PA"])])
def test_where_a_segment_ends(trace, size, flags):
    """A piece that fits is one segment."""
    seen = trace()
    new = seen.take(seen.conversation.server_sent(bytes(size)))
    assert [one.flags for one in new] == [*flags, "A"]


def test_bulk_is_merged(trace, read_streams):
    """Of a long piece that was taken the segments are merged, as many as an IPv4 packet has room for: one answer."""
    seen = trace()
    data = bytes(range(251)) * 300
    new = seen.take(seen.conversation.client_sent(data))
    rest = len(data) - MERGED_PAYLOAD
    assert seen.rows(new) == [
        ("C", "A", 1, 1, MERGED_PAYLOAD),
        ("C", "PA", 1 + MERGED_PAYLOAD, 1, rest),
        ("S", "A", 1, 1 + len(data), 0),
    ]
    assert MERGED_PAYLOAD + 40 <= 0xFFFF < MERGED_PAYLOAD + 1460 + 40
    assert read_streams(seen.segments)[CLIENT] == data


def test_what_is_not_bulk(trace):
    """A shorter piece, what waits unread, and whatever the server sends: all of it in segments of 1,460 bytes."""
    said = trace().conversation
    assert len(said.client_sent(bytes(BULK))) == 8 + 1
    assert len(said.client_sent(bytes(BULK + 1))) == 1 + 1
    assert len(said.client_sent(bytes(20 * 1460), unread=True)) == 20 + 1
    assert len(said.server_sent(bytes(20 * 1460))) == 20 + 1


def test_the_server_acknowledges_what_it_has_not_answered(trace):
    """A packet of its own when the step is over, and only once."""
    seen = trace()
    seen.take(seen.conversation.client_sent(b"x"))
    assert seen.rows(seen.take(seen.conversation.settled())) == [("S", "A", 1, 2, 0)]
    assert not seen.conversation.settled()


def test_nothing_says_nothing(trace):
    """An empty piece is no packet."""
    seen = trace()
    assert not seen.conversation.client_sent(b"")
    assert not seen.conversation.server_sent(b"")
    assert not seen.conversation.settled()


def test_the_lab_ends_first(trace):
    """Each FIN is acknowledged; what comes between the two is too, and a second FIN is none."""
    seen = trace()
    said = seen.conversation
    new = seen.take(said.server_ended(reset=False)) + seen.take(said.client_sent(b"xy"))
    new += seen.take(said.server_ended(reset=False)) + seen.take(said.settled())
    new += seen.take(said.client_ended(reset=False)) + seen.take(said.settled())
    assert seen.rows(new) == [
        ("S", "FA", 1, 1, 0),
        ("C", "A", 1, 2, 0),
        ("C", "PA", 1, 2, 2),
        ("S", "A", 2, 3, 0),
        ("C", "FA", 3, 2, 0),
        ("S", "A", 2, 4, 0),
    ]


def test_nobody_speaks_after_its_end(trace):
    """After FIN a side sends no data, and the other still may."""
    said = trace().conversation
    said.client_ended(reset=False)
    assert not said.client_sent(b"x")
    assert said.server_sent(b"x")


@pytest.mark.parametrize("by_client", [True, False])
def test_a_reset(trace, by_client):
    """RST acknowledges what came, and nothing follows it."""
    seen = trace()
    said = seen.conversation
    seen.take(said.client_sent(b"abc"))
    new = seen.take(said.client_ended(reset=True) if by_client else said.server_ended(reset=True))
    assert seen.rows(new) == [("C", "RA", 4, 1, 0) if by_client else ("S", "RA", 1, 4, 0)]
    for nothing in (
        said.settled(),
        said.client_sent(b"x"),
        said.server_sent(b"x"),
        said.client_ended(reset=True),
        said.server_ended(reset=False),
        said.server_ended(reset=True),
    ):
        assert not nothing


def test_a_reset_after_fin(trace):
    """The lab may give up a connection that it has half closed; one that both have closed has nothing to reset."""
    seen = trace()
    said = seen.conversation
    seen.take(said.server_ended(reset=False))
    assert seen.rows(seen.take(said.server_ended(reset=True))) == [("S", "RA", 2, 1, 0)]
    other = trace().conversation
    assert other.client_ended(reset=False)
    assert other.server_ended(reset=False)
    assert not other.server_ended(reset=True)


@pytest.mark.parametrize(
    ("client", "server", "seen_as"),
    [
        ("127.0.0.1", "127.0.0.2", ("127.0.0.1", "127.0.0.2")),
        ("::1", "::1", ("::1", "::1")),
        ("fe80::1%eth0", "fe80::2%3", ("fe80::1", "fe80::2")),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.2", ("127.0.0.1", "127.0.0.2")),
        ("::ffff:10.0.0.1", "::", ("::ffff:10.0.0.1", "::")),
        ("2001:db8::1", "192.0.2.1", ("2001:db8::1", "::ffff:192.0.2.1")),
    ],
)
def test_addresses(trace, client, server, seen_as):
    """Whatever a socket calls its ends, the packets have both in one version of IP."""
    seen = trace((client, 50_000), (server, 8443))
    seen.take(seen.conversation.client_sent(b"odd"))
    seen.take(seen.conversation.server_sent(b"even"))
    ends = ((str(ip_address(seen_as[0])), 50_000), (str(ip_address(seen_as[1])), 8443))
    for one in seen.segments:
        assert (one.source, one.target) in (ends, ends[::-1])


def test_identification_counts(trace):
    """Every packet of a side has a new one."""
    seen = trace()
    seen.take(seen.conversation.client_sent(bytes(5 * 1460)))
    numbers = [one.identification for one in seen.segments if one.source == CLIENT]
    assert numbers == [(numbers[0] + count) % 65536 for count in range(len(numbers))]


def test_sequence_numbers_go_round(trace, read_streams):
    """A connection whose numbers pass 2^32 is like any other."""
    number = (2**32 - 5000 - 0x1234567) * pow(2654435761, -1, 2**32) % 2**32
    seen = trace(number=number)
    data = bytes(range(256)) * 100
    seen.take(seen.conversation.client_sent(data))
    assert seen.segments[0].sequence > seen.segments[-1].acknowledgment
    assert read_streams(seen.segments)[CLIENT] == data


def test_a_port_that_comes_again(trace):
    """Two connections between the same ends begin far from each other."""
    first, second = trace(number=1), trace(number=2)
    for one, other in zip(first.segments[:2], second.segments[:2], strict=True):
        assert min((one.sequence - other.sequence) % 2**32, (other.sequence - one.sequence) % 2**32) > 2**28


def test_a_piece_beyond_the_window():
    """No piece is so long that a window would be full before its acknowledgment."""
    said = ConnectionPackets(CLIENT, SERVER, 1)
    said.opened()
    packets = said.client_sent(bytes(2 * MOST_IN_FLIGHT + 1))
    in_flight = highest = 0
    for packet in packets:
        in_flight = in_flight + len(packet.payload) if packet.kind is PacketKind.DATA else 0
        highest = max(highest, in_flight)
    assert highest < 0xFFFF * 256
    assert packets[-1].payload == b"\0"  # the last one is for `settled` to acknowledge
