"""A peer whose FIN cannot arrive is found in the kernel's table."""

from __future__ import annotations

import contextlib
import socket

import pytest
import trio

from tlslab.net.clock import RateClock
from tlslab.net.stuck import TABLES, StuckFins

PATIENCE = 30.0


def connected(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection, the peer's with more sent than the window and its own buffer take."""
    host = "::1" if family is socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((host, 0), family=family) as listener:
        peer = socket.create_connection(listener.getsockname()[:2])
        ours, _ = listener.accept()
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            peer.send(bytes(65536))
    return ours, peer


@pytest.mark.skipif(not TABLES[0].exists(), reason="only Linux lets a peer's socket be looked up")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_fin_that_cannot_arrive(fast_clock: RateClock, family: socket.AddressFamily) -> None:
    """The peer's closed socket is found, once; a second peer, just as stuck but alive, is left alone."""
    gone, peer = connected(family)
    here, alive = connected(family)
    stuck, found = StuckFins(), trio.Event()
    seen: list[int] = []

    def see(fd: int) -> None:
        seen.append(fd)
        found.set()

    with gone, here, alive, trio.fail_after(PATIENCE * fast_clock.rate):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stuck.run, see)
            stuck.watch(gone.fileno(), gone)
            stuck.watch(here.fileno(), here)
            peer.close()
            await found.wait()
            nursery.cancel_scope.cancel()
        assert seen == [gone.fileno()]
