"""Brings events to their readers: evidence loses nothing, watchers are bounded and count what they miss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import trio

from tlslab.events import ALL, Event

WATCH_LIMIT = 4096
MOST_TOGETHER = 1_000  # chosen: events that wait for the end of a turn


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
    """Hands each event to those who asked for its type; `wanted` is what a lab need build at all.

    In a `turn` many steps follow one another without a wait. What costs something a call is done once for all of them
    then, at the end or in a `catch_up` before it: so whenever the lab waits, all evidence is where it belongs. Until
    then the bus `is_behind`.
    """

    def __init__(self) -> None:
        self.wanted: set[type[Event]] = set()
        self._readers: defaultdict[type[Event], list[Callable[[Event], None]]] = defaultdict(list)
        self._step_readers: list[Callable[[list[Event]], None]] = []
        self._in_turn = False
        self.is_behind = False
        self._told: list[Event] = []  # to those who read each event, and not yet to those who read steps
        self._acts: list[Callable[[], None]] = []

    def record(self, kinds: Iterable[type[Event]], reader: Callable[[Event], None]) -> None:
        """Call `reader` with every event of these types, at once: evidence."""
        for kind in kinds:
            self._readers[kind].append(reader)
            self.wanted.add(kind)

    def record_steps(self, reader: Callable[[list[Event]], None]) -> None:
        """Call `reader` with all events of a step, whatever their types: evidence that costs something a call.

        A step is what one call of `publish` brings. Those of a turn come together, later than they are recorded.
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
        if self._step_readers:
            self._told += step
            self.is_behind = True
            if not self._in_turn or len(self._told) > MOST_TOGETHER:
                self.catch_up()
        for event in step:
            for reader in self._readers[type(event)]:
                reader(event)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it `later` means later."""
        self._in_turn = True
        try:
            yield
        finally:
            self._in_turn = False
            self.catch_up()

    def later(self, act: Callable[[], None]) -> None:
        """Call `act` before the lab waits: in a turn when that ends, and else at once."""
        if self._in_turn:
            self._acts.append(act)
            self.is_behind = True
        else:
            act()

    def catch_up(self) -> None:
        """Do what was left for later."""
        if told := self._told:
            self._told = []
            for reader in self._step_readers:
                reader(told)
        while self._acts:  # one may leave another
            acts, self._acts = self._acts, []
            for act in acts:
                act()
        self.is_behind = False
