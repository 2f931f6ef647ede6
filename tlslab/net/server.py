"""Listens, accepts, and pumps: a lab on real sockets."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from traceback import format_exception

import trio

from tlslab.core.driver import Driver
from tlslab.core.machine import Machine
from tlslab.core.plan import LabPlan, Listener
from tlslab.errors import LabError, hint_of, in_words, reason_of, shortage_of
from tlslab.events import InternalFault
from tlslab.net.bus import Bus
from tlslab.net.pump import Pump
from tlslab.net.reactor import Handler, Reactor
from tlslab.net.readiness import NEVER, READ
from tlslab.net.transport import SocketTransport, fill_in_unread
from tlslab.tap import NO_TAP, Tap
from tlslab.types import Fault

BACKLOG = 1024
OUT_OF_FILES_SECONDS = 0.1
CANNOT_LISTEN = {
    errno.EADDRINUSE: (
        "another program listens there",
        "choose another port with --port N, or let the system choose with --port 0",
    ),
    errno.EACCES: ("", "ports below 1024 need administrator rights; choose another with --port N"),
}
LAB_TICK_SECONDS = 1.0
LOOPBACK, LAST_PORT = "127.0.0.1", 65535


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener, on the port that it got, with its socket; `host` and `port` are where it really listens."""

    listener: Listener
    sock: socket.socket
    host: str
    port: int


def bind(listeners: Iterable[Listener], receive_buffer: int = 0) -> list[Bound]:
    """Open every listener's socket, or none: LabError says which address is taken and what to do.

    `receive_buffer` is how many bytes the system is asked to buffer of each connection; 0 for as many as it likes.
    """
    bound: list[Bound] = []
    try:
        for listener in listeners:
            bound.append(_bind(listener, receive_buffer))
    except BaseException:
        close_all(bound)
        raise
    return bound


def close_all(bound: Iterable[Bound]) -> None:
    """Close the sockets."""
    for one in bound:
        one.sock.close()


def _bind(listener: Listener, receive_buffer: int) -> Bound:
    sock = listen(listener.host, listener.port, "--host takes an address of this machine")
    if receive_buffer:  # its connections inherit it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    host, port = sock.getsockname()[:2]
    return Bound(listener.on_port(port), sock, host, port)


def listen(host: str, port: int, hint: str) -> socket.socket:
    """Open a socket that listens there. LabError: it cannot; `hint` is what to try where nobody knows better."""
    failed = f"cannot listen on {host} port {port}"
    with in_words(failed, hint, CANNOT_LISTEN), contextlib.ExitStack() as undo:
        is_ipv6 = ":" in host
        sock = undo.enter_context(socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM))
        sock.setblocking(False)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR would share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the sockets of its connections inherit it
        sock.bind((host, port))
        sock.listen(BACKLOG)
        undo.pop_all()  # it listens, and stays open
    return sock


class Server:
    """A lab on its sockets; `tap` is told what passes on the wire. All of it is called in the thread that runs it."""

    def __init__(self, machine: Machine, bound: Iterable[Bound], bus: Bus, tap: Tap = NO_TAP) -> None:
        self._machine = machine
        self._bound = list(bound)
        self._bus = bus
        self._tap = tap
        self._now: Callable[[], float] = lambda: 0.0
        self._reactor = Reactor(self._failed, bus)
        self._acceptors: list[Acceptor] = []

    async def run(self) -> None:
        """Serve until cancelled."""
        fill_in_unread()  # while there is a descriptor to import with
        self._publish()  # what there is to say before anybody comes
        self._now = now = trio.lowlevel.current_clock().current_time
        reactor, bus = self._reactor, self._bus
        self._acceptors = [Acceptor(self._machine, one, bus, reactor, self._tap, now) for one in self._bound]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run, self._acceptors)
                nursery.start_soon(_tick, self._machine, bus)
        finally:
            self._publish()  # what connections did to the lab since its last tick

    def close(self) -> None:
        """Listen no more."""
        close_all(self._bound)

    def hasten(self, number: int) -> bool:
        """Let the timer that runs on a connection run out now; False where there is no such connection any more."""
        for handler in self._reactor.handlers:
            if isinstance(handler, Pump) and handler.number == number:
                self._reactor.give_turn(handler, handler.hasten)
                return True
        return False

    def change(self, plan: LabPlan, settings: tuple[str, ...] = ()) -> int:
        """Serve as `plan` says from the next connection on; its number is returned (see `Machine.change`).

        LabError: the plan listens elsewhere, which a lab that runs cannot.
        """
        for acceptor, listener in zip(self._acceptors, self.placed(plan), strict=True):
            acceptor.listener = listener
        first = self._machine.change(plan, settings, self._now())
        self._publish()
        return first

    def placed(self, plan: LabPlan) -> list[Listener]:
        """The listeners of a plan on the ports that this lab has. LabError: the plan listens elsewhere."""
        if [one.host for one in plan.listeners] != [one.listener.host for one in self._bound]:
            raise LabError("this changes where the lab listens", "end it, and start it so")
        return [listener.on_port(one.port) for listener, one in zip(plan.listeners, self._bound, strict=True)]

    def _failed(self, handler: Handler, error: Exception) -> bool:
        if isinstance(handler, Pump):
            self._bus.publish([_fault(self._now(), handler.number, error)])
            return False
        if not (isinstance(handler, Acceptor) and isinstance(error, OSError)):
            raise error
        handler.rest()
        return True

    def _publish(self) -> None:
        self._bus.publish(self._machine.take_events())


