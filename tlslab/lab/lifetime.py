"""Runs a lab from its first socket to its end."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import trio

from tlslab.errors import LabError, hint_of, reason_with_file, shortage_of
from tlslab.events import Event
from tlslab.net.bus import Watch
from tlslab.net.clock import RateClock
from tlslab.net.server import Server
from tlslab.types import LAST_WORDS_SECONDS

PULSE_SECONDS = 1.0  # of the wall
PAUSE_SECONDS = 0.05  # of the wall: what happens meanwhile is shown together, at the cost of one switch of threads


class Stopped(NamedTuple):
    """Which signal ended a lab, and whether what it showed last was taken: else nobody reads what it says."""

    by: signal.Signals
    was_heard: bool


class Screen(NamedTuple):
    """Who looks on: both functions run in a thread of their own, so a terminal that does not scroll holds up nothing.

    `heading` comes first; then `show` gets the events of `watch` in batches, and how many were left out behind them.
    Where it `is_live` it gets an empty batch each second in which nothing happens.
    """

    watch: Watch
    heading: Callable[[], None]
    show: Callable[[Sequence[Event], int], None]
    is_live: bool


def run(
    server: Server,
    *,
    speed: float,
    on_ready: Callable[[], None],
    look_after: Callable[[], None],
    screen: Screen,
) -> Stopped:
    """Serve until SIGINT or SIGTERM, and say which it was.

    `on_ready` is called once every binding listens and signals are heard, `look_after` each second of the wall.
    LabError: it cannot be served.
    """

    async def main() -> Stopped:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            on_ready()  # outside the nursery, which would wrap its error in a group
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                nursery.start_soon(each_second, look_after, speed)
                nursery.start_soon(_show, screen, speed)
                received = await anext(aiter(signals))
                nursery.cancel_scope.cancel()
            with trio.move_on_after(LAST_WORDS_SECONDS * speed) as last_words:
                await _in_thread(partial(screen.show, screen.watch.take(), screen.watch.missed()), speed)
        return Stopped(signal.Signals(received), not last_words.cancelled_caught)

    try:
        with _one_word_for_a_group():
            return trio.run(main, clock=RateClock(speed))
    finally:
        server.close()


def until_signal(on_ready: Callable[[], None]) -> Stopped:
    """Wait for SIGINT or SIGTERM, where no lab is served here; `on_ready` is called once they are heard."""

    async def main() -> Stopped:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            on_ready()
            return Stopped(signal.Signals(await anext(aiter(signals))), was_heard=True)

    return trio.run(main)


async def each_second(look_after: Callable[[], None], speed: float) -> None:
    """Call it each second of the wall's, by a clock that is so fast."""
    while True:
        await trio.sleep(speed)
        look_after()


async def _show(screen: Screen, speed: float) -> None:
    watch = screen.watch
    await _in_thread(screen.heading, speed)
    while True:
        with trio.move_on_after(PULSE_SECONDS * speed if screen.is_live else math.inf):
            await watch.wait()
        await _in_thread(partial(_shown, screen.show, watch.take(), watch.missed()), speed)


def _shown(show: Callable[[Sequence[Event], int], None], batch: Sequence[Event], missed: int) -> None:
    show(batch, missed)
    time.sleep(PAUSE_SECONDS)


async def _in_thread(act: Callable[[], None], speed: float) -> None:
    """Have a thread act; later, where the system has none to give for a while."""
    while True:
        try:
            await trio.to_thread.run_sync(act, abandon_on_cancel=True)
        except RuntimeError as error:
            if "start new thread" not in str(error):
                raise
            await trio.sleep(PAUSE_SECONDS * speed)
        else:
            return


@contextmanager
def _one_word_for_a_group() -> Iterator[None]:
    """Make a LabError of what the system refused, and a nursery wrapped."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if (shortage := shortage_of(error)) is None:
            raise
        raise LabError(f"the lab cannot go on: {reason_with_file(shortage)}", hint_of(shortage)) from group
