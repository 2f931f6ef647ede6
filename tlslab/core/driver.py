"""Drives one connection: between a `Connection`, which does no I/O, and whatever carries its bytes.

Everything that happens is a step. Something comes in: bytes, the peer's end, or time. Then `finish_step` sends the
answer, counts what waits where reading has just stopped, publishes the events, and settles. The tap and the readers of
events depend on the order in which they are told:

- Secrets go before the bytes that they decrypt, or a capture cannot be read. OpenSSL gives them away while it takes
  bytes. So bytes that came go to the connection first and then to the tap; bytes that leave are told when they are
  sent.
- A decision stands beside its packet. The tap holds the packets of a step until `settle`, so the events are published
  after the bytes, and before `settle`. The packets of a step are one write, so a file that is cut has whole steps.
- What happened to the connection is published before what this did to the machine, which other connections share.

Nobody else may have a turn within a step, or the packets of two connections would not be in the order of time.

A step that sets `closing` is not settled: the lab's own FIN or RST belongs to the same moment. The owner closes as
`Connection.closing` says, and tells the driver of it:

    Reset: `about_to_close`, close the transport, `closed`.
    Drain: `send` until nothing is `unsent`, send FIN, `output_ended`, throw away what still comes, then as above.

What still comes in a drain is told by the same methods as before. The connection looks at none of it, but it was on the
wire. `settle` stands before each wait of a drain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from tlslab.core.connection import UNSENT_LIMIT, Connection
from tlslab.core.machine import Machine
from tlslab.core.plan import Listener
from tlslab.events import Event
from tlslab.tap import Tap
from tlslab.text import HostPort, format_peer
from tlslab.types import Reset

Publish = Callable[[Iterable[Event]], None]


class Transport(Protocol):
    """What carries the bytes: a socket, or what stands for one. None of this waits."""

    def send(self, data: bytes) -> int:
        """Take as many of the bytes as there is room for, and say how many; OSError where the peer is gone."""

    def unread(self) -> int:
        """How many bytes have come that nobody has read; 0 where that cannot be known."""

    def peek(self, count: int) -> bytes:
        """The first `count` of them, which stay where they are; none where that cannot be done."""

    def window_is_closed(self) -> bool:
        """Whether the receive window is closed: the peer may send no more."""

    def peer_has_reset(self) -> bool:
        """Whether a reset of the peer has come that nobody was told of."""


class Driver:
    """One connection of a lab, and who is told of it: create it once that is accepted, and call `finish_step`.

    `publish` gets the events, in order. All times are lab time in seconds, and never go back.
    """

    def __init__(
        self,
        machine: Machine,
        listener: Listener,
        peer: HostPort,
        local: HostPort,
        tap: Tap,
        publish: Publish,
        transport: Transport,
        now: float,
    ) -> None:
        self.connection: Connection = machine.accept(listener, format_peer(peer), format_peer(local), now)
        self._tap = tap.open(self.connection.number, peer, local, now)
        self._machine = machine
        self._publish = publish
        self._transport = transport
        self._unsent = b""
        self._looked_at = 0  # bytes that waited at the last look; 0 once any was read

    # --- what happens: one of these, then `finish_step` ---------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that were read: at most `connection.read_limit`, and none while `may_read` says no.

        In a drain these do not count, and `Drain.limit_bytes` does, which is the owner's to keep.
        """
        self.connection.receive_data(data, now)
        self._tap.received(data, now)
        self._looked_at = 0

    def receive_eof(self, now: float, *, fin_stuck: bool = False) -> None:
        """The peer has ended its side. `fin_stuck`: its FIN has not arrived, but is known of (see `PeerClosed`)."""
        if not fin_stuck:
            if not self.may_read:  # an end that was read has nothing in front of it
                self._look_ahead(now)
            self._tap.peer_ended(now, reset=False)
        self.connection.receive_eof(now, fin_stuck=fin_stuck)

    def receive_reset(self, now: float, *, after_fin: bool = False) -> None:
        """The connection was reset. `after_fin`: a FIN came before, and nobody was told of it."""
        self._look_ahead(now)
        if after_fin:
            self._tap.peer_ended(now, reset=False)
        self._tap.peer_ended(now, reset=True)
        self.connection.receive_reset(now)

    def tick(self, now: float) -> None:
        """The time has come that `connection.next_deadline` named."""
        self.connection.tick(now)

    def hasten(self, now: float) -> None:
        """Do not wait for that time."""
        self.connection.hasten(now)

    def note_unread(self, now: float) -> None:
        """Count what waits while reading is paused. The first count of a stall is made by `finish_step`."""
        self.connection.note_unread(self._transport.unread(), now)
        self._look_ahead(now)

    # --- and what comes of it -----------------------------------------------------------------------

    def finish_step(self, now: float) -> bool:
        """Send, publish and settle: after each of the above, and when the transport has room again.

        Then look at `connection.closing`, and while that is None at `may_read` and `connection.next_deadline`. Returns
        whether a stall began. What waits was counted then; whoever wants to see it grow calls `note_unread` later.
        """
        connection = self.connection
        self.send(now)
        while connection.holds_back and not self._unsent and connection.closing is None:
            connection.tick(now)
            self.send(now)
        stall_began = connection.wants_unread_count
        if stall_began:
            self.note_unread(now)
        self._publish_events()
        if connection.closing is None:
            self._tap.settle()
        return stall_began

    @property
    def may_read(self) -> bool:
        """Whether to read what comes: not where reading is paused, nor while too many answers wait to go."""
        connection = self.connection
        return not (connection.reading_paused or connection.holds_back or len(self._unsent) > UNSENT_LIMIT)

    @property
    def unsent(self) -> int:
        """Bytes for which the transport had no room."""
        return len(self._unsent)

    @property
    def looks_ahead(self) -> bool:
        """Whether the tap wants to see what waits unread."""
        return self._tap.looks_ahead

    # --- the end ------------------------------------------------------------------------------------

    def send(self, now: float) -> None:
        """Send what there is as far as the transport takes it, a flight at a time: each is a write of its own.

        `finish_step` does this, and in a drain the owner. Where the peer is gone it is a reset, and nothing is left.
        """
        if self._unsent:
            self._send_unsent(now)
        for flight in self.connection.take_flights():
            self._unsent += flight
            if not self._send_unsent(now):
                return  # nothing is left, or the next flight would find the same reset

    def output_ended(self, now: float) -> None:
        """The lab's FIN went out: only in a drain, and when nothing is `unsent`."""
        self._tap.ended(now, reset=False)

    def settle(self) -> None:
        """Let the packets go that were told of so far: before each wait of a drain."""
        self._tap.settle()

    def about_to_close(self, now: float, *, reset: bool = False) -> None:
        """Tell how the connection ends: call it while the transport is still there, and `closed` when it is not.

        It is a reset where the connection wants one, where bytes wait unread (a kernel makes one of closing such a
        socket), or where `reset` says that it will come to one.
        """
        if self._tap.looks_ahead:
            unread = self._look_ahead(now)
            if self._transport.peer_has_reset():  # it reset what it had ended, or we had
                self._tap.peer_ended(now, reset=True)
            self._tap.ended(now, reset=reset or unread > 0 or isinstance(self.connection.closing, Reset))

    def closed(self, now: float) -> None:
        """The transport is closed: the last call, whatever came before it."""
        self.connection.note_closed(now)
        self._publish_events()
        self._tap.settle()

    # --- inside -------------------------------------------------------------------------------------

    def _send_unsent(self, now: float) -> bool:
        """Send as far as there is room; False where the peer is gone."""
        while self._unsent:
            try:
                taken = self._transport.send(self._unsent)
            except OSError:
                self.receive_reset(now)
                self._unsent = b""
                self.connection.take_flights()
                return False
            if not taken:
                break
            self._tap.sent(self._unsent[:taken], now)
            self._unsent = self._unsent[taken:]
        return True

    def _publish_events(self) -> None:
        """Tell what happened to the connection, and what it did to the machine before another does more."""
        if events := self.connection.take_events():
            self._publish(events)
        if events := self._machine.take_events():
            self._publish(events)

    def _look_ahead(self, now: float) -> int:
        """Show the tap what waits unread, without taking it; what was shown before is shown again only with more.

        Returns how many bytes that is, or 0 if the tap does not want to see them. Without any the window is open.
        """
        if not self._tap.looks_ahead:
            return 0
        if (count := self._transport.unread()) > self._looked_at:
            self._looked_at = count
            if waiting := self._transport.peek(count):
                self._tap.waiting(waiting, now)
        if count and self._transport.window_is_closed():
            self._tap.window_closed(now)
        return count
