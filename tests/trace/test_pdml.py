"""tshark's XML becomes frames, in the order of the wire; whatever it says, no traceback comes of it."""

from __future__ import annotations

import pytest

from tlslab.errors import LabError
from tlslab.trace.frames import PieceKind
from tlslab.trace.pdml import RETRY, read_pdml


def field(name, show="", inner="", **attributes):
    """A field of PDML."""
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<field name="{name}" show="{show}"{more}>{inner}</field>'


def record(content, inner="", length=9):
    """A TLS record."""
    head = field("tls.record.content_type", content) + field("tls.record.length", length)
    return field("tls.record", inner=head + inner)


def handshake(code, inner=""):
    """A record with one handshake message."""
    return record(22, field("tls.handshake", inner=field("tls.handshake.type", code) + inner))


def data(plain):
    """What a record decrypted to, as tshark wraps it."""
    return f'<proto name="fake-field-wrapper">{field("data", inner=field("data.data", value=plain.hex()))}</proto>'


def packet(*layers, flags="0x0018", length=100, caplen=166, more=""):
    """A packet with TCP in it."""
    general = (
        field("num", 7)
        + field("len", 166)
        + field("caplen", caplen)
        + field("timestamp", "", value="1700000000.250000001")
    )
    address = field("ip.src", "192.0.2.1") + field("ip.dst", "192.0.2.2")
    ports = field("tcp.srcport", 50000) + field("tcp.dstport", 443) + field("tcp.stream", 3)
    tcp = ports + field("tcp.len", length) + field("tcp.flags", flags) + field("tcp.window_size", 512) + more
    return (
        f'<packet><proto name="geninfo">{general}</proto><proto name="ip">{address}</proto>'
        f'<proto name="tcp">{tcp}</proto>{"".join(layers)}</packet>'
    )


def tls(*records):
    """A layer of TLS."""
    return f'<proto name="tls">{"".join(records)}</proto>'


def read(*packets):
    """Frames of a whole document."""
    return list(read_pdml([f"<?xml version='1.0'?><pdml>{''.join(packets)}</pdml>".encode()]))


def names(frame):
    """The pieces of a frame in a word each."""
    return [piece.name or str(piece.kind) for piece in frame.pieces]


def test_tcp():
    """Addresses, flags, times and what was cut off."""
    [frame] = read(packet(flags="0x0012", length=0, caplen=100))
    assert (frame.number, frame.stream, frame.at) == (7, 3, 1700000000.25)
    assert (frame.source, frame.destination) == (("192.0.2.1", 50000), ("192.0.2.2", 443))
    assert (frame.syn, frame.ack, frame.fin, frame.rst, frame.zero_window, frame.cut_bytes) == (
        True,
        True,
        False,
        False,
        False,
        66,
    )


def test_the_order_of_the_wire():
    """Decrypted data stands where its record stood."""
    layers = tls(
        record(20),
        handshake(20),
        record(23),
        record(21, field("tls.alert_message.level", 1) + field("tls.alert_message.desc", 0)),
    )
    [frame] = read(packet(layers, data(b"hello")))
    assert names(frame) == ["ChangeCipherSpec", "Finished", "data", "close_notify"]
    assert (frame.pieces[2].plain, frame.pieces[2].encrypted) == (b"hello", False)


def test_several_layers():
    """A frame with the end of one record and more behind it has a TLS layer for each."""
    [frame] = read(packet(tls(record(23)), data(b"12345"), tls(record(23), handshake(1)), data(b"123456")))
    assert [(str(piece.kind), piece.size) for piece in frame.pieces] == [("data", 5), ("data", 6), ("handshake", 0)]


def test_fewer_pieces_than_records():
    """Where an empty record decrypted to nothing, what there is stands at the last of them."""
    [frame] = read(packet(tls(record(23), record(23), handshake(1)), data(b"12345")))
    assert names(frame) == ["data", "ClientHello"]
    assert frame.pieces[0].plain == b"12345"


