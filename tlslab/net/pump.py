"""Moves bytes between a socket and the driver of its connection: reads, waits and closes as the connection says.

Theory of operation. A pump never waits. It says what it wants to be told of (`interest`, `deadline`), and the reactor
calls `ready` or `tick` when that happens, and looks again. Each of these lets the driver finish the step (send,
publish, settle), and then it is clear what the connection waits for. That is one of three:

- Bytes to read, and, while some output is left over, room to write: whichever comes first. The asymmetry of the two is
  the subject of this lab.
- The peer to leave, while reading is paused: its bytes stay in the socket, so that only a FIN or a reset can be seen,
  and that without reading (`readiness.py`). Room to write, too; and where somebody wants to know, the waiting bytes are
  counted again from time to time.
- Room to write alone, while requests are held back, or too many answers wait to go.

Each turn reads once; so a peer who never stops sending does not keep the others out.

Once the connection has decided to end, a drain sends what is left, ends the lab's side, and throws away what comes
until the peer ends its own.

What is told to whom, and in which order, is the driver's (`core/driver.py`).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass

from tlslab.core.driver import Driver
from tlslab.events import Event, UnreadBytesChanged
from tlslab.net.readiness import ERROR, HANGUP, NEVER, READ, STUCK, WRITE
from tlslab.net.transport import error_of
from tlslab.types import Drain, Reset

# Chosen: 88 segments of 1,460 bytes, which a capture shows as two merged packets (`capture.segments`). With half of it
# an upload takes a tenth more, with twice as much none less.
READ_BYTES = 88 * 1460
DISCARD_BYTES = 64 * 1024  # chosen: so many of what a drain throws away may be more than it was to throw away
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST and forgets what was not sent
# A paused connection's waiting bytes are counted again after so many seconds of lab time, and each time later by the
# factor: the buffers fill at once, and then nothing moves. A capture says when they came, so it wants to know sooner.
RECOUNT_SECONDS, RECOUNT_FACTOR = 1.0, 2.0
LOOK_SECONDS, LOOK_FACTOR = 0.02, 1.125


class Pump:
    """One connection's socket, which it owns; the connection's first step is finished.

    `interest` is what it waits for (`readiness.py`), until `deadline` (lab time). When `is_over`, call `close`, once.
    `wanted` are the events that somebody reads, `now` tells lab time.
    """

    def __init__(self, sock: socket.socket, driver: Driver, wanted: Set[type[Event]], now: Callable[[], float]) -> None:
        self.sock = sock
        self._driver = driver
        self._connection = driver.connection
        self._wanted = wanted
        self._now = now
        self._recount_from, self._recount_factor = (
            (LOOK_SECONDS, LOOK_FACTOR) if driver.looks_ahead else (RECOUNT_SECONDS, RECOUNT_FACTOR)
        )
        self._recount_seconds = self._recount_from
        self._recount_at = NEVER
        self._drain: _Drain | None = None
        self.interest = READ
        self.deadline = NEVER
        self.is_over = False
        self._look()

    @property
    def number(self) -> int:
        """What events call this connection."""
        return self._connection.number

    # --- what happens ------------------------------------------------------------------------------

    def ready(self, happened: int) -> None:
        """The socket can be read or written, or the peer has left; a false alarm does no harm."""
        if self._drain is not None:
            self._drain_on(self._drain, happened)
            return
        if happened != WRITE:
            if self.interest & HANGUP:
                self._hang_up(happened)
            elif self.interest & READ:
                self._read()
        self._finish_step()

    def tick(self) -> None:
        """The deadline has come."""
        now = self._now()
        if self._drain is not None:
            self.is_over = True
            return
        due = self._connection.next_deadline
        if due is not None and due <= now:
            self._driver.tick(now)
        elif self._recount_at <= now:
            self._recount_seconds *= self._recount_factor
            self._recount_at = now + self._recount_seconds
            self._driver.note_unread(now)
        self._finish_step()

    def hasten(self) -> None:
        """Let the timer that runs on the connection run out now."""
        if self._drain is not None:
            self.is_over = True
            return
        self._driver.hasten(self._now())
        self._finish_step()

    def close(self) -> None:
        """Close the socket, whatever goes on, and tell how the connection ended."""
        try:
            self._driver.about_to_close(self._now())
        finally:
            self.sock.close()
            self._driver.closed(self._now())

    # --- the life of a connection ------------------------------------------------------------------

    def _finish_step(self) -> None:
        now = self._now()
        if self._driver.finish_step(now):
            self._recount_at = NEVER  # what waits was counted
        self._look()

    def _look(self) -> None:
        """Look at what the connection wants now."""
        connection, driver = self._connection, self._driver
        closing = connection.closing
        if closing is not None:
            self._end(closing)
            return
        also = WRITE if driver.unsent else 0
        deadline = connection.next_deadline
        self.deadline = NEVER if deadline is None else deadline
        if driver.may_read:
            self.interest = READ | also
        elif connection.reading_paused:
            self.interest = HANGUP | also
            self._recount()
            return
        else:
            self.interest = WRITE
        self._recount_at = NEVER

    def _recount(self) -> None:
        """While reading is paused, what waits is counted again, if anybody wants to know."""
        if not (self._driver.looks_ahead or UnreadBytesChanged in self._wanted):
            return
        if self._recount_at == NEVER:
            self._recount_seconds = self._recount_from
            self._recount_at = self._now() + self._recount_seconds
        self.deadline = min(self.deadline, self._recount_at)

    def _hang_up(self, happened: int) -> None:
        now, error = self._now(), error_of(self.sock)
        if error or happened & ERROR:
            # Linux: a reset is ECONNRESET only where no FIN came first.
            self._driver.receive_reset(now, after_fin=error == errno.EPIPE)
        else:
            self._driver.receive_eof(now, fin_stuck=bool(happened & STUCK))

    def _read(self) -> None:
        """Read what is there."""
        try:
            data = self.sock.recv(min(self._connection.read_limit, READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._driver.receive_reset(self._now())
            return
        if data:
            self._driver.receive_data(data, self._now())
        else:
            self._driver.receive_eof(self._now())

    # --- its end -----------------------------------------------------------------------------------

    def _end(self, closing: Drain | Reset) -> None:
        if isinstance(closing, Reset):
            with suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            self.is_over = True
            return
        self._drain = _Drain(closing.limit_bytes)
        self.deadline = closing.until
        self._drain_on(self._drain, 0)

    def _drain_on(self, drain: _Drain, happened: int) -> None:
        """Send what is left, end our side, and throw away what comes until the peer ends its own."""
        try:
            if happened:
                self._driver.send(self._now())
            if happened & ~WRITE:
                drain.room -= self._discard()
            if self._driver.unsent and drain.room >= 0:
                self.interest = READ | WRITE
                self.is_over = self._now() >= self.deadline
            else:
                if not drain.has_ended:
                    drain.has_ended = True
                    self.sock.shutdown(socket.SHUT_WR)
                    self._driver.output_ended(self._now())
                self.interest = READ
                self.is_over = drain.room <= 0
        except (EOFError, OSError):
            self.is_over = True
        if not self.is_over:
            self._driver.settle()

    def _discard(self) -> int:
        """Throw away what has come, and count it; EOFError when the peer has ended its side."""
        try:
            thrown_away = self.sock.recv(DISCARD_BYTES)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._driver.receive_reset(self._now())
            raise
        if not thrown_away:
            self._driver.receive_eof(self._now())
            raise EOFError
        self._driver.receive_data(thrown_away, self._now())
        return len(thrown_away)


@dataclass(slots=True)
class _Drain:
    """How many bytes may still be thrown away, and whether our side has ended."""

    room: int
    has_ended: bool = False
