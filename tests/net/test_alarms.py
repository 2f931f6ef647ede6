"""Alarms come in order, never late, and a key that is forgotten keeps nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tlslab.net.alarms import STALE, Alarms

Moves = list[tuple[int, int | None]]


def test_the_earliest_counts() -> None:
    """An alarm can be put forward, not back: whoever is early sets it anew."""
    alarms = Alarms()
    alarms.set(1, 10.0)
    alarms.set(2, 5.0)
    alarms.set(1, 3.0)
    alarms.set(2, 20.0)
    assert alarms.next == 3.0
    assert alarms.due(5.0) == [1, 2]
    assert alarms.due(100.0) == []
    alarms.set(2, 20.0)
    assert alarms.due(19.0) == []
    assert alarms.due(20.0) == [2]
    assert alarms.next == float("inf")


def test_what_is_forgotten_is_not_kept() -> None:
    """Thousands of connections that came and went leave no more than a few entries."""
    alarms = Alarms()
    for key in range(10_000):
        alarms.set(key, 120.0 + key)
        alarms.forget(key)
    assert len(alarms._heap) <= STALE
    assert alarms.due(1e9) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 50))), max_size=60))
def test_as_a_table_would(moves: Moves) -> None:
    """Whatever is set and forgotten: what is due is what a plain table says."""
    alarms, table = Alarms(), dict[int, int]()
    for key, at in moves:
        if at is None:
            alarms.forget(key)
            table.pop(key, None)
        else:
            alarms.set(key, at)
            table[key] = min(at, table.get(key, at))
    assert alarms.next <= min(table.values(), default=float("inf"))
    assert sorted(alarms.due(25)) == sorted(key for key, at in table.items() if at <= 25)
