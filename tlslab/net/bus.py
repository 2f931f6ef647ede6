"""Brings events to their readers: evidence loses nothing, watchers are bounded and count what they miss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import trio

from tlslab.events import Event

WATCH_LIMIT = 4096


class Watch:
    """What a watcher reads from. `dropped` counts the events for which there was no room."""

    def __init__(self, limit: int) -> None:
        self._put, self.events = trio.open_memory_channel[Event](limit)
        self.dropped = 0

    def offer(self, event: Event) -> None:
        """Put an event in if there is room."""
        try:
            self._put.send_nowait(event)
        except (trio.WouldBlock, trio.BrokenResourceError):  # full, or nobody reads any more
            self.dropped += 1

    def close(self) -> None:
        """End the stream: the reader gets what is in it, and then its end."""
        self._put.close()


class Bus:
    """Hands each event to those who asked for its type; `wanted` is what a lab need build at all."""

    def __init__(self) -> None:
        self.wanted: set[type[Event]] = set()
        self._readers: defaultdict[type[Event], list[Callable[[Event], None]]] = defaultdict(list)

    def record(self, kinds: Iterable[type[Event]], reader: Callable[[Event], None]) -> None:
        """Call `reader` with every event of these types, at once: evidence."""
        for kind in kinds:
            self._readers[kind].append(reader)
            self.wanted.add(kind)

    def watch(self, kinds: Iterable[type[Event]], limit: int = WATCH_LIMIT) -> Watch:
        """Put events of these types where a reader takes them when it gets to it."""
        watch = Watch(limit)
        self.record(kinds, watch.offer)
        return watch

    def publish(self, events: Iterable[Event]) -> None:
        """Bring events to their readers, in order."""
        for event in events:
            for reader in self._readers[type(event)]:
                reader(event)
