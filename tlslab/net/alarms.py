"""When each of many is to be looked at again."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

STALE = 64  # entries that are kept for nothing before the heap is built anew


class Alarms:
    """For each key a moment, in lab time: the earliest that was set since it was `due` or forgotten.

    A connection's deadline moves back with all that happens on it. So an alarm is only ever put forward: one that is
    early finds nothing to do, and is set anew. Keys, not connections, are what the heap keeps.
    `at` is what is set, by key: to be read only.
    """

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    @property
    def next(self) -> float:
        """When the first is due; infinity where there is none. It may be early."""
        return self._heap[0][0] if self._heap else float("inf")

    def set(self, key: int, at: float) -> None:
        """Look at `key` at that moment, or before."""
        before = self.at.get(key)
        if before is None or at < before:
            self.at[key] = at
            heappush(self._heap, (at, key))

    def forget(self, key: int) -> None:
        """Do not look at `key` any more."""
        self.at.pop(key, None)
        if len(self._heap) > 2 * len(self.at) + STALE:
            self._heap = [(at, key) for key, at in self.at.items()]
            heapify(self._heap)

    def due(self, now: float) -> list[int]:
        """Give away the keys whose moment has come, the earliest first; each has no alarm then."""
        keys = []
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            if self.at.get(key) == at:
                del self.at[key]
                keys.append(key)
        return keys
