"""The first bytes of a connection, in every way they may be cut."""

import pytest

from tlslab.errors import LocalMisuse, WireError
from tlslab.wire.client_hello_reader import BUFFER_LIMIT, MESSAGE_LIMIT, ClientHelloReader
from tlslab.wire.hello import read_client_hello_untrusted

TLS_1_2, TLS_1_3 = 0x0303, 0x0304


def records(message, size):
    """Cut a message into handshake records of `size` bytes each."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return [b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces]


def hello_of(length):
    """A ClientHello whose body has `length` bytes, most of them junk."""
    body = (b"\x03\x03" + bytes(32) + b"\0" + b"\0\2\xc0\x2b" + b"\1\0").ljust(length, b"\xee")
    return b"\x01" + length.to_bytes(3, "big") + body


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_real_hello_in_one_piece(client_hellos, version):
    """One segment, one record: the hello comes out at once and the bytes stay for the engine."""
    record = client_hellos[version]
    reader = ClientHelloReader()
    assert reader.feed_untrusted(record) == read_client_hello_untrusted(record[9:])
    assert reader.buffered == record


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_real_hello_byte_by_byte(client_hellos, version):
    """Every proper prefix is merely not whole yet."""
    record = client_hellos[version]
    reader = ClientHelloReader()
    answers = [reader.feed_untrusted(bytes([byte])) for byte in record]
    assert set(answers[:-1]) == {None}
    assert answers[-1] == read_client_hello_untrusted(record[9:])
    assert reader.buffered == record


@pytest.mark.parametrize("size", [1, 3, 100, 1000])
def test_hello_over_several_records(client_hellos, size):
    """A message may be split anywhere, inside its header too, and arrive in one segment or many."""
    message = client_hellos[TLS_1_2][5:]
    pieces = records(message, size)
    expected = read_client_hello_untrusted(message[4:])
    assert ClientHelloReader().feed_untrusted(b"".join(pieces)) == expected
    reader = ClientHelloReader()
    assert [reader.feed_untrusted(piece) for piece in pieces] == [None] * (len(pieces) - 1) + [expected]


def test_bytes_behind_the_hello_are_kept(client_hellos):
    """What follows belongs to the engine too, even when it could not be parsed here."""
    reader = ClientHelloReader()
    assert reader.feed_untrusted(client_hellos[TLS_1_3] + b"GET / HTTP/1.1") is not None
    assert reader.buffered == client_hellos[TLS_1_3] + b"GET / HTTP/1.1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "^plain HTTP$"),
        (b"\x80\x2e\x01\x00\x02", "^an SSL 2.0 ClientHello$"),
        (b"hello world", "^not TLS$"),
        (b"\x17\x03\x03\x40\x00", "record of type application_data"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "record of type alert"),
        (b"\x16\x03\x03\x00\x02\x01\x00\x14\x03\x03\x00\x01\x01", "record of type change_cipher_spec"),
        (b"\x16\x03\x03\x00\x04\x02\x00\x00\x10", "first message is ServerHello"),
        (b"\x16\x03\x03\x00\x04\x4d\x00\x00\x10", "first message is handshake_77"),
        (b"\x16\x03\x03\x00\x04\x01\xff\xff\xff", "ClientHello of 16,777,215 bytes"),
    ],
)
def test_what_is_no_hello_is_refused(data, message):
    """The error says what came instead, as soon as a header shows it."""
    with pytest.raises(WireError, match=message):
        ClientHelloReader().feed_untrusted(data)


def test_largest_hello_passes():
    """A hello of just the limit is read, over nine records."""
    *pieces, last = records(hello_of(MESSAGE_LIMIT), 2**14)
    reader = ClientHelloReader()
    assert [reader.feed_untrusted(piece) for piece in pieces] == [None] * 8
    assert reader.feed_untrusted(last) is not None


def test_hello_over_the_limit_is_refused():
    """One byte more is refused, and the rest of it is not waited for."""
    with pytest.raises(WireError, match="ClientHello of 131,397 bytes"):
        ClientHelloReader().feed_untrusted(records(hello_of(MESSAGE_LIMIT + 1), 2**14)[0])


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "tiny"])
def test_endless_small_records_are_refused(size):
    """Records that never add up to a hello stop being collected at the buffer's limit."""
    hello = hello_of(MESSAGE_LIMIT)
    pieces = records(hello, 1) if size else [b"\x16\x03\x01\x00\x00"] * BUFFER_LIMIT
    reader = ClientHelloReader()
    with pytest.raises(WireError, match="no whole ClientHello in the first 262,79"):
        any(map(reader.feed_untrusted, pieces))
    assert len(reader.buffered) <= BUFFER_LIMIT + len(pieces[0])


def test_reading_on_is_misuse(client_hellos):
    """After the hello the bytes belong to the engine; feeding them here is a defect of the caller."""
    reader = ClientHelloReader()
    reader.feed_untrusted(client_hellos[TLS_1_2])
    with pytest.raises(LocalMisuse):
        reader.feed_untrusted(b"x")
