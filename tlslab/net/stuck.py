"""Finds peers whose FIN cannot arrive.

A FIN that stands behind bytes the receive window has no room for does not arrive, at no server. Where the client runs
on this machine, its socket can be looked up instead: closed by its program, and with a FIN still to deliver.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import trio

LOOK_SECONDS = 1.0
LOOK_UP_SHARE = 0.02  # of the time at most: the kernel's table is long where thousands of connections have just ended
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
FIN_WAIT1 = b" 04 "
# local address, remote address, state FIN_WAIT1, queues, timer, retransmits, uid, timeout, inode 0: nobody holds it
ORPHAN = re.compile(rb" *\d+: (\S+) (\S+) 04 \S+ \S+ \S+ +\d+ +\d+ 0 ")
Row = tuple[bytes, bytes]  # how a peer's socket stands in the kernel's table: its own address first


class StuckFins:
    """Looks for the peers of connections whose bytes nobody reads, by descriptor: those in `watched`.

    Where there is no table it finds none.
    """

    def __init__(self) -> None:
        self.watched: dict[int, Row] = {}
        self._someone = trio.Event()

    def watch(self, fd: int, sock: socket.socket) -> None:
        """Look for the peer of this socket from now on."""
        if fd not in self.watched:
            with contextlib.suppress(OSError):  # it has left already, and is known to
                self.watched[fd] = _in_table(sock.getpeername()), _in_table(sock.getsockname())
                self._someone.set()

    def forget(self, fd: int) -> None:
        """Look for it no longer."""
        self.watched.pop(fd, None)

    async def run(self, found: Callable[[int], None]) -> None:
        """Call `found` with the descriptor for each peer that has left, until cancelled.

        Where the table cannot be read (it takes a descriptor, of which there may be none for a while), nobody is found.
        """
        spent = 0.0
        while _has_table():
            await self._someone.wait()
            await trio.sleep(max(LOOK_SECONDS, spent / LOOK_UP_SHARE))
            began = trio.current_time()
            if not self.watched:
                self._someone = trio.Event()
                continue
            orphans: set[Row] = set()
            with contextlib.suppress(OSError):
                orphans = _orphans()
            for fd in [fd for fd, row in self.watched.items() if row in orphans]:
                self.forget(fd)
                found(fd)
            spent = trio.current_time() - began


def _has_table() -> bool:
    return os.path.exists(TABLES[0])  # which raises nothing, as a Path may


def _orphans() -> set[Row]:
    """The connections that their programs have closed and whose FIN is not through."""
    lines = (line for table in TABLES if table.exists() for line in table.read_bytes().splitlines())
    found = (ORPHAN.match(line) for line in lines if FIN_WAIT1 in line)
    return {(match[1], match[2]) for match in found if match}


def _in_table(address: tuple[str, int]) -> bytes:
    """An address as the kernel writes it: 32-bit words in the machine's order, in hex, and the port."""
    host, port = address[:2]
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return ("".join(f"{word:08X}" for word in words) + f":{port:04X}").encode()
