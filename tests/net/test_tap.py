"""What the pump tells the tap: the bytes as they passed, how both sides ended, and secrets before what they decrypt."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio.testing

from tlslab.core.plan import LabPlan
from tlslab.events import ConnectionClosed, EntityBodyStalled, RequestReceived, ResponseSent
from tlslab.net.clock import RateClock
from tlslab.net.transport import TCPI_RCV_WND

if TYPE_CHECKING:
    from tests.conftest import Heard
    from tests.net.conftest import Dial, Running, Serving

Plan = Callable[..., LabPlan]
MakeTap = Callable[..., "Heard"]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FREEZE = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 204800\r\n\r\n" + bytes(200 * 1024)


async def test_the_bytes_are_those_of_the_client(plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap) -> None:
    """Both directions byte for byte, the real addresses, secrets first, and an orderly end from both sides."""
    heard = make_tap()
    async with serving(plan(), heard) as running:
        peer = await dial(running)
        await peer.write(FREEZE.replace(b"204800", b"1024")[: -199 * 1024])
        assert (await peer.read()).startswith(b"HTTP/1.1 200")
        address = peer.sock.getsockname()
        await peer.leave()
        await running.wait_for(ConnectionClosed)
    assert (heard.up, heard.down) == (peer.sent, peer.received)
    assert heard.addresses == (address, (running.bound[0].host, running.bound[0].port))
    assert heard.facts[0] == "open"
    assert heard.facts[-3:] == ["peer fin", "fin", "fin"]  # shutdown, then close
    assert heard.facts.count("secrets") == 2  # a handshake, a renegotiation
    for place, word in enumerate(heard.facts):
        if word == "secrets":  # before the packet that brought them
            assert heard.facts[place + 1 : place + 3] == ["received", "sent"]


async def test_a_stall(plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock, make_tap: MakeTap) -> None:
    """What the lab does not read is shown where it waits; the end is the lab's reset."""
    heard = make_tap()
    async with serving(plan(**{"timers.ssl_renegotiation": 30}), heard) as running:
        peer = await dial(running)
        await peer.write(FREEZE)
        await running.wait_for(ConnectionClosed)
    assert peer.sent.startswith(heard.up + heard.unread)  # the rest never left the client's own buffer
    assert len(heard.unread) > 60 * 1024
    assert heard.facts[-1] == "reset"
    if tells_its_window():
        assert "window closed" in heard.facts[-3:]  # the client's rest finds no room


def tells_its_window() -> bool:
    """Whether the kernel says what receive window it has advertised (Linux 6.2 and later)."""
    if sys.platform != "linux":
        return False
    with socket.socket() as sock:
        return len(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024)) >= TCPI_RCV_WND.stop


async def test_a_tap_that_does_not_look_ahead(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock, make_tap: MakeTap
) -> None:
    """It is told nothing of what waits, and it costs nothing."""
    heard = make_tap(looks_ahead=False)
    async with serving(plan(**{"timers.ssl_renegotiation": 30}), heard) as running:
        peer = await dial(running)
        await peer.write(FREEZE)
        await running.wait_for(ConnectionClosed)
    assert heard.unread == b""
    assert len(heard.up) < 60 * 1024


async def ended(running: Running, dial: Dial, *, with_reset: bool) -> Any:
    """A client that has its answer, and goes."""
    peer = await dial(running)
    await peer.write(GET)
    await peer.read()
    await peer.leave(with_reset=with_reset)
    return (await running.wait_for(ConnectionClosed))[0].how


async def test_a_reset_of_the_client(plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap) -> None:
    """It is the client's, and comes before anything the lab does about it."""
    heard = make_tap()
    async with serving(plan(), heard) as running:
        assert await ended(running, dial, with_reset=True) == "reset_by_peer"
    assert heard.facts[-2:] == ["peer reset", "reset"]  # a wire that was reset takes no more


async def test_what_a_lab_throws_away_was_on_the_wire(
    plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap
) -> None:
    """Bytes behind an early answer are discarded, and told all the same."""
    heard = make_tap()
    async with serving(plan(), heard) as running:
        peer = await dial(running)
        await peer.write(b"this is not HTTP\r\n\r\n")
        await running.wait_for(ResponseSent)
        await peer.write(bytes(200_000))
        assert (await peer.read_to_end()).startswith(b"HTTP/1.1 400")
        await peer.leave()
        await running.wait_for(ConnectionClosed)
    assert (heard.up, heard.down) == (peer.sent, peer.received)
    assert heard.facts[-3:-1] == ["received", "peer fin"]


async def test_a_lab_that_ends(plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap) -> None:
    """Its kernel says FIN where all was read, and resets where bytes wait."""
    read, unread = make_tap(), make_tap()
    async with serving(plan(), read) as running:
        peer = await dial(running)
        await peer.write(GET)
        await running.wait_for(RequestReceived)
    async with serving(plan(), unread) as running:
        peer = await dial(running)
        await peer.write(FREEZE)
        await running.wait_for(EntityBodyStalled)
        await trio.testing.wait_all_tasks_blocked()
    assert (read.facts[-1], unread.facts[-1]) == ("fin", "reset")


async def test_a_client_that_closes_before_it_has_its_answer(
    plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap
) -> None:
    """Its FIN is followed by the reset with which its kernel met the answer; the lab's own FIN never was."""
    heard = make_tap()
    async with serving(plan(), heard) as running:
        peer = await dial(running)
        peer.send_and_close(GET)
        await running.wait_for(ConnectionClosed)
    assert heard.facts[-3:-1] == ["peer fin", "peer reset"]


class Unsettled(trio.abc.Instrument):
    """Sees when a task gives up its turn with something told and not settled."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self.seen: list[list[str]] = []

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._heard.told and self._heard.told[-1] != "settled":
            self.seen.append(self._heard.told[-3:])


async def test_nobody_else_has_a_turn_before_it_settles(
    plan: Plan, serving: Serving, dial: Dial, make_tap: MakeTap
) -> None:
    """Or the packets of several connections would not be in the order of time."""
    heard = make_tap()
    trio.lowlevel.add_instrument(unsettled := Unsettled(heard))
    async with serving(plan(), heard) as running:
        peer = await dial(running)
        await peer.write(b"this is not HTTP\r\n\r\n")
        await running.wait_for(ResponseSent)
        await peer.write(bytes(200_000))
        await peer.read_to_end()
        await peer.leave()
        await running.wait_for(ConnectionClosed)
    trio.lowlevel.remove_instrument(unsettled)
    assert unsettled.seen == []
