"""Moves bytes between a socket and a `core.Connection`, and does what the connection says of reading and closing.

Reading and writing never wait on each other: output goes out at once as far as the socket takes it, and while some is
left over the pump waits for either direction. The asymmetry of the two is the subject of this lab.
"""

from __future__ import annotations

import array
import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Awaitable, Callable

import trio

from tlslab.core.connection import UNSENT_LIMIT, Connection
from tlslab.core.machine import Machine
from tlslab.events import UnreadBytesChanged
from tlslab.net.bus import Bus
from tlslab.net.hangup import Hangups, Left
from tlslab.tap import ConnectionTap
from tlslab.types import Drain, Reset

READ_BYTES = 32 * 1024
TCPI_RCV_WND = slice(232, 236)  # in struct tcp_info (linux/tcp.h): the window last advertised
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST and forgets what was not sent
# A paused connection's waiting bytes are counted again after so many seconds of lab time, and each time later by the
# factor: the buffers fill at once, and then nothing moves. A capture says when they came, so it wants to know sooner.
RECOUNT_SECONDS, RECOUNT_FACTOR = 1.0, 2.0
LOOK_SECONDS, LOOK_FACTOR = 0.02, 1.125


class Pump:
    """One connection's socket. It owns the socket and closes it."""

    def __init__(
        self, sock: socket.socket, lab: Machine, connection: Connection, bus: Bus, hangups: Hangups, wire: ConnectionTap
    ) -> None:
        self._lab = lab
        self._sock = sock
        self._connection = connection
        self._bus = bus
        self._hangups = hangups
        self._wire = wire
        self._out = bytearray()
        self._recount_from, self._recount_factor = (
            (LOOK_SECONDS, LOOK_FACTOR) if wire.looks_ahead else (RECOUNT_SECONDS, RECOUNT_FACTOR)
        )
        self._recount_seconds = self._recount_from
        self._looked_at = 0  # bytes that waited then, of which none was read since
        self._owes_others_a_turn = False

    async def run(self) -> None:
        """Serve the connection until it is over."""
        try:
            self._settle()
            while self._connection.closing is None:
                await self._step()
                self._settle()
            await self._close()
        finally:
            self._end_wire()
            self._sock.close()
            self._connection.note_closed(trio.current_time())
            self._publish()
            self._wire.settle()

    async def _step(self) -> None:
        """Wait for the next thing that happens, and tell the connection."""
        if self._owes_others_a_turn:
            self._owes_others_a_turn = False
            await trio.lowlevel.checkpoint()
        deadline = self._connection.next_deadline
        if self._may_read(deadline) and self._read():
            self._owes_others_a_turn = True  # it came meanwhile, without a wait
            return
        with trio.move_on_at(float("inf") if deadline is None else deadline) as scope:
            if self._connection.reading_paused:
                await self._wait_paused()
            elif len(self._out) > UNSENT_LIMIT or self._connection.holds_back:
                await self._wait_writable()
            else:
                await (either(self._wait_readable, self._wait_writable) if self._out else self._wait_readable())
                self._read()
        if scope.cancelled_caught:
            self._connection.tick(trio.current_time())

    def _may_read(self, deadline: float | None) -> bool:
        """Whether to look for bytes before waiting: not past a deadline, which a peer could put off for ever."""
        connection = self._connection
        if connection.reading_paused or connection.holds_back or len(self._out) > UNSENT_LIMIT:
            return False
        return deadline is None or trio.current_time() < deadline

    async def _wait_readable(self) -> None:
        await trio.lowlevel.wait_readable(self._sock)

    async def _wait_writable(self) -> None:
        await trio.lowlevel.wait_writable(self._sock)

    async def _wait_paused(self) -> None:
        """Leave the socket unread; the peer may go, time may pass, output may get through."""
        recounted = UnreadBytesChanged in self._bus.wanted or self._wire.looks_ahead
        with trio.move_on_after(self._recount_seconds if recounted else float("inf")) as scope:
            if self._out:
                await either(self._wait_hangup, self._wait_writable)
            else:
                await self._wait_hangup()
        if scope.cancelled_caught:
            self._recount_seconds *= self._recount_factor
            self._note_unread()

    async def _wait_hangup(self) -> None:
        how = await self._hangups.wait(self._sock)
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._on_reset(after_fin=error == errno.EPIPE)  # Linux: a reset is ECONNRESET only where no FIN came first
        else:
            self._on_eof(fin_stuck=how is Left.FIN_STUCK)

    def _read(self) -> bool:
        """Read what is there; False when nothing is."""
        try:
            data = self._sock.recv(min(self._connection.read_limit, READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._on_reset()
            return True
        if data:
            now = trio.current_time()
            self._connection.receive_data(data, now)
            self._wire.received(data, now)
            self._looked_at = 0
        else:
            self._on_eof()
        return True

    def _on_eof(self, *, fin_stuck: bool = False) -> None:
        now = trio.current_time()
        if not fin_stuck:
            self._look_ahead(now)
            self._wire.peer_ended(now, reset=False)
        self._connection.receive_eof(now, fin_stuck=fin_stuck)

    def _on_reset(self, *, after_fin: bool = False) -> None:
        now = trio.current_time()
        self._look_ahead(now)
        if after_fin:
            self._wire.peer_ended(now, reset=False)
        self._wire.peer_ended(now, reset=True)
        self._connection.receive_reset(now)

    def _settle(self) -> None:
        """After each step: send what there is, publish what happened, look at the socket if reading has stopped."""
        self._send()
        while self._connection.holds_back and not self._out and self._connection.closing is None:
            self._connection.tick(trio.current_time())
            self._send()
        if self._connection.wants_unread_count:
            self._recount_seconds = self._recount_from
            self._note_unread()
        self._publish()
        if self._connection.closing is None:  # else its end comes next, and belongs to the same moment
            self._wire.settle()

    def _publish(self) -> None:
        """Tell what happened to the connection, and what it did to the lab before another does more."""
        self._bus.publish(self._connection.take_events())
        self._bus.publish(self._lab.take_events())

    def _send(self) -> None:
        """Send what there is as far as the socket takes it, a flight at a time: each is a segment of its own."""
        while flight := self._connection.data_to_send():
            self._out += flight
            self._send_out()
        if self._out:
            self._send_out()

    def _send_out(self) -> None:
        while self._out:
            data = bytes(self._out)
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._out.clear()
                self._on_reset()
                return
            self._wire.sent(data[:sent], trio.current_time())
            del self._out[:sent]

    def _note_unread(self) -> None:
        now = trio.current_time()
        self._connection.note_unread(self._socket_unread(), now)
        self._look_ahead(now)

    def _look_ahead(self, now: float) -> None:
        """Show the tap what waits in the socket, without taking it."""
        if self._wire.looks_ahead and (count := self._socket_unread()) > self._looked_at:
            self._looked_at = count
            with contextlib.suppress(OSError):
                self._wire.waiting(self._sock.recv(count, socket.MSG_PEEK), now)
        if self._wire.looks_ahead and self._window_is_closed():
            self._wire.window_closed(now)

    def _window_is_closed(self) -> bool:
        """Whether the kernel has told the peer to send no more; False where it cannot be asked (before Linux 6.2)."""
        if sys.platform != "linux":
            return False
        with contextlib.suppress(OSError):
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCPI_RCV_WND.stop)
            return info[TCPI_RCV_WND] == bytes(4)
        return False

    def _end_wire(self) -> None:
        """Tell the tap how the kernel will end the connection when its socket is closed: a reset if bytes wait."""
        if self._wire.looks_ahead:
            now = trio.current_time()
            self._look_ahead(now)
            if self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # it reset what it had ended, or we had
                self._wire.peer_ended(now, reset=True)
            self._wire.ended(now, reset=self._socket_unread() > 0 or isinstance(self._connection.closing, Reset))

    def _socket_unread(self) -> int:
        """How many bytes wait in the kernel (FIONREAD); 0 where that cannot be asked."""
        try:
            from fcntl import ioctl
            from termios import FIONREAD
        except ImportError:
            return 0
        count = array.array("i", [0])
        ioctl(self._sock.fileno(), FIONREAD, count)
        return count[0]

    async def _close(self) -> None:
        closing = self._connection.closing
        if isinstance(closing, Reset):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        elif isinstance(closing, Drain):
            with trio.move_on_at(closing.until):
                await self._drain(closing.limit_bytes)

    async def _drain(self, limit_bytes: int) -> None:
        """Send what is left, end our side, and throw away what comes until the peer ends its own."""
        try:
            while self._out and limit_bytes >= 0:
                self._wire.settle()
                await either(self._wait_writable, self._wait_readable)
                self._send()
                limit_bytes -= self._discard()
            self._sock.shutdown(socket.SHUT_WR)
            self._wire.ended(trio.current_time(), reset=False)
            while limit_bytes > 0:
                self._wire.settle()
                await self._wait_readable()
                limit_bytes -= self._discard()
        except (EOFError, OSError):
            return

    def _discard(self) -> int:
        """Throw away what has come, and count it; EOFError when the peer has ended its side."""
        try:
            thrown_away = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._wire.peer_ended(trio.current_time(), reset=True)
            raise
        if not thrown_away:
            self._wire.peer_ended(trio.current_time(), reset=False)
            raise EOFError
        self._wire.received(thrown_away, trio.current_time())
        self._looked_at = 0
        return len(thrown_away)


async def either(first: Callable[[], Awaitable[None]], second: Callable[[], Awaitable[None]]) -> None:
    """Return when one of two waits is over, and give the other up."""
    async with trio.open_nursery() as nursery:

        async def wait(one: Callable[[], Awaitable[None]]) -> None:
            await one()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)
