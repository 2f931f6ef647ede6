"""Moves bytes between a socket and the driver of its connection: reads, waits and closes as the connection says.

Theory of operation. One task for a connection goes round: wait for one thing (`_wait_for_next`), let the driver finish
the step (send, publish, settle), and look at what the connection wants now. What it waits for is one of three:

- Bytes to read, and, while some output is left over, room to write: whichever comes first. The asymmetry of the two is
  the subject of this lab.
- The peer to leave, while reading is paused: its bytes stay in the socket, so that only a FIN or a reset can be seen,
  and that without reading (`hangup.py`). Room to write, too; and where somebody wants to know, the waiting bytes are
  counted again from time to time.
- Room to write alone, while requests are held back, or too many answers wait to go.

Each wait ends at the connection's deadline. Bytes that are there already are read without a wait; so that a peer who
never stops sending does not keep the others out, the task then lets them have a turn.

What is told to whom, and in which order, is the driver's (`core/driver.py`).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Awaitable, Callable, Set

import trio

from tlslab.core.driver import Driver
from tlslab.events import Event, UnreadBytesChanged
from tlslab.net.hangup import Hangups, Left
from tlslab.types import Drain, Reset

READ_BYTES = 32 * 1024
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST and forgets what was not sent
# A paused connection's waiting bytes are counted again after so many seconds of lab time, and each time later by the
# factor: the buffers fill at once, and then nothing moves. A capture says when they came, so it wants to know sooner.
RECOUNT_SECONDS, RECOUNT_FACTOR = 1.0, 2.0
LOOK_SECONDS, LOOK_FACTOR = 0.02, 1.125


class Pump:
    """One connection's socket. It owns the socket and closes it; `wanted` are the events that somebody reads."""

    def __init__(self, sock: socket.socket, driver: Driver, wanted: Set[type[Event]], hangups: Hangups) -> None:
        self._sock = sock
        self._driver = driver
        self._connection = driver.connection
        self._wanted = wanted
        self._hangups = hangups
        self._recount_from, self._recount_factor = (
            (LOOK_SECONDS, LOOK_FACTOR) if driver.looks_ahead else (RECOUNT_SECONDS, RECOUNT_FACTOR)
        )
        self._recount_seconds = self._recount_from
        self._owes_others_a_turn = False

    async def run(self) -> None:
        """Serve the connection, whose first step is finished, until it is over."""
        try:
            while self._connection.closing is None:
                await self._wait_for_next()
                if self._driver.finish_step(trio.current_time()):
                    self._recount_seconds = self._recount_from
            await self._close()
        finally:
            self._driver.about_to_close(trio.current_time())
            self._sock.close()
            self._driver.closed(trio.current_time())

    async def _wait_for_next(self) -> None:
        """Wait for the next thing that happens, and tell the driver."""
        if self._owes_others_a_turn:
            self._owes_others_a_turn = False
            await trio.lowlevel.checkpoint()
        deadline, may_read = self._connection.next_deadline, self._driver.may_read
        # Bytes are looked for before any wait, but not past a deadline: a peer could put it off for ever.
        if may_read and (deadline is None or trio.current_time() < deadline) and self._read():
            self._owes_others_a_turn = True  # it came meanwhile, without a wait
            return
        with trio.move_on_at(float("inf") if deadline is None else deadline) as scope:
            await self._wait(may_read)
        if scope.cancelled_caught:
            self._driver.tick(trio.current_time())

    async def _wait(self, may_read: bool) -> None:
        if may_read:
            await (either(self._wait_readable, self._wait_writable) if self._driver.unsent else self._wait_readable())
            self._read()
        elif self._connection.reading_paused:
            await self._wait_paused()
        else:
            await self._wait_writable()

    async def _wait_readable(self) -> None:
        await trio.lowlevel.wait_readable(self._sock)

    async def _wait_writable(self) -> None:
        await trio.lowlevel.wait_writable(self._sock)

    async def _wait_paused(self) -> None:
        """Leave the socket unread; the peer may go, time may pass, output may get through."""
        recounted = UnreadBytesChanged in self._wanted or self._driver.looks_ahead
        with trio.move_on_after(self._recount_seconds if recounted else float("inf")) as scope:
            if self._driver.unsent:
                await either(self._wait_hangup, self._wait_writable)
            else:
                await self._wait_hangup()
        if scope.cancelled_caught:
            self._recount_seconds *= self._recount_factor
            self._driver.note_unread(trio.current_time())

    async def _wait_hangup(self) -> None:
        how = await self._hangups.wait(self._sock)
        now = trio.current_time()
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            # Linux: a reset is ECONNRESET only where no FIN came first.
            self._driver.receive_reset(now, after_fin=error == errno.EPIPE)
        else:
            self._driver.receive_eof(now, fin_stuck=how is Left.FIN_STUCK)

    def _read(self) -> bool:
        """Read what is there; False when nothing is."""
        try:
            data = self._sock.recv(min(self._connection.read_limit, READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._driver.receive_reset(trio.current_time())
            return True
        if data:
            self._driver.receive_data(data, trio.current_time())
        else:
            self._driver.receive_eof(trio.current_time())
        return True

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
            while self._driver.unsent and limit_bytes >= 0:
                self._driver.settle()
                await either(self._wait_writable, self._wait_readable)
                self._driver.send(trio.current_time())
                limit_bytes -= self._discard()
            self._sock.shutdown(socket.SHUT_WR)
            self._driver.output_ended(trio.current_time())
            while limit_bytes > 0:
                self._driver.settle()
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
            self._driver.receive_reset(trio.current_time())
            raise
        if not thrown_away:
            self._driver.receive_eof(trio.current_time())
            raise EOFError
        self._driver.receive_data(thrown_away, trio.current_time())
        return len(thrown_away)


async def either(first: Callable[[], Awaitable[None]], second: Callable[[], Awaitable[None]]) -> None:
    """Return when one of two waits is over, and give the other up."""
    async with trio.open_nursery() as nursery:

        async def wait(one: Callable[[], Awaitable[None]]) -> None:
            await one()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)
