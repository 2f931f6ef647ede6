"""The bus: evidence is complete, watchers are bounded and count."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from tlslab.events import ALL, ConnectionClosed, ConnectionOpened, EntityBodyReceived, Event, HelloRequestSent
from tlslab.net.bus import MOST_TOGETHER, Bus
from tlslab.types import ConnectionEnd

OPENED = [ConnectionOpened(0.0, number, "", "peer", "local") for number in range(100)]


def test_evidence_gets_every_event_at_once_and_in_order() -> None:
    """A recording reader has every event when `publish` returns."""
    bus, got = Bus(), list[Event]()
    bus.record([ConnectionOpened], got.append)
    bus.publish(OPENED)
    assert got == OPENED


def test_a_reader_of_steps_gets_all_of_a_step_in_one_call() -> None:
    """Whatever the types, and before those who read one event at a time: evidence comes first."""
    bus, got = Bus(), list[object]()
    bus.record([ConnectionOpened], got.append)
    bus.record_steps(got.append)
    step = [OPENED[0], HelloRequestSent(1.0, 1, "")]
    bus.publish(iter(step))
    bus.publish(step[1:])
    assert got == [step, OPENED[0], step[1:]]
    assert bus.wanted == ALL


def test_what_costs_something_a_call_waits_for_the_end_of_a_turn() -> None:
    """Steps come together then, and what was left for later is done; who reads each event has had it at once."""
    bus, got = Bus(), list[object]()
    bus.record([ConnectionOpened], got.append)
    bus.record_steps(got.append)
    with bus.turn():
        bus.publish(OPENED[:1])
        bus.later(lambda: got.append("later"))
        bus.publish(OPENED[1:2])
        assert (got, bus.is_behind) == (OPENED[:2], True)
    assert (got, bus.is_behind) == ([*OPENED[:2], OPENED[:2], "later"], False)
    bus.later(lambda: got.append("now"))
    assert got[-1] == "now"


def test_a_turn_is_caught_up_with_in_its_middle_too() -> None:
    """Before the lab waits within one, whatever is left over then too, and when very many events have come."""
    bus, got = Bus(), list[int]()
    bus.record_steps(lambda events: got.append(len(events)))
    with bus.turn():
        bus.publish(OPENED)
        bus.later(lambda: bus.later(lambda: got.append(0)))
        bus.catch_up()
        assert (got, bus.is_behind) == ([100, 0], False)
        got.pop()
        for _ in range(MOST_TOGETHER // 100):
            bus.publish(OPENED)
        assert got == [100]
        bus.publish(OPENED)
        assert got == [100, MOST_TOGETHER + 100]


def test_a_turn_that_fails_has_told_what_happened() -> None:
    """Whatever ended it."""
    bus, got = Bus(), list[Event]()
    bus.record_steps(got.extend)

    def fail() -> None:
        with bus.turn():
            bus.publish(OPENED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert got == OPENED


def test_a_reader_gets_what_it_asked_for_and_no_more() -> None:
    """An event goes to the readers of its type."""
    bus, opened, closed = Bus(), list[Event](), list[Event]()
    bus.record([ConnectionOpened], opened.append)
    bus.record([HelloRequestSent, ConnectionClosed], closed.append)
    left = ConnectionClosed(1.0, 1, "", ConnectionEnd.CLOSED, 1.0)
    bus.publish([OPENED[0], left, EntityBodyReceived(1.0, 1, "", 0)])
    assert (opened, closed) == ([OPENED[0]], [left])


def test_wanted_is_what_somebody_reads() -> None:
    """The types that a lab need build at all are those asked for, by evidence or by watchers."""
    bus = Bus()
    assert bus.wanted == set()
    wanted = bus.wanted
    bus.record([ConnectionOpened], lambda _event: None)
    bus.watch([HelloRequestSent])
    assert wanted == {ConnectionOpened, HelloRequestSent}


async def test_a_watcher_that_keeps_up_gets_everything() -> None:
    """What was published is there to take, once, and who waits for more is woken by it."""
    bus, got = Bus(), list[Event]()
    watch = bus.watch([ConnectionOpened])

    async def read() -> None:
        while len(got) < len(OPENED):
            await watch.wait()
            got.extend(watch.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for first in range(0, len(OPENED), 10):
            bus.publish(OPENED[first : first + 10])
            await trio.testing.wait_all_tasks_blocked()
    assert got == OPENED
    assert (watch.take(), watch.dropped) == ([], 0)


async def test_a_watcher_without_room_drops_and_counts() -> None:
    """A watcher that does not read keeps the first events, counts the others, and holds up nobody."""
    bus, evidence = Bus(), list[Event]()
    watch = bus.watch([ConnectionOpened], limit=10)
    bus.record([ConnectionOpened], evidence.append)
    bus.publish(OPENED)
    assert watch.dropped == 90
    assert evidence == OPENED
    await watch.wait()
    assert watch.take() == OPENED[:10]


async def test_a_watcher_that_reads_again_gets_what_comes_then() -> None:
    """Dropping is no end: there is room again once something was read."""
    bus = Bus()
    watch = bus.watch([ConnectionOpened], limit=1)
    bus.publish(OPENED[:2])
    assert watch.take() == OPENED[:1]
    bus.publish(OPENED[2:3])
    await watch.wait()
    assert watch.take() == OPENED[2:3]
    assert watch.dropped == 1
    assert (watch.missed(), watch.missed()) == (1, 0)