def test_encrypted():
    """Without keys a record is data, an alert or a handshake message without a name."""
    dark = record(22, field("tls.handshake"), length=40)
    [frame] = read(packet(tls(dark, record(21, length=26), record(23, length=99))))
    assert [(str(piece.kind), piece.name, piece.size, piece.encrypted) for piece in frame.pieces] == [
        ("handshake", "", 40, True),
        ("alert", "", 26, True),
        ("data", "", 99, True),
    ]


def test_a_message_over_two_records():
    """The parts of a handshake message are parts, not encrypted messages; the message stands behind them."""
    first = record(22, field("tls.handshake", showname="Handshake Protocol: Certificate Request (fragment)"), 16_384)
    last = field("tls.handshake", showname="Handshake Protocol: Certificate Request (last fragment)")
    whole = field("tls.handshake", inner=field("tls.handshake.type", 13))
    [frame] = read(packet(tls(first, record(22, last + whole))))
    assert names(frame) == ["partial", "partial", "CertificateRequest"]


def test_numbers_of_the_handshake():
    """Session ids, the chosen version, the list of issuers and the length of a certificate."""
    hello = handshake(
        2,
        field("tls.handshake.session_id", "aa:bb")
        + field("", inner=field("tls.handshake.extensions.supported_version", "0x0304")),
    )
    [frame] = read(
        packet(
            tls(
                hello,
                handshake(13, field("tls.handshake.dnames_len", 16325)),
                handshake(11, field("tls.handshake.certificates_length", 0)),
            )
        )
    )
    hello_piece, wanted, certificate = frame.pieces
    assert (hello_piece.name, hello_piece.session_id, hello_piece.is_tls13) == ("ServerHello", "aabb", True)
    assert (wanted.issuer_bytes, certificate.certificate_bytes) == (16_325, 0)


@pytest.mark.parametrize(
    ("code", "inner", "name"),
    [
        (1, field("", inner=field("tls.handshake.extensions_server_name", "a.test")), "a.test"),
        (1, "", ""),
        (2, "", None),
    ],
)
def test_the_server_name(code, inner, name):
    """A ClientHello has one, or none; other messages have nothing to say of it."""
    [frame] = read(packet(tls(handshake(code, inner))))
    assert frame.pieces[0].server_name == name


def test_a_retry():
    """A ServerHello that asks for another ClientHello is known by its random."""
    random = ":".join(RETRY[at : at + 2] for at in range(0, len(RETRY), 2))
    [frame] = read(packet(tls(handshake(2, field("tls.handshake.random", random)))))
    assert [(piece.name, piece.is_tls13) for piece in frame.pieces] == [("HelloRetryRequest", None)]


def test_part_of_a_record():
    """Payload without a whole record is part of one."""
    [frame] = read(packet())
    assert [(piece.kind, piece.size) for piece in frame.pieces] == [(PieceKind.PARTIAL, 100)]


@pytest.mark.parametrize(
    ("flag", "name"), [("retransmission", "repeated"), ("keep_alive", "repeated"), ("lost_segment", "lost_before")]
)
def test_analysis(flag, name):
    """What tshark found out about the stream."""
    note = field("tcp.analysis", inner=field("tcp.analysis.flags", inner=field(f"tcp.analysis.{flag}")))
    [frame] = read(packet(more=note))
    assert getattr(frame, name)


def test_other_packets():
    """What is no TCP is left out."""
    assert read('<packet><proto name="geninfo"/><proto name="udp"/></packet>') == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_in_pieces(size):
    """Frames come as the stream does, control characters or not."""
    data = f"<pdml>{packet(tls(handshake(1)), more=field('x', 'a' + chr(27) + chr(0) + 'ü'))}</pdml>".encode()
    [frame] = read_pdml(data[start : start + size] for start in range(0, len(data), size))
    assert names(frame) == ["ClientHello"]


@pytest.mark.parametrize(
    "text", ["<a></b>", "<pdml>&nope;", "no XML", f"<pdml>{packet().replace('50000', 'x')}</pdml>"]
)
def test_nonsense(text):
    """What cannot be read is a line with a hint."""
    with pytest.raises(LabError, match="cannot be read"):
        list(read_pdml([text.encode()]))
