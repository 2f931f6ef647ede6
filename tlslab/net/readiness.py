"""Which of many sockets can be read, can take more, or have lost their peer.

Linux has one set for all of them, in which a socket stays for as long as it is open, and which can itself be waited on.
It can also ask for a peer's FIN and reset alone (EPOLLRDHUP): where the bytes in front must stay unread, a read would
return them, and `poll` would report them for ever. Elsewhere each wait is a task of its own, and behind unread bytes
only a reset is seen, once a second; a FIN is then noticed when reading goes on.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from tlslab.net.transport import error_of

# What to wait for, and what happened: epoll's numbers. An error is told whether or not anybody waits for it.
READ, WRITE, HANGUP = 0x001, 0x004, 0x2000  # EPOLLIN, EPOLLOUT, EPOLLRDHUP
ERROR = 0x008  # EPOLLERR: the peer has reset the connection
STUCK = 0x10000  # the lab's own: the peer has left, and its FIN cannot arrive (stuck.py)
NEVER = float("inf")
RECHECK_SECONDS = 1.0
Happened = list[tuple[int, int]]


class Readiness:
    """The sockets of a lab, known by their file descriptors, on any system. `nursery` is for its own waits.

    Call `want` anew after each time that a socket is told of; it costs nothing where nothing changes.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._waits: dict[int, _Wait] = {}
        self._happened: Happened = []
        self._some = trio.Event()

    def want(self, sock: socket.socket, interest: int) -> None:
        """Wait for these of READ, WRITE and HANGUP on a socket, instead of what was waited for."""
        fd = sock.fileno()
        before = self._waits.get(fd)
        if before is not None:
            if before.interest == interest:
                return
            before.scope.cancel()
        if not interest:
            self._waits.pop(fd, None)
            return
        self._waits[fd] = wait = _Wait(interest)
        self._nursery.start_soon(self._wait, sock, fd, wait)

    def forget(self, sock: socket.socket) -> None:
        """Wait for nothing more on a socket, which is closed next."""
        wait = self._waits.pop(sock.fileno(), None)
        if wait is not None:
            wait.scope.cancel()
            trio.lowlevel.notify_closing(sock)

    async def wait(self) -> None:
        """Return when something has happened."""
        await self._some.wait()

    def happened(self, linger: float = 0.0) -> Happened:
        """Which descriptors something has happened to, and what; a word too much does no harm.

        It may wait for that, so many seconds of the wall, and hold up everything else meanwhile.
        """
        if self._happened:
            self._some = trio.Event()
        happened, self._happened = self._happened, []
        return happened

    def close(self) -> None:
        """Give back what the system lent."""

    async def _wait(self, sock: socket.socket, fd: int, wait: _Wait) -> None:
        with wait.scope:
            what = await _first(sock, wait.interest)
            if self._waits.get(fd) is wait:
                del self._waits[fd]
                self._happened.append((fd, what))
                self._some.set()


@dataclass(slots=True, eq=False)
class _Wait:
    interest: int
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


async def _first(sock: socket.socket, interest: int) -> int:
    """Wait until one of several things happens, and say which."""
    happened = 0

    async def readable() -> None:
        nonlocal happened
        with suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(sock)
            happened |= READ

    async def writable() -> None:
        nonlocal happened
        with suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_writable(sock)
            happened |= WRITE

    async def reset() -> None:
        nonlocal happened
        while not error_of(sock):  # noqa: ASYNC110 - the kernel sets it
            await trio.sleep(RECHECK_SECONDS)
        happened |= HANGUP | ERROR

    await first_of(*[wait for bit, wait in ((READ, readable), (WRITE, writable), (HANGUP, reset)) if interest & bit])
    return happened


async def first_of(*waits: Callable[[], Awaitable[None]]) -> None:
    """Return when one of several waits is over, and give the others up."""
    async with trio.open_nursery() as nursery:

        async def wait(one: Callable[[], Awaitable[None]]) -> None:
            await trio.lowlevel.checkpoint_if_cancelled()  # given up before it began: the socket may be closed
            await one()
            nursery.cancel_scope.cancel()

        for one in waits:
            nursery.start_soon(wait, one)


if sys.platform == "linux":

    class _Epoll(Readiness):
        """The same by the one set; a closed descriptor leaves it by itself."""

        def __init__(self, nursery: trio.Nursery) -> None:
            super().__init__(nursery)
            self._epoll = select.epoll()
            self._fd = self._epoll.fileno()
            self._interests: dict[int, int] = {}

        def want(self, sock: socket.socket, interest: int) -> None:
            fd = sock.fileno()
            before = self._interests.get(fd)
            if before == interest:
                return
            if before is None:
                self._epoll.register(fd, interest)
            else:
                self._epoll.modify(fd, interest)
            self._interests[fd] = interest

        def forget(self, sock: socket.socket) -> None:
            self._interests.pop(sock.fileno(), None)

        async def wait(self) -> None:
            await trio.lowlevel.wait_readable(self._fd)

        def happened(self, linger: float = 0.0) -> Happened:
            return self._epoll.poll(linger)

        def close(self) -> None:
            self._epoll.close()


def make_readiness(nursery: trio.Nursery) -> Readiness:
    """Return what sees most on this system."""
    if sys.platform == "linux":
        return _Epoll(nursery)
    return Readiness(nursery)
