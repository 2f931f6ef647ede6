"""The capture that a lab writes while it runs: a tap that makes packets of what passes, and comments of events.

Theory of operation. `Capture` is the file, `RecordedConnection` one connection in it. Between two calls of `settle` it
holds the packets of one step (of the last one until the connection is closed), and what it is told can still change
them:

- The secrets come first, and wait in the capture: they are written in front of the next packets, whosesoever those are.
- Bytes, FIN and RST become packets at once (`segments`), and are held. Only the first bytes of a client wait until
  there are enough of them to know TLS by: Wireshark decides at a connection's first packet, and decrypts none that came
  a byte at a time.
- What waits unread in the socket becomes packets, too, since a capture from the network would have them. When those
  bytes are read at last they are not written a second time.
- An event becomes a comment on a packet that is held: what is about something that the client sent on one of the
  client's, all else on one of the lab's. While none is held, the comment waits for the first.

`settle` adds the acknowledgments that are due and gives all of it away in one piece, which is written before the lab
waits, with those of other steps. So a file that is cut anywhere ends between two steps, each of which is whole. Where a
step cannot be written it is kept, or dropped whole, and the next one that is written says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from weakref import WeakValueDictionary

from tlslab.capture import pcapng
from tlslab.capture.files import TOGETHER_BYTES, Later, OutputFile
from tlslab.capture.segments import ConnectionPackets, Packet, PacketKind, Payload
from tlslab.events import Event
from tlslab.tap import NO_TAP, ConnectionTap
from tlslab.text import HostPort
from tlslab.words import comments
from tlslab.words.values import missing

INTERFACE = "tlslab"
NANOSECONDS = 1_000_000_000
MOST_SECRETS = 20_000  # lines that wait for packets; chosen
TO_COME = -1  # the place of a packet that is not there yet
KNOWS_TLS_BY = 5  # bytes, the header of a record: with fewer in a connection's first packet Wireshark sees no TLS in it


class Capture:
    """A pcapng file that decrypts itself: all connections of a lab, and beside them why it did what it did.

    It is a `tap.Tap`, and a reader of the events in `kinds`. `epoch` is lab time 0 in seconds since 1970. Every piece
    that the file gets is of whole steps, the secrets before the packets that they decrypt. `later` is `net.bus`'s.
    """

    kinds = comments.KINDS

    def __init__(
        self, file: OutputFile, epoch: float, application: str, comment: str, later: Later = lambda act: act()
    ) -> None:
        self._file = file
        self._later = later
        self._blocks: list[Payload] = []  # of the packets of this turn, in parts
        self._count = self._bytes = 0  # of those packets
        self.begin(epoch)
        self._secrets: deque[str] = deque(maxlen=MOST_SECRETS)
        self._missing = 0  # packets that were dropped, for want of somewhere to write them
        # By weak reference: whoever moves the bytes holds the connection, and lets it go when the connection is over.
        self._connections: WeakValueDictionary[int, RecordedConnection] = WeakValueDictionary()
        file.begin_with(pcapng.section_header(application, comment) + pcapng.interface_description(INTERFACE))

    @property
    def is_ended(self) -> bool:
        """Whether the file gets nothing more."""
        return self._file.has_ended

    def begin(self, epoch: float) -> None:
        """Lab time begins now, and its 0 is `epoch` (seconds since 1970): better than what was known earlier."""
        self._epoch = round(epoch * 1_000_000) * 1000  # a float has no more digits for this century's seconds

    def open(self, number: int, peer: HostPort, local: HostPort, at: float) -> ConnectionTap:
        """A connection was accepted; after the end of the file nobody records it."""
        if self.is_ended:
            return NO_TAP
        connection = self._connections[number] = RecordedConnection(self, ConnectionPackets(peer, local, number), at)
        return connection

    def secrets(self, line: str) -> None:
        """Keep a line of the key log for the packets that come next."""
        if not self.is_ended:
            self._secrets.append(line)

    def note(self, event: Event) -> None:
        """Put what there is to say of an event beside the packet that it belongs to."""
        connection = self._connections.get(event.connection)
        if connection is not None and (text := comments.comment(event)):
            connection.comment(event, text)

    def nanoseconds(self, at: float) -> int:
        """Since 1970, of a lab time."""
        return self._epoch + round(at * NANOSECONDS)

    def write(self, blocks: Sequence[Payload], count: int) -> None:
        """Write `count` packets, in whatever parts, before the lab waits, and before them the secrets that have come.

        Where they are dropped, the secrets are not: what is left of their connections decrypts.
        """
        self._blocks += blocks
        self._count += count
        self._bytes += sum(map(len, blocks))
        if self._bytes > TOGETHER_BYTES:
            self._write_now()
        elif self._count == count:
            self._later(self._write_now)

    def _write_now(self) -> None:
        if not self._count:
            return
        secrets = pcapng.decryption_secrets(self._secrets) if self._secrets else b""
        blocks, count = self._blocks, self._count
        self._blocks, self._count, self._bytes = [], 0, 0
        if self._file.write(b"".join([secrets, *blocks]), count):
            self._secrets.clear()
            self._missing = 0
        else:
            self._missing += count

    @property
    def remark(self) -> tuple[str, ...]:
        """What to say beside the next packet: that some are missing in front of it."""
        return (f"tlslab: {missing(self._missing, 'packet')} in front of this one",) if self._missing else ()


class RecordedConnection:
    """A `tap.ConnectionTap` that holds the packets of a step until their comments are known."""

    def __init__(self, capture: Capture, packets: ConnectionPackets, at: float) -> None:
        self.looks_ahead = True
        self._capture = capture
        self._packets = packets
        self._held: list[Packet] = []
        self._times: list[int] = []
        self._comments: dict[int, list[str]] = {}  # by place in _held, or TO_COME
        self._shown_ahead = 0  # bytes that wait in the socket and are written already
        self._window_closed = False
        self._begun = False  # the client's first packet is there
        self._first, self._first_at = b"", at  # what will be in it
        self._hold(packets.opened(), at)

    def received(self, data: bytes, at: float) -> None:
        """The lab took bytes; those that were shown while they waited are not shown again."""
        self._window_closed = False
        shown = min(self._shown_ahead, len(data))
        self._shown_ahead -= shown
        if not self._begun:
            self._first, self._first_at = self._first + data, at
            if len(self._first) >= KNOWS_TLS_BY:
                self._begin()
        elif shown < len(data):
            self._hold(self._packets.client_sent(data[shown:]), at)

    def _begin(self) -> None:
        """Show the client's first bytes, however few; the moment is theirs, though others' packets are in between."""
        if not self._begun:
            self._begun = True
            self._hold(self._packets.client_sent(self._first), self._first_at)

    def waiting(self, data: bytes, at: float) -> None:
        """All that waits in the socket: show what was not shown before."""
        self._begin()
        if len(data) > self._shown_ahead:
            self._hold(self._packets.client_sent(data[self._shown_ahead :], unread=True), at)
            self._shown_ahead = len(data)

    def window_closed(self, at: float) -> None:
        """The client was told to send no more."""
        if not self._window_closed:
            self._window_closed = True
            self._hold(self._packets.server_window_closed(), at)

    def sent(self, data: bytes, at: float) -> None:
        """The lab sent a piece."""
        if not self._begun:
            self._begin()
        self._hold(self._packets.server_sent(data), at)

    def peer_ended(self, at: float, *, reset: bool) -> None:
        """The client ended its side."""
        self._begin()
        self._hold(self._packets.client_ended(reset=reset), at)

    def ended(self, at: float, *, reset: bool) -> None:
        """The lab ended its side."""
        self._begin()
        self._hold(self._packets.server_ended(reset=reset), at)

    def comment(self, event: Event, text: str) -> None:
        """Put a comment beside the last packet that it can belong to, or the next one where none is held."""
        about_what_came = type(event) in comments.ABOUT_WHAT_CAME
        place = self._place(from_client=about_what_came, first=type(event) in comments.BEGINS)
        beside = self._comments.setdefault(place, [])
        if beside and type(event) in comments.CONTINUES:
            beside[-1] += f"; {text}"
        else:
            beside.append(text)

    def _place(self, *, from_client: bool, first: bool) -> int:
        """The last (or first) data of the side, else the lab's end, else what the other side sent, else anything."""
        found, best = TO_COME, -1
        for place in range(len(self._held) - 1, -1, -1):
            packet = self._held[place]
            if packet.kind is PacketKind.CONTROL:
                fits = 0
            elif packet.from_client is not from_client:
                fits = 1
            elif packet.kind is PacketKind.DATA:
                fits = 3
            else:
                fits = 1 if from_client else 2
            if fits > best or (first and fits == 3):
                found, best = place, fits
            if best == 3 and not first:
                break
        return found

    def settle(self) -> None:
        """Write what is held, in order."""
        if self._capture.is_ended:
            self.looks_ahead = False
            self._forget()
        elif self._held:
            self._place_early()
            late = self._packets.settled()
            self._held += late
            self._times += self._times[-1:] * len(late)
            if remark := self._capture.remark:
                self._comments[0] = [*remark, *self._comments.get(0, ())]
            blocks: list[Payload] = []
            for place, packet in enumerate(self._held):
                beside = self._comments.get(place, ())
                blocks += pcapng.enhanced_packet(self._times[place], packet.headers, packet.payload, beside)
            self._capture.write(blocks, len(self._held))
            self._forget()

    def _place_early(self) -> None:
        """Comments that had no packet belong to the lab's FIN or RST if that came, else to the first that did."""
        if early := self._comments.pop(TO_COME, None):
            ends = (place for place, one in enumerate(self._held) if one.kind is PacketKind.END and not one.from_client)
            place = next(ends, 0)
            self._comments[place] = early + self._comments.get(place, [])

    def _hold(self, packets: list[Packet], at: float) -> None:
        self._held += packets
        self._times += [self._capture.nanoseconds(at)] * len(packets)

    def _forget(self) -> None:
        self._held.clear()
        self._times.clear()
        self._comments.clear()
