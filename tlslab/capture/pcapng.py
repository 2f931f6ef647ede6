"""Blocks of a pcapng file. Pure: values in, whole blocks out, little-endian.

Source of layouts and constants: draft-ietf-opsawg-pcapng (sections 3.1 and 3.5 blocks and options, 4.1 Section Header,
4.2 Interface Description, 4.3 Enhanced Packet, 4.7 Decryption Secrets).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 0x00000001
ENHANCED_PACKET = 0x00000006
DECRYPTION_SECRETS = 0x0000000A

BYTE_ORDER_MAGIC = 0x1A2B3C4D
VERSION = (1, 0)
LENGTH_UNKNOWN = -1  # of the section: it is written while it happens
LINKTYPE_RAW = 101  # a packet begins with its IPv4 or IPv6 header (the registry of link types, tcpdump.org/linktypes)
NO_LIMIT = 0  # snap length: packets are whole
TLS_KEY_LOG = 0x544C534B

OPT_END = 0
OPT_COMMENT = 1
SHB_USERAPPL = 4
IF_NAME = 2
IF_TSRESOL = 9
NANOSECONDS = b"\x09"  # timestamps count 10^-9 s

MOST_OF_AN_OPTION = 0xFFFF

_FRAME = Struct("<II")
_LENGTH = Struct("<I")
_OPTION = Struct("<HH")
_SECTION = Struct("<IHHq")
_INTERFACE = Struct("<HHI")
_PACKET = Struct("<7I")
_PACKET_OVERHEAD = _PACKET.size + _LENGTH.size
_END_OF_OPTIONS = _OPTION.pack(OPT_END, 0)
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # what brings a length up to four


def section_header(application: str, comment: str) -> bytes:
    """Begin a file: which program writes it, and what the person who opens it should know."""
    body = _SECTION.pack(BYTE_ORDER_MAGIC, *VERSION, LENGTH_UNKNOWN)
    options = _option(OPT_COMMENT, _text(comment)) + _option(SHB_USERAPPL, _text(application))
    return _block(SECTION_HEADER, body + options + _END_OF_OPTIONS)


def interface_description(name: str) -> bytes:
    """The one interface all packets are from."""
    body = _INTERFACE.pack(LINKTYPE_RAW, 0, NO_LIMIT)
    options = _option(IF_NAME, _text(name)) + _option(IF_TSRESOL, NANOSECONDS)
    return _block(INTERFACE_DESCRIPTION, body + options + _END_OF_OPTIONS)


def enhanced_packet(
    nanoseconds: int, headers: bytes, payload: bytes | memoryview, comments: Sequence[str] = ()
) -> tuple[bytes | memoryview, ...]:
    """One packet, `headers` (IP's first) and `payload`, as parts to be joined: many packets are joined at once.

    `nanoseconds` since 1970, UTC. Each comment is an option of its own.
    """
    length = len(headers) + len(payload)
    padding = _PADDING[length & 3]
    options = b""
    if comments:
        options = b"".join([_option(OPT_COMMENT, _text(comment)) for comment in comments]) + _END_OF_OPTIONS
    total = _PACKET_OVERHEAD + length + len(padding) + len(options)
    head = _PACKET.pack(
        ENHANCED_PACKET, total, 0, nanoseconds >> 32 & 0xFFFFFFFF, nanoseconds & 0xFFFFFFFF, length, length
    )
    return head, headers, payload, padding, options, _LENGTH.pack(total)


def decryption_secrets(lines: Iterable[str]) -> bytes:
    """Lines of a TLS key log, for the packets that follow."""
    secrets = "".join(f"{line}\n" for line in lines).encode("ascii")
    return _block(DECRYPTION_SECRETS, _FRAME.pack(TLS_KEY_LOG, len(secrets)) + _padded(secrets))


def whole_blocks(data: bytes) -> Iterator[bytes]:
    """Take apart what this module wrote, as far as the blocks are complete."""
    start = 0
    while len(data) - start >= _FRAME.size:
        _kind, total = _FRAME.unpack_from(data, start)
        if len(data) - start < total:
            return
        yield data[start : start + total]
        start += total


def _block(kind: int, body: bytes) -> bytes:
    total = _FRAME.size + len(body) + _LENGTH.size
    return _FRAME.pack(kind, total) + body + _LENGTH.pack(total)


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + _PADDING[len(value) & 3]


def _text(text: str) -> bytes:
    """UTF-8, cut between characters where an option has no room for more."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > MOST_OF_AN_OPTION:
        encoded = encoded[:MOST_OF_AN_OPTION].decode("utf-8", "ignore").encode()
    return encoded


def _padded(data: bytes) -> bytes:
    return data + _PADDING[len(data) & 3]
