"""Brings events to their readers: evidence loses nothing, watchers are bounded and count what they miss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import trio

from tlslab.events import ALL, Event

WATCH_LIMIT = 4096


class Watch:
    """Keeps events for a watcher, up to a limit. `dropped` counts those for which there was no room.

    It is a list and a wake-up for the first of them, for a channel of trio's costs three times as much an event.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: list[Event] = []
        self._some = trio.Event()
        self.dropped = 0
        self._said = 0  # of those

    def offer(self, event: Event) -> None:
        """Put an event in if there is room."""
        if len(self._events) >= self._limit:
            self.dropped += 1
            return
        if not self._events:
            self._some.set()
        self._events.append(event)

    async def wait(self) -> None:
        """Return when there is something to take."""
        await self._some.wait()

    def take(self) -> list[Event]:
        """Give away what there is, in order."""
        taken, self._events, self._some = self._events, [], trio.Event()
        return taken

    def missed(self) -> int:
        """How many were dropped since this was last asked: they came behind those that are taken now."""
        missed, self._said = self.dropped - self._said, self.dropped
        return missed


class Bus:
    """Hands each event to those who asked for its type; `wanted` is what a lab need build at all."""

    def __init__(self) -> None:
        self.wanted: set[type[Event]] = set()
        self._readers: defaultdict[type[Event], list[Callable[[Event], None]]] = defaultdict(list)
        self._step_readers: list[Callable[[list[Event]], None]] = []

    def record(self, kinds: Iterable[type[Event]], reader: Callable[[Event], None]) -> None:
        """Call `reader` with every event of these types, at once: evidence."""
        for kind in kinds:
            self._readers[kind].append(reader)
            self.wanted.add(kind)

    def record_steps(self, reader: Callable[[list[Event]], None]) -> None:
        """Call `reader` with all events of a step, whatever their types, at once: evidence that costs something a call.

        A step is what one call of `publish` brings.
        """
        self._step_readers.append(reader)
        self.wanted |= ALL

    def watch(self, kinds: Iterable[type[Event]], limit: int = WATCH_LIMIT) -> Watch:
        """Put events of these types where a reader takes them when it gets to it."""
        watch = Watch(limit)
        self.record(kinds, watch.offer)
        return watch

    def publish(self, events: Iterable[Event]) -> None:
        """Bring events to their readers, in order."""
        step = list(events)
        for step_reader in self._step_readers:
            step_reader(step)
        for event in step:
            for reader in self._readers[type(event)]:
                reader(event)
