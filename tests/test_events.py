"""The stream of facts: frozen, small, and built only for those who want it."""

from __future__ import annotations

import dataclasses
from operator import attrgetter

import pytest

from tlslab import events
from tlslab.events import ALL, ContinueSent, Event, HelloRequestSent
from tlslab.recorder import Recorder


@pytest.mark.parametrize("kind", sorted(ALL, key=attrgetter("__name__")))
def test_every_event_is_slotted_hashable_and_described(kind):
    """Readers share events, thousands of them are held, and the documentation is made from them."""
    names = [field.name for field in dataclasses.fields(kind)]
    event = kind(*range(len(names)))
    assert names[:3] == ["at", "connection", "binding"]
    assert not hasattr(event, "__dict__")
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what dataclass writes where nobody did
    assert {event, kind(*range(len(names)))} == {event}


def test_mypy_lets_nobody_change_an_event():
    """It takes them for frozen, or it would call the comment below unused."""
    event = HelloRequestSent(1.0, 1, "")
    event.at = 2.0  # type: ignore[misc]
    assert event.at == 2.0  # Python lets them: what a frozen one costs is said in types.py


def test_all_is_complete():
    """Every event of the module, and not their base."""
    classes = {item for item in vars(events).values() if isinstance(item, type) and issubclass(item, Event)}
    assert classes - {Event} == ALL


class Unbuildable(Event):
    """An event that cannot be made."""

    def __init__(self, *_args, **_details):
        raise AssertionError("nobody wants this event")


def test_nothing_is_built_that_nobody_wants():
    """What no reader asked for costs a look into a set; what one asked for is made."""
    Recorder(1, frozenset())(Unbuildable, 0.0)
    with pytest.raises(AssertionError, match="nobody wants"):
        Recorder(1, frozenset({Unbuildable}))(Unbuildable, 0.0)


def test_an_event_carries_time_connection_and_binding():
    """The time comes with each event, whose it is the recorder knows; all of it is one stream."""
    record = Recorder(7, ALL)
    record(ContinueSent, 1.0, after_certificate=True)
    record.of("site")(HelloRequestSent, 2.5)
    record(HelloRequestSent, 3.0)
    assert record.of("site").take() == [
        ContinueSent(1.0, 7, "", True),
        HelloRequestSent(2.5, 7, "site"),
        HelloRequestSent(3.0, 7, ""),
    ]
    assert record.take() == []


def test_readers_may_come_and_go():
    """`wanted` is looked at each time: a reader that comes late gets what happens from then on."""
    wanted: set[type[Event]] = set()
    record = Recorder(1, wanted)
    record(HelloRequestSent, 1.0)
    assert not record.wants(HelloRequestSent)
    wanted.add(HelloRequestSent)
    assert record.wants(HelloRequestSent)
    record(HelloRequestSent, 1.0)
    assert len(record.take()) == 1
