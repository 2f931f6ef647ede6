"""What happens to sockets is told by both ways of waiting: also that a peer leaves whose bytes stay unread."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tlslab.net.readiness import ERROR, HANGUP, READ, RECHECK_SECONDS, WRITE, Readiness, make_readiness

PATIENCE = 30.0
UNREAD = bytes(1000)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a FIN behind unread bytes")


@pytest.fixture(params=[make_readiness, Readiness], ids=["best", "any-system"])
async def readiness(request: pytest.FixtureRequest) -> AsyncIterator[Readiness]:
    """Both kinds: what this system has, and what every system has."""
    make: Callable[[trio.Nursery], Readiness] = request.param
    async with trio.open_nursery() as nursery:
        made = make(nursery)
        yield made
        made.close()
        nursery.cancel_scope.cancel()


@pytest.fixture
async def best() -> AsyncIterator[Readiness]:
    """The kind of this system."""
    async with trio.open_nursery() as nursery:
        made = make_readiness(nursery)
        yield made
        made.close()
        nursery.cancel_scope.cancel()


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection: the lab's, and the peer's with bytes on their way that nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    peer.sendall(UNREAD)
    return ours, peer


def reset(peer: socket.socket) -> None:
    """Close with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def told(readiness: Readiness) -> dict[int, int]:
    """Wait until something is told, and return it by descriptor."""
    with trio.fail_after(PATIENCE):
        while True:
            await readiness.wait()
            if happened := readiness.happened():
                return dict(happened)


async def nothing(readiness: Readiness) -> bool:
    """Whether nothing is told, however often the others had their turn."""
    for _ in range(3):
        await wait_all_tasks_blocked()
        if readiness.happened():
            return False
    return True


async def test_bytes_and_room(readiness: Readiness) -> None:
    """Bytes are told to who wants to read, room to who wants to write, and only as long as it is wanted."""
    ours, peer = connected()
    with ours, peer:
        readiness.want(ours, READ)
        assert await told(readiness) == {ours.fileno(): READ}
        readiness.want(ours, WRITE)
        assert (await told(readiness))[ours.fileno()] & WRITE
        assert ours.recv(2000) == UNREAD
        readiness.want(ours, READ)
        assert await nothing(readiness)
        readiness.want(ours, READ | WRITE)
        assert await told(readiness) == {ours.fileno(): WRITE}
        readiness.forget(ours)


async def test_who_wants_nothing_is_told_nothing(readiness: Readiness) -> None:
    """An interest of 0 is a pause: the next one finds what came meanwhile."""
    ours, peer = connected()
    with ours, peer:
        readiness.want(ours, READ)
        readiness.want(ours, 0)
        assert await nothing(readiness)
        readiness.want(ours, READ)
        assert await told(readiness) == {ours.fileno(): READ}
        readiness.forget(ours)


async def test_a_reused_descriptor_is_another_socket(readiness: Readiness) -> None:
    """What happened to a descriptor's last owner is not told to its next, which need not be wanted differently."""
    ours, peer = connected()
    fd = ours.fileno()
    readiness.want(ours, READ)
    assert await told(readiness) == {fd: READ}
    readiness.want(ours, READ)
    readiness.forget(ours)
    ours.close()
    peer.close()
    ours, peer = connected()
    with ours, peer:
        assert ours.recv(2000) == UNREAD
        ours = _at(fd, ours)
        readiness.want(ours, READ)
        assert await nothing(readiness)
        peer.sendall(UNREAD)
        assert await told(readiness) == {fd: READ}
        readiness.forget(ours)
        ours.close()


def _at(fd: int, sock: socket.socket) -> socket.socket:
    """The socket, at a descriptor that is free or its own."""
    if sock.fileno() == fd:
        return sock
    os.dup2(sock.fileno(), fd)
    sock.close()
    return socket.socket(fileno=fd)


@linux
async def test_fin_behind_unread_bytes(best: Readiness) -> None:
    """FIN is told, and the bytes before it are still there; bytes alone are not."""
    ours, peer = connected()
    with ours, peer:
        best.want(ours, HANGUP)
        assert await nothing(best)
        peer.shutdown(socket.SHUT_WR)
        assert await told(best) == {ours.fileno(): HANGUP}
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert ours.recv(2000) == UNREAD


async def test_reset_behind_unread_bytes(readiness: Readiness, autojump_clock: MockClock) -> None:
    """A reset is told as an error."""
    ours, peer = connected()
    with ours:
        readiness.want(ours, HANGUP)
        assert await nothing(readiness)
        reset(peer)
        assert (await told(readiness))[ours.fileno()] & (HANGUP | ERROR) == HANGUP | ERROR
        readiness.forget(ours)


async def test_a_socket_that_cannot_be_asked(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each wait is a task, the system may refuse for a while to say what became of a socket."""

    def refuse(*_args: object) -> int:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    ours, peer = connected()
    async with trio.open_nursery() as nursery:
        anywhere = Readiness(nursery)
        with ours:
            with monkeypatch.context() as patched:
                patched.setattr(socket.socket, "getsockopt", refuse)
                anywhere.want(ours, HANGUP)
                assert await nothing(anywhere)
            reset(peer)
            assert (await told(anywhere))[ours.fileno()] & ERROR
            anywhere.forget(ours)


async def test_where_a_reset_alone_is_seen(autojump_clock: MockClock) -> None:
    """Elsewhere than on Linux a FIN behind unread bytes is not told."""
    ours, peer = connected()
    async with trio.open_nursery() as nursery:
        anywhere = Readiness(nursery)
        with ours, peer:
            anywhere.want(ours, HANGUP)
            peer.shutdown(socket.SHUT_WR)
            with trio.move_on_after(3 * RECHECK_SECONDS) as scope:
                await anywhere.wait()
            assert scope.cancelled_caught
            anywhere.forget(ours)


async def test_many_are_told_of_at_once(readiness: Readiness) -> None:
    """Of many sockets exactly those are told that something happened to."""
    pairs = [connected() for _ in range(50)]
    for ours, _ in pairs:
        ours.recv(2000)
        readiness.want(ours, READ)
    for _, peer in pairs[::2]:
        peer.sendall(UNREAD)
    seen: dict[int, int] = {}
    while len(seen) < 25:
        seen |= await told(readiness)
    assert seen == {ours.fileno(): READ for ours, _ in pairs[::2]}
    for ours, peer in pairs:
        readiness.forget(ours)
        ours.close()
        peer.close()