async def serve(machine: Machine, bound: Iterable[Bound], bus: Bus, tap: Tap = NO_TAP) -> None:
    """Serve until cancelled, as `Server.run` does."""
    await Server(machine, bound, bus, tap).run()


def _fault(now: float, number: int, error: Exception) -> InternalFault:
    """A defect of tlslab, or what the system refuses, ends one connection and is told; the lab goes on."""
    traceback = "".join(format_exception(error))
    if (shortage := shortage_of(error)) is not None:
        return InternalFault(now, number, "", Fault.SYSTEM, f"{reason_of(shortage)}; {hint_of(shortage)}", traceback)
    return InternalFault(now, number, "", Fault.EXCEPTION, "", traceback)


async def _tick(machine: Machine, bus: Bus) -> None:
    """Let the lab's own time pass: a session is purged when it is due, not when somebody looks."""
    while True:
        latest = trio.current_time() + LAB_TICK_SECONDS  # a deadline may come up while none was known
        await trio.sleep_until(min(machine.next_deadline or latest, latest))
        machine.tick(trio.current_time())
        bus.publish(machine.take_events())


class Acceptor:
    """Takes the connections of one listener, and has the reactor serve them."""

    def __init__(
        self, machine: Machine, bound: Bound, bus: Bus, reactor: Reactor, tap: Tap, now: Callable[[], float]
    ) -> None:
        self.sock = bound.sock
        self.interest = READ
        self.deadline = NEVER
        self.is_over = False
        self._machine = machine
        self.listener = bound.listener
        self._bound = bound
        self._bus = bus
        self._reactor = reactor
        self._tap = tap
        self._now = now
        self._is_wildcard = ip_address(bound.host).is_unspecified

    def ready(self, _happened: int) -> None:
        """Take one connection."""
        try:
            sock, peer = self.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError:
            self.rest()
            return
        try:
            sock.setblocking(False)
            pump = self._pump(sock, (peer[0], peer[1]))
        except Exception as error:
            sock.close()
            self._bus.publish([_fault(self._now(), self._machine.connections_accepted, error)])
        else:
            self._reactor.add(pump)

    def rest(self) -> None:
        """Take none for a while: for want of files or memory, or of what the network has to say of one that is no more.

        Linux, accept(2); nothing that the system says here is a reason for the lab to end.
        """
        self.interest, self.deadline = 0, self._now() + OUT_OF_FILES_SECONDS

    def tick(self) -> None:
        """There may be room again."""
        self.interest, self.deadline = READ, NEVER

    def close(self) -> None:
        """Leave the socket to whoever opened it."""

    def _pump(self, sock: socket.socket, peer: tuple[str, int]) -> Pump:
        now = self._now()
        local = (self._host(sock), self._bound.port)
        transport, publish = SocketTransport(sock), self._bus.publish
        driver = Driver(self._machine, self.listener, peer, local, self._tap, publish, transport, now)
        driver.finish_step(now)  # at once, so that events come in the order of time
        return Pump(sock, driver, self._bus.wanted, self._now)

    def _host(self, sock: socket.socket) -> str:
        """Which of this machine's addresses the client took, where the lab listens on all of them."""
        host = self._bound.host
        if self._is_wildcard:
            with contextlib.suppress(OSError):  # some systems have forgotten it, if the peer is gone already
                host = sock.getsockname()[0]
        return host
