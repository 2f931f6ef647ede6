"""Serves all sockets of a lab in one task: waits for what they want, and tells each of what happened.

A task for each connection would be the usual way in trio. But a wait of its own costs a task two system calls, a scope
for its deadline and two switches, and a new connection waits six times or more. Here one task waits for all sockets,
and gives each that something has happened to a turn, one after the other; a second keeps the time of all.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Protocol

import trio

from tlslab.net.alarms import Alarms
from tlslab.net.bus import Bus
from tlslab.net.readiness import HANGUP, NEVER, STUCK, make_readiness
from tlslab.net.stuck import StuckFins

ROUNDS = 16  # so many times, and then the lab's other tasks have their turn
# A client that was answered usually goes on at once: to wait for that here takes one system call, and trio three and
# its round. It is 4 % of a cycle's CPU, and epoll knows nothing shorter.
LINGER_SECONDS = 0.001
OUT_OF_ORDER_SECONDS = 0.1


class Handler(Protocol):
    """A socket and what is done with it. The reactor looks at the attributes after each call."""

    sock: socket.socket
    interest: int  # of readiness.py; 0 for nothing
    deadline: float  # lab time; infinity for none
    is_over: bool

    def ready(self, happened: int) -> None:
        """Something of `interest` happened, or an error; it may be a false alarm."""

    def tick(self) -> None:
        """The deadline has come."""

    def close(self) -> None:
        """Close the socket: it is over, or the lab is. Nothing is called after this."""


class Reactor:
    """Serves what is added, until cancelled, and then closes it all.

    Rounds without a wait between them are a turn of the `bus`.
    `failed` is told of what raised, and says whether that waits for its deadline now; else it is closed. It raises
    itself where nothing can go on.
    """

    def __init__(self, failed: Callable[[Handler, Exception], bool], bus: Bus) -> None:
        self._failed = failed
        self._bus = bus
        self._handlers: dict[int, Handler] = {}
        self._alarms = Alarms()
        self._stuck = StuckFins()
        self._sleep = trio.CancelScope()
        self._wakes_at = NEVER

    async def run(self, first: Iterable[Handler]) -> None:
        """Serve these, and whatever they add."""
        async with trio.open_nursery() as nursery:
            self._readiness = make_readiness(nursery)
            try:
                for handler in first:
                    self.add(handler)
                nursery.start_soon(self._keep_time)
                nursery.start_soon(self._stuck.run, self._find_stuck)
                while True:
                    try:
                        await self._readiness.wait()
                        self._serve_ready()
                    except OSError:  # the system cannot say for a while
                        await trio.sleep(OUT_OF_ORDER_SECONDS)
            finally:
                for handler in list(self._handlers.values()):
                    self._close(handler)
                self._readiness.close()

    def add(self, handler: Handler) -> None:
        """Serve a socket, too."""
        self._handlers[handler.sock.fileno()] = handler
        self.give_turn(handler, lambda: None)

    def _serve_ready(self) -> None:
        """Give a turn to each socket that something has happened to, and again, while there are any."""
        linger = 0.0
        with self._bus.turn():
            for _ in range(ROUNDS):
                happened = self._readiness.happened(0.0 if self._bus.is_behind else linger)
                if not happened and self._bus.is_behind:
                    self._bus.catch_up()
                    happened = self._readiness.happened(linger)
                if not happened:
                    return
                for fd, what in happened:
                    if handler := self._handlers.get(fd):
                        self.give_turn(handler, handler.ready, what)
                linger = LINGER_SECONDS

    async def _keep_time(self) -> None:
        while True:
            self._wakes_at = self._alarms.next
            with trio.CancelScope(deadline=self._wakes_at) as self._sleep:
                await trio.sleep_forever()
            for fd in self._alarms.due(trio.current_time()):
                handler = self._handlers[fd]
                if handler.deadline <= trio.current_time():
                    self.give_turn(handler, handler.tick)
                else:  # it was put off
                    self._set_alarm(fd, handler.deadline)

    def _set_alarm(self, fd: int, at: float) -> None:
        self._alarms.set(fd, at)
        if at < self._wakes_at:
            self._wakes_at = self._sleep.deadline = at

    def _find_stuck(self, fd: int) -> None:
        handler = self._handlers[fd]
        self.give_turn(handler, handler.ready, HANGUP | STUCK)

    @property
    def handlers(self) -> list[Handler]:
        """All that it serves."""
        return list(self._handlers.values())

    def give_turn(self, handler: Handler, turn: Callable[..., None], *what: int) -> None:
        """Call something of a handler's, and look after what it wants now."""
        try:
            turn(*what)
            if not handler.is_over:
                fd = handler.sock.fileno()
                self._readiness.want(handler.sock, handler.interest)
                if handler.deadline < self._alarms.at.get(fd, NEVER):
                    self._set_alarm(fd, handler.deadline)
                if handler.interest & HANGUP:
                    self._stuck.watch(fd, handler.sock)
                elif fd in self._stuck.watched:
                    self._stuck.forget(fd)
                return
        except Exception as error:
            if self._failed(handler, error):
                self._set_alarm(handler.sock.fileno(), handler.deadline)
                return
        self._close(handler)

    def _close(self, handler: Handler) -> None:
        fd = handler.sock.fileno()
        self._readiness.forget(handler.sock)
        self._alarms.forget(fd)
        self._stuck.forget(fd)
        del self._handlers[fd]
        try:
            handler.close()
        except Exception as error:
            self._failed(handler, error)
