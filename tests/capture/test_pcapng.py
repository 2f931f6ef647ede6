"""The blocks of a pcapng file, read back by the draft's layouts."""

from __future__ import annotations

import pytest

from tlslab.capture import pcapng


def test_a_section_begins(read_blocks):
    """It says little-endian, version 1.0, a length nobody knows yet, what wrote it and what it shows."""
    [block] = read_blocks(pcapng.section_header("tlslab 1.2", "scenario x, fix y"))
    assert (block.kind, block.fields) == (0x0A0D0D0A, (0x1A2B3C4D, 1, 0, -1))
    assert block.options == ((1, b"scenario x, fix y"), (4, b"tlslab 1.2"))


def test_the_interface(read_blocks):
    """Raw IP packets, whole, at a resolution of nanoseconds."""
    [block] = read_blocks(pcapng.interface_description("tlslab"))
    assert (block.kind, block.fields) == (1, (101, 0, 0))
    assert block.options == ((2, b"tlslab"), (9, b"\x09"))


@pytest.mark.parametrize("length", range(5))
@pytest.mark.parametrize("comments", [(), ("one",), ("one", "zwei ü", "three")])
def test_a_packet(read_blocks, length, comments):
    """Data of any length stands on a border of four bytes, and each comment is an option of its own."""
    moment, headers, payload = 1_766_000_000_123_456_789, bytes(20), bytes(range(length))
    [block] = read_blocks(b"".join(pcapng.enhanced_packet(moment, headers, payload, comments)))
    interface, high, low, captured, original = block.fields
    assert (block.kind, interface, high << 32 | low, captured, original) == (6, 0, moment, 20 + length, 20 + length)
    assert (block.data, block.comments) == (headers + payload, list(comments))


def test_secrets(read_blocks):
    """A key log: its type, and each line with its end."""
    [block] = read_blocks(pcapng.decryption_secrets(["CLIENT_RANDOM 00 11", "X 2 3"]))
    assert (block.kind, block.fields[0]) == (10, int.from_bytes(b"TLSK", "big"))
    assert block.data == b"CLIENT_RANDOM 00 11\nX 2 3\n"


def test_a_text_without_end(read_blocks):
    """An option holds 65,535 bytes: what is longer is cut, and never within a character."""
    [block] = read_blocks(pcapng.section_header("a", "x" + "ü" * 40_000))
    assert block.comments == ["x" + "ü" * 32_767]


def test_what_is_no_text(read_blocks):
    """A lone surrogate, which a file name may hold, is no reason to fail."""
    [block] = read_blocks(pcapng.section_header("a", "b\udc80"))
    assert block.comments == ["b?"]
