"""Fields of announced length."""

import pytest

from tlslab.errors import WireError
from tlslab.wire.fields import (
    Cursor,
    extensions_untrusted,
    uint16s_untrusted,
    vectors_untrusted,
    whole_vector_untrusted,
)


def test_cursor_reads_numbers_and_vectors_in_order():
    """Each read starts where the last one ended."""
    cursor = Cursor(b"\x01\x02\x03\x00\x02ab", "it")
    assert (cursor.uint(1), cursor.uint(2), cursor.vector(2), cursor.at_end) == (1, 0x0203, b"ab", True)


@pytest.mark.parametrize(
    "parse",
    [
        lambda: Cursor(b"a", "it").take(2),
        lambda: Cursor(b"", "it").uint(1),
        lambda: Cursor(b"\x02a", "it").vector(1),
        lambda: Cursor(b"\x01a", "it").vector(1, at_least=2),
        lambda: Cursor(b"a", "it").finish(),
        lambda: whole_vector_untrusted(b"\x01ab", 1, "it"),
        lambda: vectors_untrusted(b"\x00", 1, "it"),
        lambda: uint16s_untrusted(b"abc", "it"),
        lambda: extensions_untrusted(b"\x00\x01\x00\x00\x00\x01\x00\x00", "it", {}),
    ],
)
def test_what_does_not_fit_names_the_structure(parse):
    """Too short, too long, empty, odd and double are all WireErrors that say in what."""
    with pytest.raises(WireError, match=r"^it "):
        parse()


def test_lists_are_split():
    """Vectors, numbers and extensions come out in the order sent."""
    assert vectors_untrusted(b"\x01a\x02bc", 1, "it") == (b"a", b"bc")
    assert uint16s_untrusted(b"\x00\x01\x02\x00", "it") == (1, 0x0200)
    found: dict[int, bytes] = {}
    extensions_untrusted(b"\x00\x05\x00\x01x\x00\x02\x00\x00", "it", found)
    assert found == {5: b"x", 2: b""}
