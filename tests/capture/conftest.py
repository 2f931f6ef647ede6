"""Independent readers of captures (blocks, options, packets) and of logs: as slow and as strict as the documents."""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.capture.files import OutputFile
from tlslab.capture.logs import EVENTS_JSON, EVENTS_TEXT
from tlslab.capture.recording import Capture
from tlslab.capture.segments import MAX_PAYLOAD
from tlslab.events import Event, EvidenceEnded
from tlslab.pki.store import Pki, open_pki
from tlslab.types import EvidenceEnd

EPOCH = 1_766_000_000.25  # of lab time 0
FLAGS = {0x01: "F", 0x02: "S", 0x04: "R", 0x08: "P", 0x10: "A"}


@dataclass(frozen=True)
class Block:
    """One block: its fixed part as the draft lays it out, and its options in order."""

    kind: int
    fields: tuple[int, ...]
    data: bytes
    options: tuple[tuple[int, bytes], ...]

    @property
    def comments(self) -> list[str]:
        """Its comments, as text."""
        return [value.decode() for code, value in self.options if code == 1]


FIXED = {0x0A0D0D0A: "<IHHq", 1: "<HHI", 6: "<IIIII", 10: "<II"}
DATA_LENGTH = {6: 3, 10: 1}  # which of the fixed fields counts the data


def _blocks(data: bytes) -> Iterator[Block]:
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        body, data = data[8 : length - 4], data[length:]
        fields = struct.unpack_from(FIXED[kind], body)
        body = body[struct.calcsize(FIXED[kind]) :]
        count = fields[DATA_LENGTH[kind]] if kind in DATA_LENGTH else 0
        content, body = body[:count], body[_up(count) :]
        assert len(content) == count
        yield Block(kind, fields, content, tuple(_options(body)))


def _options(body: bytes) -> Iterator[tuple[int, bytes]]:
    while body:
        code, length = struct.unpack_from("<HH", body)
        value, body = body[4 : 4 + length], body[4 + _up(length) :]
        if code == 0:
            assert not value
            assert not body
            return
        assert len(value) == length
        yield code, value


