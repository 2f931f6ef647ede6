"""Runs a lab from its first socket to its end."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence

import trio

from tlslab.core.machine import Machine
from tlslab.events import Event
from tlslab.net.bus import Bus, Watch
from tlslab.net.clock import RateClock
from tlslab.net.server import Bound, close_all, serve
from tlslab.tap import NO_TAP, Tap
from tlslab.types import LAST_WORDS_SECONDS

PULSE_SECONDS = 1.0  # of the wall
PAUSE_SECONDS = 0.05  # of the wall: what happens meanwhile is shown together, at the cost of one switch of threads


def run(
    machine: Machine,
    bound: Sequence[Bound],
    bus: Bus,
    *,
    speed: float,
    on_ready: Callable[[], None],
    tap: Tap = NO_TAP,
    watch: Watch | None = None,
    heading: Callable[[], None] = lambda: None,
    show: Callable[[Sequence[Event]], None] = lambda _events: None,
    show_always: bool = False,
) -> signal.Signals:
    """Serve until SIGINT or SIGTERM, and say which it was.

    `on_ready` is called once every binding listens and signals are heard. `heading` and then `show`, which gets the
    events of `watch` in batches, run in a thread of their own: a terminal that does not scroll holds up nothing. With
    `show_always` it gets an empty batch each second in which nothing happens.
    """

    async def main() -> signal.Signals:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            on_ready()  # outside the nursery, which would wrap its error in a group
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, machine, bound, bus, tap)
                if watch is not None:
                    nursery.start_soon(_show, watch, heading, show, PULSE_SECONDS * speed if show_always else math.inf)
                received = await anext(aiter(signals))
                nursery.cancel_scope.cancel()
            if watch is not None:
                with trio.move_on_after(LAST_WORDS_SECONDS * speed):  # a reader that has stopped does not get them
                    await trio.to_thread.run_sync(show, watch.take(), abandon_on_cancel=True)
        return signal.Signals(received)

    try:
        return trio.run(main, clock=RateClock(speed))
    finally:
        close_all(bound)


async def _show(
    watch: Watch, heading: Callable[[], None], show: Callable[[Sequence[Event]], None], pulse: float
) -> None:
    await trio.to_thread.run_sync(heading, abandon_on_cancel=True)
    while True:
        with trio.move_on_after(pulse):
            await watch.wait()
        await trio.to_thread.run_sync(_shown, show, watch.take(), abandon_on_cancel=True)


def _shown(show: Callable[[Sequence[Event]], None], batch: Sequence[Event]) -> None:
    show(batch)
    time.sleep(PAUSE_SECONDS)
