"""A capture that another process writes, copied while it grows."""

from __future__ import annotations

import pytest

from tlslab.capture.files import OutputFile
from tlslab.capture.following import Following
from tlslab.capture.pcapng import enhanced_packet, whole_blocks
from tlslab.errors import LabError

ONE, TWO = (b"".join(enhanced_packet(1, b"o", b"ne")), b"".join(enhanced_packet(2, b"two", b"two", ["why"])))


def test_whole_blocks():
    """What is not complete yet is left."""
    for size in range(len(ONE + TWO)):
        assert list(whole_blocks((ONE + TWO)[:size])) == ([ONE] if size >= len(ONE) else [])
    assert list(whole_blocks(ONE + TWO)) == [ONE, TWO]


def test_following(tmp_path):
    """Whole blocks come over, and at the end no half one; a limit holds for each of them."""
    source = tmp_path / "source"
    for limit, copied in ((None, ONE + TWO), (len(ONE) + 5, ONE)):
        source.write_bytes(ONE[:7])
        with OutputFile(str(tmp_path / "copy"), "the capture", limit_bytes=limit) as target:
            with Following(source, target), source.open("ab") as growing:
                growing.write(ONE[7:] + TWO + ONE[:9])
            assert (tmp_path / "copy").read_bytes() == copied
            assert bool(target.failure) is (limit is not None)


def test_a_source_that_cannot_be_read(tmp_path):
    """It is said in a line, once what goes on meanwhile is over; an error of that comes first."""
    with OutputFile(str(tmp_path / "copy"), "the capture") as target:
        with pytest.raises(LabError, match=r"cannot read .*: No such file"), Following(tmp_path / "nothing", target):
            pass
        with pytest.raises(KeyError), Following(tmp_path / "nothing", target):
            raise KeyError
