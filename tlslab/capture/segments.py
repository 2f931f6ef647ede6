"""The TCP packets of one connection, made up from what passed on it. Pure: no clock, no socket.

A lab sees streams, not packets. These are the packets that would have carried them on a network that loses nothing: the
payload, its order, FIN and RST are true; where one segment ends and when it is acknowledged follows the rules below.

Each side acknowledges in the order of sending. The client acknowledges at once and with a packet of its own. So does
the server where a piece took two or more segments; else the next thing that it sends acknowledges, or `settle` does.
This is how the published trace of an IIS reads (Microsoft, "How it works on the wire: IIS HTTP Client certificate
authentication", frames 72 to 96).

Bulk is the exception. Of a long piece that the server took the segments are merged, as they are in a capture from a
machine whose system merges them before anybody sees them (generic receive offload in Linux, receive segment coalescing
in Windows). A packet costs the same whatever is in it, and nobody reads an upload segment by segment: one of 8 MiB is
some 210 packets here and not 5,745. Handshakes, requests and answers are shorter than that. So are the pieces of a
frozen upload, which the server takes by the page; and what waits unread is shown in segments, however much it is.

A merged packet has the checksum that Linux and Windows leave to their network card to complete: the sum of the pseudo
header (Wireshark, "Capture setup: offloading"; since 4.2 it is shown as partial, and older ones check nothing unless
they are told to). To sum the bytes as well was three fifths of what the capture of an upload costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import NamedTuple

from tlslab.text import HostPort

MAX_PAYLOAD = 1460  # bytes of a segment: Ethernet's 1,500 without the headers of IPv4 and TCP
BULK = 8 * MAX_PAYLOAD  # chosen: the most that is shown in segments, where the server took more in one piece
MERGED_PAYLOAD = 44 * MAX_PAYLOAD  # as many segments as fit into the 65,535 bytes of an IPv4 packet
MOST_IN_FLIGHT = 4 * 1024 * 1024  # chosen: bytes of a piece before they are acknowledged, far below the window
WINDOW = 0xFFFF  # times 256: as long as nobody tells that the real one is closed, this one is open
# Maximum segment size 1,460, no-operation, window scale 8, two no-operations, SACK permitted (RFC 9293, 7323, 2018).
SYN_OPTIONS = bytes.fromhex("020405b4 01 030308 01 01 0402")
TTL = 64
TCP = 6  # protocol number

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

# A packet's headers are what IP's begins with (RFC 791, RFC 8200), the ends (addresses, then ports: they stand side by
# side and never change), and what is left of TCP's (RFC 9293, 3.1).
_V4_BEGIN, _V6_BEGIN = Struct("!HHHHBBH"), Struct("!IHBB")
_PORTS = Struct("!HH")
_TCP_REST = Struct("!IIHHHH")
_V4_HEADER, _TCP_HEADER = 20, 20  # bytes, without options
_V4_VERSION, _DONT_FRAGMENT = 0x4500, 0x4000


# For sums: so many bits are half of what is long, a multiple of 16 each, and so they are masked.
_HALVES = tuple((bits, (1 << bits) - 1) for bits in (8 * 736, 8 * 368))


Payload = bytes | memoryview


class PacketKind(Enum):
    """What a packet is there for."""

    DATA = auto()
    UNREAD = auto()  # data that nobody has taken yet
    END = auto()  # FIN or RST
    CONTROL = auto()  # the handshake's, and acknowledgments alone


@dataclass(slots=True)
class Packet:
    """One packet. Its payload is apart, so that the bytes of an upload are copied once: into what is written."""

    headers: bytes  # of IP and of TCP
    payload: Payload
    from_client: bool
    kind: PacketKind


class Sender:
    """One side of a connection: what it sends."""

    def __init__(self, source: _Host, target: _Host, initial: int, *, is_client: bool) -> None:
        self._is_client = is_client
        self._v4 = source.address.version == 4
        self._ends = source.address.packed + target.address.packed + _PORTS.pack(source.port, target.port)
        # What is the same in every sum. Here and below a sum is one of 16-bit words, modulo 0xFFFF.
        addresses = int(source.address) + int(target.address)
        self._ip_constant = (_V4_VERSION + _DONT_FRAGMENT + (TTL << 8 | TCP) + addresses) % 0xFFFF
        self._pseudo_constant = (TCP + addresses) % 0xFFFF
        self._tcp_constant = self._pseudo_constant + source.port + target.port
        self._identification = initial & 0xFFFF
        self._acknowledged = -1
        self.next = initial  # sequence number, modulo 2^32
        self.peer = self
        self.finished = False

    def packet(
        self,
        flags: int,
        payload: Payload = b"",
        kind: PacketKind = PacketKind.CONTROL,
        options: bytes = b"",
        window: int = WINDOW,
    ) -> Packet:
        """Send a packet; whatever it is, it acknowledges all there is to acknowledge."""
        sequence, acknowledgment = self.next, 0
        if flags & ACK:
            acknowledgment = self._acknowledged = self.peer.next
        if payload or flags & (SYN | FIN):
            self.next = (sequence + len(payload) + (flags & (SYN | FIN) != 0)) & 0xFFFFFFFF
        header = _TCP_HEADER + len(options)
        length = header + len(payload)
        offset_flags = header // 4 << 12 | flags
        if len(payload) > MAX_PAYLOAD:
            checksum = (self._pseudo_constant + length - 1) % 0xFFFF + 1  # never 0, as a sum with carries is
        else:
            total = self._tcp_constant + length + sequence + acknowledgment + offset_flags + window
            if payload or options:
                total += _sum_of_words(payload) + _sum_of_words(options)
            checksum = -total % 0xFFFF
        tcp = _TCP_REST.pack(sequence, acknowledgment, offset_flags, window, checksum, 0)
        begin = self._v4_begin(length) if self._v4 else _V6_BEGIN.pack(6 << 28, length, TCP, TTL)
        return Packet(begin + self._ends + tcp + options, payload, self._is_client, kind)

    def _v4_begin(self, tcp_length: int) -> bytes:
        length = _V4_HEADER + tcp_length
        number = self._identification = self._identification + 1 & 0xFFFF
        checksum = -(self._ip_constant + length + number) % 0xFFFF
        return _V4_BEGIN.pack(_V4_VERSION, length, number, _DONT_FRAGMENT, TTL, TCP, checksum)

    def data(self, data: bytes, kind: PacketKind = PacketKind.DATA, longest: int = MAX_PAYLOAD) -> list[Packet]:
        """Send data, of which there is some; the last packet says that nothing more of it comes."""
        if len(data) <= longest:
            return [self.packet(PSH | ACK, data, kind)]
        last = (len(data) - 1) // longest * longest
        view = memoryview(data)  # whose slices are no copies
        packets = [self.packet(ACK, view[start : start + longest], kind) for start in range(0, last, longest)]
        return [*packets, self.packet(PSH | ACK, view[last:], kind)]

    def acknowledgment(self) -> list[Packet]:
        """Acknowledge, if the peer has sent what this side has not acknowledged."""
        return [] if self._acknowledged == self.peer.next else [self.packet(ACK)]

    def end(self, flag: int) -> Packet:
        """Send FIN or RST."""
        self.finished = True
        return self.packet(flag | ACK, b"", PacketKind.END)


def _sum_of_words(data: Payload) -> int:
    """Add up 16-bit words modulo 0xFFFF (RFC 1071); `-sum % 0xFFFF` is the checksum, and never 0xFFFF.

    2^16 is 1 there, so an integer of any length is congruent to the sum of its words, and Python's own division adds
    them up. It goes digit by digit, so the halves of what is long are added first: 1,460 bytes take 4 us and not 6.
    """
    words = int.from_bytes(data, "big") << 8 * (len(data) & 1)
    for bits, mask in _HALVES:
        if words > mask:
            words = (words >> bits) + (words & mask)
    return words % 0xFFFF


class ConnectionPackets:
    """The packets of the connection `number`. Each method gives those that it adds, in order.

    Whoever has ended its side sends no more, and after a reset there is nothing more of either.
    """

    def __init__(self, client: HostPort, server: HostPort, number: int) -> None:
        here, there = _hosts(client, server)
        # Knuth's multiplicative hash: the next connection from the same port begins far from where this one ended.
        initial = number * 2654435761
        self._client = Sender(here, there, (initial + 0x1234567) & 0xFFFFFFFF, is_client=True)
        self._server = Sender(there, here, (initial + 0x89ABCDE) & 0xFFFFFFFF, is_client=False)
        self._client.peer, self._server.peer = self._server, self._client
        self._over = False

    def opened(self) -> list[Packet]:
        """The three packets that open it."""
        client, server = self._client, self._server
        packets = [client.packet(SYN, options=SYN_OPTIONS), server.packet(SYN | ACK, options=SYN_OPTIONS)]
        return [*packets, *client.acknowledgment()]

    def client_sent(self, data: bytes, *, unread: bool = False) -> list[Packet]:
        """The client's data, as it was taken in one piece; or, `unread`, as it waits to be taken."""
        if not data or not self._may_send(self._client):
            return []
        if len(data) > MOST_IN_FLIGHT:
            first, rest = data[:MOST_IN_FLIGHT], data[MOST_IN_FLIGHT:]
            return self.client_sent(first, unread=unread) + self.client_sent(rest, unread=unread)
        if unread:
            packets = self._client.data(data, PacketKind.UNREAD)
        else:
            packets = self._client.data(data, longest=MERGED_PAYLOAD if len(data) > BULK else MAX_PAYLOAD)
        return packets + self._server.acknowledgment() if len(data) > MAX_PAYLOAD else packets

    def server_sent(self, data: bytes) -> list[Packet]:
        """The server's data, as it was given away in one piece."""
        if not data or not self._may_send(self._server):
            return []
        if len(data) > MOST_IN_FLIGHT:
            return self.server_sent(data[:MOST_IN_FLIGHT]) + self.server_sent(data[MOST_IN_FLIGHT:])
        return self._server.data(data) + self._client.acknowledgment()

    def server_window_closed(self) -> list[Packet]:
        """The server takes nothing more for now."""
        return [self._server.packet(ACK, window=0)] if self._may_send(self._server) else []

    def client_ended(self, *, reset: bool) -> list[Packet]:
        """The client's FIN or RST."""
        return self._end(self._client, reset)

    def server_ended(self, *, reset: bool) -> list[Packet]:
        """The server's FIN or RST."""
        packets = self._end(self._server, reset)
        return packets if self._over else [*packets, *self._client.acknowledgment()]

    def settled(self) -> list[Packet]:
        """The server sends nothing more for now: what it has not acknowledged yet it acknowledges."""
        return [] if self._over else self._server.acknowledgment()

    def _may_send(self, side: Sender) -> bool:
        return not (self._over or side.finished)

    def _end(self, side: Sender, reset: bool) -> list[Packet]:
        both = side.finished and side.peer.finished  # nothing is left that could be reset
        if self._over or both or (side.finished and not reset):
            return []
        self._over = reset
        return [side.end(RST if reset else FIN)]


class _Host(NamedTuple):
    address: IPv4Address | IPv6Address
    port: int


def _hosts(first: HostPort, second: HostPort) -> tuple[_Host, _Host]:
    """Both addresses in one version of IP: 4, unless one of them has no place there."""
    addresses = [_address(host) for host, _port in (first, second)]
    if len({address.version for address in addresses}) == 2:
        addresses = [_mapped(address) for address in addresses]
    return _Host(addresses[0], first[1]), _Host(addresses[1], second[1])


@lru_cache(maxsize=256)  # a lab has few addresses, and so have most of its clients
def _address(host: str) -> IPv4Address | IPv6Address:
    """The address in `host`; a packet has no room for a scope, and IPv4 in IPv6's clothes is IPv4 on the wire."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(0xFFFF << 32 | int(address)) if isinstance(address, IPv4Address) else address
