"""The events of a lab over HTTP: those that are kept, and as they come (server-sent events)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable

import trio

from tlslab.control.labs import ServedLab
from tlslab.events import Event
from tlslab.lab.sinks import event_lines

BATCH = 500  # events that are written at once
HEARTBEAT_SECONDS = 15.0  # chosen: shorter than what proxies take for silence


def numbered(first: int, events: Iterable[Event]) -> str:
    """A line of JSON for each event, with its number as `seq`."""
    lines = event_lines(events).splitlines()
    return "".join(f'{{"seq": {seq}, {line[1:]}\n' for seq, line in enumerate(lines, first))


async def stream(lab: ServedLab, after: int) -> AsyncGenerator[str, None]:
    """Server-sent events from the one behind number `after` on, for as long as somebody reads and the lab runs.

    A reader that is too slow is told how many it has missed; whoever writes the events never waits for it.
    """
    yield "retry: 1000\n\n"
    while True:
        news = lab.news()  # before looking, or what comes in between would be waited for
        first, events = lab.chronicle.events(after, BATCH)
        if events and first > after + 1:
            yield f"event: dropped\ndata: {json.dumps({'missed': first - after - 1})}\n\n"
        if events:
            after = first + len(events) - 1
            lines = event_lines(events).splitlines()
            yield "".join(f"id: {seq}\ndata: {line}\n\n" for seq, line in enumerate(lines, first))
        elif lab.has_ended:
            yield "event: ended\ndata: {}\n\n"
            return
        else:
            with trio.move_on_after(HEARTBEAT_SECONDS) as silence:
                await news.wait()
            if silence.cancelled_caught:
                yield ": still here\n\n"
