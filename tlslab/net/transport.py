"""A socket as the driver of its connection sees it: what it takes now, and what waits in it."""

from __future__ import annotations

import array
import contextlib
import socket
import sys
from collections.abc import Callable
from functools import cache

TCPI_RCV_WND = slice(232, 236)  # in struct tcp_info (linux/tcp.h): the window last advertised


class SocketTransport:
    """A `core.driver.Transport`. It does not own the socket, which is not blocking."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, data: bytes) -> int:
        """Give the kernel as many of the bytes as it takes, maybe none; OSError where the peer is gone."""
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def unread(self) -> int:
        """How many bytes wait in the kernel (FIONREAD); 0 where that cannot be asked."""
        count = array.array("i", [0])
        with contextlib.suppress(OSError):
            fill_in = fill_in_unread()
            fill_in(self._sock.fileno(), count)
        return count[0]

    def peek(self, count: int) -> bytes:
        """The first bytes that wait, left where they are."""
        with contextlib.suppress(OSError):
            return self._sock.recv(count, socket.MSG_PEEK)
        return b""

    def window_is_closed(self) -> bool:
        """Whether the kernel has told the peer to send no more; False where it cannot be asked (before Linux 6.2)."""
        if sys.platform != "linux":
            return False
        with contextlib.suppress(OSError):
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCPI_RCV_WND.stop)
            return info[TCPI_RCV_WND] == bytes(4)
        return False

    def peer_has_reset(self) -> bool:
        """Whether the kernel knows of a reset; asked once, it forgets it. False where it cannot be asked."""
        return error_of(self._sock) != 0


@cache
def fill_in_unread() -> Callable[[int, array.array[int]], object]:
    """What counts the bytes that wait: asked for before a lab serves, for later there may be no file to import from."""
    if sys.platform != "win32":  # where the socket module has no FIONREAD
        import fcntl
        import termios

        return lambda fd, count: fcntl.ioctl(fd, termios.FIONREAD, count)
    return lambda _fd, _count: None


def error_of(sock: socket.socket) -> int:
    """The error that the kernel keeps for a socket, and then forgets (SO_ERROR); 0 where it cannot be asked."""
    with contextlib.suppress(OSError):
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return 0
