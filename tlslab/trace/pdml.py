"""tshark's PDML (packet details as XML) taken apart into frames; the one format that keeps the order of the wire."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from tlslab.errors import LabError
from tlslab.trace.frames import Frame, Piece, PieceKind
from tlslab.wire.alerts import Alert, AlertLevel
from tlslab.wire.handshake import message_name

# What tshark's -j keeps of a packet: each protocol's own fields and the trees named here. `text` are trees that have no
# name of their own, such as a TLS extension.
KEPT = (
    "ip ipv6 tcp tcp.flags tcp.analysis tcp.analysis.flags _ws.expert tls tls.record tls.handshake tls.alert_message "
    "data text"
)
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
TLS_1_3 = 0x0304
REPEATED = ("retransmission", "fast_retransmission", "spurious_retransmission", "keep_alive", "zero_window_probe")
# What a ServerHello has for its random where it asks for another ClientHello (RFC 8446, 4.1.3).
RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "ack": 16}


def read_pdml(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """Frames of TCP, one by one as they come; LabError where the XML does not parse. A stream cut short just ends."""
    parser: XMLPullParser[Any] = XMLPullParser(["end"])
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        for chunk in chunks:
            parser.feed(NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", decoder.decode(chunk)))
            yield from filter(None, map(_frame, _packets(parser)))
    except (ParseError, ValueError, KeyError, IndexError) as error:
        raise LabError(
            f"tshark says something that cannot be read: {error}", "another version of it may help"
        ) from None


def _packets(parser: XMLPullParser[Any]) -> Iterator[Element]:
    """Each packet that is complete; what it held is forgotten when the next one is asked for."""
    events: Iterator[Any] = parser.read_events()
    for _, element in events:
        if element.tag == "packet":
            yield element
            element.clear()


# --- XML ------------------------------------------------------------------------------------------------------


def _fields(tree: Element) -> Iterator[Element]:
    return (field for field in tree.iter("field") if field.get("name"))


def _find(tree: Element, name: str) -> Element | None:
    return next((field for field in _fields(tree) if field.get("name") == name), None)


def _shown(tree: Element, name: str) -> str | None:
    field = _find(tree, name)
    return None if field is None else field.get("show", "")


def _number(tree: Element, name: str) -> int | None:
    text = _shown(tree, name)
    return int(text, 0) if text else None


# --- TCP ------------------------------------------------------------------------------------------------------


def _frame(packet: Element) -> Frame | None:
    layers = packet.findall("proto")
    index = next((index for index, layer in enumerate(layers) if layer.get("name") == "tcp"), None)
    if index is None:
        return None
    tcp = layers[index]
    addresses = [layer for layer in layers[:index] if layer.get("name") in ("ip", "ipv6")]
    general = {field.get("name"): field for field in layers[0]}
    flags = _number(tcp, "tcp.flags") or 0
    source, target = (_shown(addresses[-1], f"{addresses[-1].get('name')}.{end}") or "?" for end in ("src", "dst"))
    notes = {(field.get("name") or "").removeprefix("tcp.analysis.") for field in _fields(tcp)}
    length = _number(tcp, "tcp.len") or 0
    pieces = tuple(_pieces(layers[index + 1 :]))
    if length and not pieces:
        pieces = (Piece(PieceKind.PARTIAL, size=length),)
    return Frame(
        number=int(general["num"].get("show", "")),
        at=float(general["timestamp"].get("value", "")),
        stream=_number(tcp, "tcp.stream") or 0,
        source=(source, _number(tcp, "tcp.srcport") or 0),
        destination=(target, _number(tcp, "tcp.dstport") or 0),
        length=length,
        zero_window=_number(tcp, "tcp.window_size") == 0 and not flags & (FLAGS["syn"] | FLAGS["rst"]),
        repeated=not notes.isdisjoint(REPEATED),
        lost_before="lost_segment" in notes,
        cut_bytes=int(general["len"].get("show", "")) - int(general["caplen"].get("show", "")),
        pieces=pieces,
        **{name: bool(flags & bit) for name, bit in FLAGS.items()},
    )


# --- TLS ------------------------------------------------------------------------------------------------------


def _pieces(layers: list[Element]) -> Iterator[Piece]:
    """The pieces of a frame. Each `tls` layer is followed by what its application data decrypted to."""
    starts = [index for index, layer in enumerate(layers) if layer.get("name") == "tls"]
    for start, end in pairwise([*starts, len(layers)]):
        yield from _with_plain(list(_records(layers[start])), [*_decrypted(layers[start + 1 : end])])


def _decrypted(layers: list[Element]) -> Iterator[Piece]:
    fields = (field for layer in layers for field in _fields(layer) if field.get("name") == "data.data")
    for plain in (bytes.fromhex(field.get("value", "")) for field in fields):
        yield Piece(PieceKind.DATA, size=len(plain), plain=plain)


def _with_plain(records: list[Piece], decrypted: list[Piece]) -> Iterator[Piece]:
    """Put what was decrypted where its records stand; where the numbers differ, at the last of them."""
    data = [index for index, piece in enumerate(records) if piece.kind is PieceKind.DATA]
    places = data if len(data) == len(decrypted) else data[-1:] * len(decrypted)
    for index, piece in enumerate(records):
        own = [plain for place, plain in zip(places, decrypted, strict=False) if place == index]
        yield from own
        if not own and not (piece.kind is PieceKind.DATA and decrypted):
            yield piece


def _records(tls: Element) -> Iterator[Piece]:
    for record in tls:
        if record.get("name") != "tls.record":
            continue
        length = _number(record, "tls.record.length") or 0
        content = _number(record, "tls.record.content_type") or _number(record, "tls.record.opaque_type")
        if content == CHANGE_CIPHER_SPEC:
            yield Piece(PieceKind.CHANGE_CIPHER_SPEC, "ChangeCipherSpec")
        elif content == ALERT:
            yield _alert(record, length)
        elif content == HANDSHAKE:
            messages = [field for field in record if field.get("name") == "tls.handshake"]
            yield from (_handshake(message, length) for message in messages)
        elif content == APPLICATION_DATA:
            yield Piece(PieceKind.DATA, size=length, encrypted=True)


def _alert(record: Element, length: int) -> Piece:
    level, code = _number(record, "tls.alert_message.level"), _number(record, "tls.alert_message.desc")
    if level is None or code is None:
        return Piece(PieceKind.ALERT, size=length, encrypted=True)
    return Piece(PieceKind.ALERT, Alert(level, code).name, fatal=level == AlertLevel.FATAL)


def _handshake(message: Element, record_length: int) -> Piece:
    code = _number(message, "tls.handshake.type")
    if code is None and "fragment" in message.get("showname", ""):  # of a message over several records
        return Piece(PieceKind.PARTIAL, size=record_length)
    if code is None:
        return Piece(PieceKind.HANDSHAKE, size=record_length, encrypted=True)
    certificates = _number(message, "tls.handshake.certificates_length")
    chosen = _number(message, "tls.handshake.extensions.supported_version")
    is_retry = (_shown(message, "tls.handshake.random") or "").replace(":", "") == RETRY
    return Piece(
        PieceKind.HANDSHAKE,
        "HelloRetryRequest" if is_retry else message_name(code),
        _number(message, "tls.handshake.length") or 0,
        server_name=_server_name(message) if message_name(code) == "ClientHello" else None,
        session_id=(_shown(message, "tls.handshake.session_id") or "").replace(":", "") or None,
        is_tls13=None if message_name(code) != "ServerHello" or is_retry else chosen == TLS_1_3,
        issuer_bytes=_number(message, "tls.handshake.dnames_len"),
        certificate_bytes=certificates if message_name(code) == "Certificate" else None,
    )


def _server_name(hello: Element) -> str:
    return _shown(hello, "tls.handshake.extensions_server_name") or ""
