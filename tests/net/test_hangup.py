"""A peer that leaves is noticed although its bytes stay unread."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tlslab.net.clock import RateClock
from tlslab.net.hangup import RECHECK_SECONDS, TABLES, Hangups, Left, make_hangups

PATIENCE = 30.0
UNREAD = bytes(1000)


@pytest.fixture
async def hangups() -> AsyncIterator[Hangups]:
    """The running `Hangups` of this system."""
    with make_hangups() as hangups:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.run)
            yield hangups
            nursery.cancel_scope.cancel()


def connected(family: socket.AddressFamily = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection: the lab's, and the peer's with bytes on their way that nobody reads."""
    host = "::1" if family is socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((host, 0), family=family) as listener:
        peer = socket.create_connection(listener.getsockname()[:2])
        ours, _ = listener.accept()
    ours.setblocking(False)
    peer.sendall(UNREAD)
    return ours, peer


def fill(peer: socket.socket) -> None:
    """Send until neither the window nor the peer's own buffer takes any more."""
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            peer.send(bytes(65536))


def reset(peer: socket.socket) -> None:
    """Close with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def test_fin_behind_unread_bytes(hangups: Hangups) -> None:
    """FIN is noticed, and the bytes before it are still there."""
    ours, peer = connected()
    with ours, peer, trio.fail_after(PATIENCE):
        peer.shutdown(socket.SHUT_WR)
        assert await hangups.wait(ours) is Left.ARRIVED
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert ours.recv(2000) == UNREAD


async def test_reset_behind_unread_bytes(hangups: Hangups) -> None:
    """A reset is noticed and can be told from FIN by the socket's error."""
    ours, peer = connected()
    with ours, trio.fail_after(PATIENCE):
        reset(peer)
        await hangups.wait(ours)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


async def test_where_a_reset_alone_is_seen(autojump_clock: MockClock) -> None:
    """Elsewhere than on Linux a FIN behind unread bytes goes unnoticed, a reset does not."""
    ours, peer = connected()
    with ours, trio.fail_after(PATIENCE):
        peer.shutdown(socket.SHUT_WR)
        with trio.move_on_after(3 * RECHECK_SECONDS) as scope:
            await Hangups().wait(ours)
        assert scope.cancelled_caught
        reset(peer)
        assert await Hangups().wait(ours) is Left.ARRIVED


@pytest.mark.skipif(not TABLES[0].exists(), reason="only Linux lets a peer's socket be looked up")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_fin_that_cannot_arrive(hangups: Hangups, fast_clock: RateClock, family: socket.AddressFamily) -> None:
    """Behind more bytes than the window takes no FIN arrives: the peer's closed socket is found instead.

    A second peer, just as stuck but alive, is left alone.
    """
    gone, peer = connected(family)
    here, alive = connected(family)
    fill(peer)
    fill(alive)
    with gone, here, alive, trio.fail_after(PATIENCE * fast_clock.rate):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.wait, here)
            peer.close()
            assert await hangups.wait(gone) is Left.FIN_STUCK
            assert len(nursery.child_tasks) == 1
            nursery.cancel_scope.cancel()


async def test_bytes_alone_are_no_hangup(hangups: Hangups) -> None:
    """A peer that is there and sends is not gone: the wait goes on until it leaves."""
    ours, peer = connected()
    left = trio.Event()

    async def wait() -> None:
        await hangups.wait(ours)
        left.set()

    with ours, peer, trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            peer.sendall(UNREAD)
            await trio.lowlevel.wait_readable(ours)
            await wait_all_tasks_blocked()
            assert not left.is_set()
            peer.shutdown(socket.SHUT_WR)
            await left.wait()


async def test_a_peer_that_left_before_is_noticed_at_once(hangups: Hangups) -> None:
    """Nothing is lost between the last read and the wait."""
    ours, peer = connected()
    with ours, trio.fail_after(PATIENCE):
        peer.close()
        await trio.lowlevel.wait_readable(ours)
        await hangups.wait(ours)


async def test_a_wait_can_be_given_up_and_begun_again(hangups: Hangups) -> None:
    """A cancelled wait takes its socket out of the set: the next one finds no trace of it."""
    ours, peer = connected()
    with ours, peer, trio.fail_after(PATIENCE):
        for _ in range(3):
            with trio.CancelScope() as scope:
                scope.cancel()
                await hangups.wait(ours)
            assert scope.cancelled_caught
        peer.shutdown(socket.SHUT_WR)
        await hangups.wait(ours)


async def test_a_reused_file_descriptor_is_another_connection(hangups: Hangups) -> None:
    """What happened to a descriptor's last owner is not told to its next."""
    ours, peer = connected()
    fd = ours.fileno()
    with ours, trio.fail_after(PATIENCE):
        peer.close()
        await hangups.wait(ours)
    ours, peer = connected()
    spare = ours.detach()
    again = socket.socket(fileno=spare) if spare == fd else socket.socket(fileno=_moved(spare, fd))
    with again, peer, trio.fail_after(PATIENCE):
        assert again.fileno() == fd
        again.setblocking(False)
        with trio.move_on_after(0.05) as scope:
            await hangups.wait(again)
        assert scope.cancelled_caught
        peer.shutdown(socket.SHUT_WR)
        await hangups.wait(again)


def _moved(fd: int, to: int) -> int:
    os.dup2(fd, to)
    os.close(fd)
    return to


async def test_one_set_serves_many(hangups: Hangups) -> None:
    """Of many paused connections exactly those wake whose peers have left."""
    pairs = [connected() for _ in range(50)]
    woken: list[int] = []

    async def wait(number: int) -> None:
        await hangups.wait(pairs[number][0])
        woken.append(number)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(wait, number)
            await wait_all_tasks_blocked()
            for number in range(0, 50, 2):
                pairs[number][1].shutdown(socket.SHUT_WR)
            while len(woken) < 25:
                await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
            assert sorted(woken) == list(range(0, 50, 2))
            nursery.cancel_scope.cancel()
    for ours, peer in pairs:
        ours.close()
        peer.close()
