"""A capture whose steps wait for one another: they are written when somebody says so, in one piece."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tlslab.capture.files import TOGETHER_BYTES
from tlslab.capture.recording import Capture

CLIENT, LAB = ("127.0.0.1", 50_000), ("127.0.0.1", 8443)
PACKET, SECRETS = 6, 10  # kinds of blocks


@pytest.fixture
def made(recording):
    """A capture and its file, and what it leaves for later."""
    acts: list[Callable[[], None]] = []
    seen = recording()
    return Capture(seen.file, 0.0, "tlslab", "a scenario", acts.append), seen, acts


def test_steps_that_wait_are_one_piece(made):
    """The secrets of all of them first, then the packets in their order."""
    capture, seen, acts = made
    before = len(seen.blocks())
    for number in (1, 2):
        wire = capture.open(number, CLIENT, LAB, 0.0)
        capture.secrets(f"CLIENT_RANDOM {number} 1")
        wire.received(b"hello", 1.0)
        wire.settle()
    assert len(seen.blocks()) == before
    [write] = acts
    write()
    assert [block.kind for block in seen.blocks()[before:]] == [SECRETS, *[PACKET] * 10]
    assert [one.payload for one, _ in seen.packets()] == [b"", b"", b"", b"hello", b""] * 2
    write()  # there is nothing more
    assert len(seen.blocks()) == before + 11


def test_not_too_much_waits(made):
    """It may be an upload."""
    capture, seen, acts = made
    before = seen.path.stat().st_size
    wire = capture.open(1, CLIENT, LAB, 0.0)
    for _ in range(TOGETHER_BYTES // 1000 + 1):
        wire.received(bytes(1000), 1.0)
        wire.settle()
    assert TOGETHER_BYTES < seen.path.stat().st_size - before < TOGETHER_BYTES + 2000
    acts[0]()  # the rest
    assert len(seen.packets()) == 3 + 2 * (TOGETHER_BYTES // 1000 + 1)
