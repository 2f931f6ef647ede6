"""The lab's clock: trio's time, N times as fast."""

from __future__ import annotations

import time

import trio


class RateClock(trio.abc.Clock):
    """Lab time in seconds from the start, running `rate` times as fast as the wall.

    It scales everything trio times, and nothing else: not a client's timers, the kernel's, or a certificate's validity.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self._started = time.perf_counter()

    def start_clock(self) -> None:
        """Begin at 0 (trio calls this)."""
        self._started = time.perf_counter()

    def current_time(self) -> float:
        """Lab time now."""
        return (time.perf_counter() - self._started) * self.rate

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Wall seconds until a moment of lab time."""
        return (deadline - self.current_time()) / self.rate


def lab_time() -> float:
    """Lab time now; 0 before a lab runs, and after it."""
    try:
        return trio.current_time()
    except RuntimeError:
        return 0.0
