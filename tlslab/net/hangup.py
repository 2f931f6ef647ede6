"""Notices that a peer has left a connection whose bytes nobody reads.

A read would return the bytes that must stay unread, and `poll` would report them for ever. Linux has a way to ask for
the peer's FIN and reset alone (EPOLLRDHUP), and an epoll set can itself be waited on: one set serves all paused
connections. Elsewhere only a reset is seen, once a second; a FIN is then noticed when reading goes on.

A FIN that stands behind bytes the receive window has no room for does not arrive, at no server. Where the client runs
on this machine, its socket can be looked up instead: closed by its program, and with a FIN still to deliver.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import trio

RECHECK_SECONDS = 1.0
LOOK_UP_SHARE = 0.05  # of the time at most: the kernel's table is long where thousands of connections have just ended
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
FIN_WAIT1 = b" 04 "
# local address, remote address, state FIN_WAIT1, queues, timer, retransmits, uid, timeout, inode 0: nobody holds it
ORPHAN = re.compile(rb" *\d+: (\S+) (\S+) 04 \S+ \S+ \S+ +\d+ +\d+ 0 ")


class Left(Enum):
    """How it was seen that a peer has left."""

    ARRIVED = auto()
    FIN_STUCK = auto()


@dataclass(slots=True)
class _Wait:
    """Somebody who waits; `row` is how the peer's socket would stand in the kernel's table."""

    row: tuple[bytes, bytes] | None
    how: Left = Left.ARRIVED
    left: trio.Event = field(default_factory=trio.Event)


class Hangups:
    """Waits for peers to leave: a context manager, and `run` must be running inside it.

    This much every system can do: a reset is seen, once a second, and a FIN is not.
    """

    def __enter__(self) -> Hangups:
        return self

    def __exit__(self, *_error: object) -> None:
        """Give back what the system lent."""

    async def run(self) -> None:
        """Wake those whose peer has left, until cancelled or until there is nothing to do."""

    async def wait(self, sock: socket.socket) -> Left:
        """Return when the peer of `sock` is seen to have left, whatever stands unread."""
        while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # noqa: ASYNC110 - the kernel sets it
            await trio.sleep(RECHECK_SECONDS)
        return Left.ARRIVED


if sys.platform == "linux":

    class _EpollHangups(Hangups):
        """Sees a FIN and a reset at once, and looks up the sockets whose FIN is stuck."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._waits: dict[int, _Wait] = {}
            self._someone = trio.Event()

        def __exit__(self, *_error: object) -> None:
            self._epoll.close()

        async def run(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                if TABLES[0].exists():
                    nursery.start_soon(self._look_up)

        async def wait(self, sock: socket.socket) -> Left:
            with self._registered(sock) as wait:
                await wait.left.wait()
                return wait.how

        @contextmanager
        def _registered(self, sock: socket.socket) -> Iterator[_Wait]:
            fd = sock.fileno()
            self._waits[fd] = wait = _Wait(_row(sock))
            self._epoll.register(fd, select.EPOLLRDHUP | select.EPOLLONESHOT)
            self._someone.set()
            try:
                yield wait
            finally:
                del self._waits[fd]
                self._epoll.unregister(fd)

        async def _watch(self) -> None:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for fd, _flags in self._epoll.poll(0):
                    if fd in self._waits:
                        self._waits[fd].left.set()

        async def _look_up(self) -> None:
            spent = 0.0
            while True:
                await self._someone.wait()
                await trio.sleep(max(RECHECK_SECONDS, spent / LOOK_UP_SHARE))
                began = trio.current_time()
                if not self._waits:
                    self._someone = trio.Event()
                    continue
                orphans = _orphans()
                for wait in self._waits.values():
                    if wait.row in orphans:
                        wait.how = Left.FIN_STUCK
                        wait.left.set()
                spent = trio.current_time() - began


def make_hangups() -> Hangups:
    """Return what sees most on this system."""
    if sys.platform == "linux":
        return _EpollHangups()
    return Hangups()


def _orphans() -> set[tuple[bytes, bytes]]:
    """The connections that their programs have closed and whose FIN is not through, by both their addresses."""
    lines = (line for table in TABLES if table.exists() for line in table.read_bytes().splitlines())
    found = (ORPHAN.match(line) for line in lines if FIN_WAIT1 in line)
    return {(match[1], match[2]) for match in found if match}


def _row(sock: socket.socket) -> tuple[bytes, bytes] | None:
    """How the other end of this connection stands in the table: its own address first."""
    try:
        return _in_table(sock.getpeername()), _in_table(sock.getsockname())
    except OSError:  # it has left already, and epoll says so
        return None


def _in_table(address: tuple[str, int]) -> bytes:
    """An address as the kernel writes it: 32-bit words in the machine's order, in hex, and the port."""
    host, port = address[:2]
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return ("".join(f"{word:08X}" for word in words) + f":{port:04X}").encode()
