"""The lab's clock: arithmetic, bracketed by readings of the wall's clock so that no machine is too slow for it."""

from __future__ import annotations

import math
import time

import pytest
import trio

from tlslab.net.clock import RateClock, lab_time

RATES = (0.5, 1.0, 24.0, 60.0)


@pytest.mark.parametrize("rate", RATES)
def test_lab_time_is_wall_time_times_the_rate(rate: float) -> None:
    """Lab time starts at 0 and lies between the slowest and the fastest it can have been."""
    clock = RateClock(rate)
    before_start = time.perf_counter()
    clock.start_clock()
    after_start = time.perf_counter()
    before = time.perf_counter()
    now = clock.current_time()
    after = time.perf_counter()
    assert (before - after_start) * rate <= now <= (after - before_start) * rate


@pytest.mark.parametrize("rate", RATES)
def test_a_sleep_is_lab_time_over_the_rate(rate: float) -> None:
    """120 lab seconds from a moment ago are at most 120/rate wall seconds, and exactly as much less as has passed."""
    clock = RateClock(rate)
    earlier = clock.current_time()
    sleep = clock.deadline_to_sleep_time(earlier + 120)
    later = clock.current_time()
    assert (earlier + 120 - later) / rate <= sleep <= 120 / rate


def test_a_past_deadline_needs_no_sleep() -> None:
    """A deadline that is over gives a negative time, which trio takes for none."""
    clock = RateClock(24)
    assert clock.deadline_to_sleep_time(-1.0) < 0


def test_no_deadline_is_never() -> None:
    """An infinite deadline stays infinite at any rate."""
    assert RateClock(24).deadline_to_sleep_time(math.inf) == math.inf


def test_trio_runs_on_it() -> None:
    """Trio's own time is lab time, and a sleep is never shorter than asked for."""
    clock = RateClock(10_000)

    async def sleep() -> tuple[float, float]:
        started = trio.current_time()
        await trio.sleep(60)
        return started, trio.current_time()

    started, ended = trio.run(sleep, clock=clock)
    assert ended - started >= 60
    assert ended <= clock.current_time()


def test_lab_time_outside_of_a_lab():
    """Before and after a lab runs it is no time at all; in it, the lab's."""

    async def now() -> tuple[float, float]:
        return lab_time(), trio.current_time()

    told, own = trio.run(now, clock=RateClock(60))
    assert 0 < told <= own
    assert lab_time() == 0