def _up(length: int) -> int:
    return -(-length // 4) * 4


@dataclass(frozen=True)
class Segment:
    """One TCP segment, or several merged, out of its IP packet, both checksums proved."""

    source: tuple[str, int]
    target: tuple[str, int]
    flags: str
    sequence: int
    acknowledgment: int
    window: int
    options: bytes
    payload: bytes
    identification: int | None


def _segment(packet: bytes) -> Segment:
    """Take a packet apart; the checksums are added up word by word (RFC 1071)."""
    identification = None
    if packet[0] >> 4 == 4:
        assert struct.unpack_from("!H", packet, 2) == (len(packet),)
        assert (packet[0], packet[8], packet[9]) == (0x45, 64, 6)
        assert struct.unpack_from("!H", packet, 6) == (0x4000,)  # don't fragment
        assert _sum(packet[:20]) == 0xFFFF
        [identification] = struct.unpack_from("!H", packet, 4)
        source, target, tcp = packet[12:16], packet[16:20], packet[20:]
    else:
        assert struct.unpack_from("!IHBB", packet) == (6 << 28, len(packet) - 40, 6, 64)
        source, target, tcp = packet[8:24], packet[24:40], packet[40:]
    sport, dport, sequence, acknowledgment, offset_flags, window, checksum, _urgent = struct.unpack_from(
        "!HHIIHHHH", tcp
    )
    offset = (offset_flags >> 12) * 4
    pseudo = source + target + struct.pack("!II", len(tcp), 6)
    if len(tcp) - offset > MAX_PAYLOAD:  # partial, as a system leaves it to its network card
        assert checksum == _sum(pseudo) != 0
    else:
        assert _sum(pseudo + tcp) == 0xFFFF
        assert checksum != 0xFFFF  # legal, but Wireshark wonders (RFC 1624)
    return Segment(
        (str(ipaddress.ip_address(source)), sport),
        (str(ipaddress.ip_address(target)), dport),
        "".join(name for bit, name in FLAGS.items() if offset_flags & bit),
        sequence,
        acknowledgment,
        window,
        tcp[20:offset],
        tcp[offset:],
        identification,
    )


def _sum(data: bytes) -> int:
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _streams(segments: list[Segment]) -> dict[tuple[str, int], bytes]:
    """The payload of each sender by sequence number; what would be a gap, a repetition or out of order fails."""
    streams: dict[tuple[str, int], bytearray] = {}
    following: dict[tuple[str, int], int] = {}
    for one in segments:
        if "S" in one.flags:
            following[one.source] = one.sequence
            streams[one.source] = bytearray()
        assert one.sequence == following[one.source]
        if "A" in one.flags:
            assert one.acknowledgment == following[one.target]
        streams[one.source] += one.payload
        length = len(one.payload) + ("S" in one.flags) + ("F" in one.flags)
        following[one.source] = (one.sequence + length) % 2**32
    return {sender: bytes(stream) for sender, stream in streams.items()}


@pytest.fixture(scope="session")
def read_blocks() -> Callable[[bytes], list[Block]]:
    """Take a capture file apart."""
    return lambda data: list(_blocks(data))


@pytest.fixture(scope="session")
def read_segment() -> Callable[[bytes], Segment]:
    """Take a packet apart."""
    return _segment


@pytest.fixture(scope="session")
def read_streams() -> Callable[[list[Segment]], dict[tuple[str, int], bytes]]:
    """Put the payload of each sender together."""
    return _streams


class Recording:
    """A capture in a file, and what is in it."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.ends: list[EvidenceEnd] = []
        self.file = OutputFile(str(path), "the capture", unit="packet", tell=self._tell, **options)
        self.capture = Capture(self.file, EPOCH, "tlslab 1.2", "a scenario")

    def _tell(self, kind: type[Event], why: EvidenceEnd, *_details: object) -> None:
        if kind is EvidenceEnded:
            self.ends.append(why)

    def blocks(self) -> list[Block]:
        """All of it."""
        return list(_blocks(self.path.read_bytes()))

    def packets(self) -> list[tuple[Segment, list[str]]]:
        """Segments with their comments."""
        return [(_segment(block.data), block.comments) for block in self.blocks() if block.kind == 6]

    def comments(self) -> list[tuple[int, str, list[str]]]:
        """Of what has comments: number in the file from 1, flags and comments."""
        return [(number, one.flags, texts) for number, (one, texts) in enumerate(self.packets(), 1) if texts]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    """Return a function that begins a capture in a file."""
    made: list[Recording] = []

    def make(path: str = "", **options: Any) -> Recording:
        made.append(Recording(Path(path) if path else tmp_path / f"{len(made)}.pcapng", **options))
        return made[-1]

    yield make
    for one in made:
        one.file.__exit__(None, None, None)


# --- readers of the logs, that know the published formats and nothing of the writers -----------------------------

# W3C Extended Log File Format (www.w3.org/TR/WD-logfile): the type of each field.
DATE, TIME = r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
NUMBER, TEXT = r"0|[1-9]\d*", r"[^\s\x00-\x1f\x7f]+"
W3C = {
    "date": DATE,
    "time": TIME,
    "s-ip": "ip",
    "cs-method": TEXT,
    "cs-uri-stem": TEXT,
    "cs-uri-query": TEXT,
    "s-port": NUMBER,
    "cs-username": TEXT,
    "c-ip": "ip",
    "cs(User-Agent)": TEXT,
    "cs(Referer)": TEXT,
    "sc-status": r"[1-5]\d\d",
    "sc-substatus": NUMBER,
    "sc-win32-status": NUMBER + "|-",
    "time-taken": NUMBER,
}
HTTPERR = {
    "date": DATE,
    "time": TIME,
    "c-ip": "ip",
    "c-port": NUMBER,
    "s-ip": "ip",
    "s-port": NUMBER,
    "cs-version": r"HTTP/\d\.\d|-",
    "cs-method": TEXT,
    "cs-uri": TEXT,
    "sc-status": r"[1-9]\d\d|-",
    "s-siteid": "1|-",
    "s-reason": r"[A-Z][A-Za-z_/]+",
    "s-queuename": "DefaultAppPool|-",
}
HTTPERR_SOFTWARE = "#Software: Microsoft HTTP API 2.0 (imitated by tlslab)\n#Version: 1.0\n#Date: "


def _columns(line: str, names: Iterable[str], types: dict[str, str]) -> dict[str, str]:
    """Take a line apart; it must have these fields, each of its type."""
    found = dict(zip(names, line.split(" "), strict=True))
    for name, value in found.items():
        if types[name] == "ip":
            ipaddress.ip_address(value)
        else:
            assert re.fullmatch(types[name], value), (name, value)
    return found


def _read_w3c(path: Path) -> tuple[list[dict[str, str]], int]:
    """The entries of a site's log, and how often its headings are in it."""
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    entries, names, directives = [], [""], []
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            directive, colon, value = line[1:].partition(": ")
            assert colon
            directives.append(directive)
            names = value.split(" ") if directive == "Fields" else names
        else:
            entries.append(_columns(line, names, W3C))
    headings = len(directives) // 4
    assert directives == ["Software", "Version", "Date", "Fields"] * headings
    return entries, headings


def _read_httperr(path: Path) -> list[dict[str, str]]:
    """The lines of an HTTPERR file of thirteen fields; its headings stand at the top, and wherever a lab went on."""
    text = path.read_bytes().decode("utf-8")
    assert text.startswith(HTTPERR_SOFTWARE)
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    fields = [line.removeprefix("#Fields: ").split() for line in lines if line.startswith("#Fields: ")]
    assert fields == [list(HTTPERR)] * text.count(HTTPERR_SOFTWARE)
    return [_columns(line, HTTPERR, HTTPERR) for line in lines if not line.startswith("#")]


def _entries(folder: Path) -> list[dict[str, Any]]:
    """What the event logs have; both files or none."""
    path = folder / EVENTS_JSON
    assert path.exists() is (folder / EVENTS_TEXT).exists()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def w3c_fields() -> list[str]:
    """The fields that the reader of a site's log knows, as the format's description has them."""
    return list(W3C)


@pytest.fixture(scope="session")
def read_w3c() -> Callable[[Path], tuple[list[dict[str, str]], int]]:
    """Read a site's log: its entries, and how often its headings are in it."""
    return _read_w3c


@pytest.fixture(scope="session")
def read_httperr() -> Callable[[Path], list[dict[str, str]]]:
    """Read an HTTPERR file: its lines."""
    return _read_httperr


@pytest.fixture(scope="session")
def read_entries() -> Callable[[Path], list[dict[str, Any]]]:
    """Read the event logs in a folder: their entries."""
    return _entries


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))
