"""The TCP packets of one connection, made up from what passed on it. Pure: no clock, no socket.

A lab sees streams, not packets. These are the packets that would have carried them on a network that loses nothing: the
payload, its order, FIN and RST are true; where one segment ends and when it is acknowledged follows the rules below.

Each side acknowledges in the order of sending. The client acknowledges at once and with a packet of its own. So does
the server where a piece took two or more segments; else the next thing that it sends acknowledges, or `settle` does.
This is how the published trace of an IIS reads (Microsoft, "How it works on the wire: IIS HTTP Client certificate
authentication", frames 72 to 96).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import NamedTuple

from tlslab.text import HostPort

MAX_PAYLOAD = 1460  # bytes of a segment: Ethernet's 1,500 without the headers of IPv4 and TCP
MOST_IN_FLIGHT = 4 * 1024 * 1024  # chosen: bytes of a piece before they are acknowledged, far below the window
WINDOW = 0xFFFF  # times 256: as long as nobody tells that the real one is closed, this one is open
HEADER_WORDS = 5  # of 32 bits, without options (RFC 9293, 3.1)
# Maximum segment size 1,460, no-operation, window scale 8, two no-operations, SACK permitted (RFC 9293, 7323, 2018).
SYN_OPTIONS = bytes.fromhex("020405b4 01 030308 01 01 0402")
TTL = 64
TCP = 6  # protocol number

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_V4 = Struct("!BBHHHBBHII HHIIHHHH")  # the IPv4 header (RFC 791), then TCP's
_V6 = Struct("!IHBB16s16s HHIIHHHH")  # the IPv6 header (RFC 8200), then TCP's
_V4_HEADER, _V6_HEADER, _TCP_HEADER = 20, 40, 4 * HEADER_WORDS
_DONT_FRAGMENT = 0x4000
# Sums of 16-bit words, modulo 0xFFFF: since 2^16 is 1 there, an integer of any length is congruent to the sum of its
# words, and Python's own division adds them up (RFC 1071). `-sum % 0xFFFF` is the checksum, and never 0xFFFF.
_V4_CONSTANT = 0x4500 + _DONT_FRAGMENT + (TTL << 8 | TCP)


class PacketKind(Enum):
    """What a packet is there for."""

    DATA = auto()
    UNREAD = auto()  # data that nobody has taken yet
    END = auto()  # FIN or RST
    CONTROL = auto()  # the handshake's, and acknowledgments alone


class Packet(NamedTuple):
    """One packet, beginning with its IP header."""

    data: bytes
    from_client: bool
    kind: PacketKind


class Sender:
    """One side of a connection: what it sends."""

    def __init__(self, source: _Host, target: _Host, initial: int, *, is_client: bool) -> None:
        self._is_client = is_client
        self._ports = (source.port, target.port)
        self._v4 = source.address.version == 4
        self._ends: tuple[int | bytes, int | bytes] = (source.packed, target.packed)
        self._addresses = int(source.address) + int(target.address)
        self._tcp_constant = self._addresses + TCP + source.port + target.port
        self._identification = initial & 0xFFFF
        self._acknowledged = -1
        self.next = initial  # sequence number, modulo 2^32
        self.peer = self
        self.finished = False

    @property
    def owes(self) -> bool:
        """Whether the peer has sent what this side has not acknowledged."""
        return self._acknowledged != self.peer.next

    def packet(
        self,
        flags: int,
        payload: bytes = b"",
        options: bytes = b"",
        kind: PacketKind = PacketKind.CONTROL,
        window: int = WINDOW,
    ) -> Packet:
        """Send a packet; whatever it is, it acknowledges all there is to acknowledge."""
        acknowledgment = self.peer.next if flags & ACK else 0
        tcp_length = _TCP_HEADER + len(options) + len(payload)
        offset_flags = (HEADER_WORDS + len(options) // 4) << 12 | flags
        total = self._tcp_constant + tcp_length + self.next + acknowledgment + offset_flags + window
        total += int.from_bytes(options, "big") + (int.from_bytes(payload, "big") << 8 * (len(payload) & 1))
        tcp = (*self._ports, self.next, acknowledgment, offset_flags, window, -total % 0xFFFF, 0)
        if flags & ACK:
            self._acknowledged = acknowledgment
        self.next = (self.next + len(payload) + (flags & (SYN | FIN) != 0)) & 0xFFFFFFFF
        head = self._v4_head(tcp_length, tcp) if self._v4 else self._v6_head(tcp_length, tcp)
        return Packet(head + options + payload, self._is_client, kind)

    def _v4_head(self, tcp_length: int, tcp: tuple[int, ...]) -> bytes:
        self._identification = self._identification + 1 & 0xFFFF
        length = _V4_HEADER + tcp_length
        checksum = -(_V4_CONSTANT + length + self._identification + self._addresses) % 0xFFFF
        words = (0x45, 0, length, self._identification, _DONT_FRAGMENT, TTL, TCP, checksum)
        return _V4.pack(*words, *self._ends, *tcp)

    def _v6_head(self, tcp_length: int, tcp: tuple[int, ...]) -> bytes:
        return _V6.pack(6 << 28, tcp_length, TCP, TTL, *self._ends, *tcp)

    def segments(self, data: bytes) -> Iterator[Packet]:
        """Send data; the last segment says that nothing more of it comes."""
        last = len(data) - MAX_PAYLOAD
        for start in range(0, len(data), MAX_PAYLOAD):
            flags = ACK if start < last else PSH | ACK
            yield self.packet(flags, data[start : start + MAX_PAYLOAD], kind=PacketKind.DATA)

    def acknowledgment(self) -> Iterator[Packet]:
        """Acknowledge, if there is anything to."""
        if self.owes:
            yield self.packet(ACK)

    def end(self, flag: int) -> Packet:
        """Send FIN or RST."""
        self.finished = True
        return self.packet(flag | ACK, kind=PacketKind.END)


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

    def client_sent(self, data: bytes) -> list[Packet]:
        """The client's data, as it was taken in one piece."""
        packets: list[Packet] = []
        for piece in _pieces(data) if self._may_send(self._client) else ():
            packets += self._client.segments(piece)
            if len(piece) > MAX_PAYLOAD:
                packets += self._server.acknowledgment()
        return packets

    def server_sent(self, data: bytes) -> list[Packet]:
        """The server's data, as it was given away in one piece."""
        packets: list[Packet] = []
        for piece in _pieces(data) if self._may_send(self._server) else ():
            packets += self._server.segments(piece)
            packets += self._client.acknowledgment()
        return packets

    def server_window_closed(self) -> list[Packet]:
        """The server takes nothing more for now."""
        return [self._server.packet(ACK, window=0)] if self._may_send(self._server) else []

    def client_ended(self, *, reset: bool) -> list[Packet]:
        """The client's FIN or RST."""
        return list(self._end(self._client, reset))

    def server_ended(self, *, reset: bool) -> list[Packet]:
        """The server's FIN or RST."""
        packets = list(self._end(self._server, reset))
        return packets if self._over else [*packets, *self._client.acknowledgment()]

    def settled(self) -> list[Packet]:
        """The server sends nothing more for now: what it has not acknowledged yet it acknowledges."""
        return [] if self._over else list(self._server.acknowledgment())

    def _may_send(self, side: Sender) -> bool:
        return not (self._over or side.finished)

    def _end(self, side: Sender, reset: bool) -> Iterator[Packet]:
        both = side.finished and side.peer.finished  # nothing is left that could be reset
        if self._over or both or (side.finished and not reset):
            return
        self._over = reset
        yield side.end(RST if reset else FIN)


class _Host(NamedTuple):
    address: IPv4Address | IPv6Address
    port: int

    @property
    def packed(self) -> int | bytes:
        return int(self.address) if self.address.version == 4 else self.address.packed


def _hosts(first: HostPort, second: HostPort) -> tuple[_Host, _Host]:
    """Both addresses in one version of IP: 4, unless one of them has no place there."""
    addresses = [_address(host) for host, _port in (first, second)]
    if len({address.version for address in addresses}) == 2:
        addresses = [_mapped(address) for address in addresses]
    return _Host(addresses[0], first[1]), _Host(addresses[1], second[1])


def _address(host: str) -> IPv4Address | IPv6Address:
    """The address in `host`; a packet has no room for a scope, and IPv4 in IPv6's clothes is IPv4 on the wire."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(0xFFFF << 32 | int(address)) if isinstance(address, IPv4Address) else address


def _pieces(data: bytes) -> Iterator[bytes]:
    """The data, in pieces that are in flight at once."""
    if len(data) <= MOST_IN_FLIGHT:
        yield data
        return
    for start in range(0, len(data), MOST_IN_FLIGHT):
        yield data[start : start + MOST_IN_FLIGHT]
