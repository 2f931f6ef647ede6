"""The table of sessions: who is in it, who leaves it, when and why."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.schannel import session_cache
from tlslab.schannel.profiles import PROFILES
from tlslab.schannel.session_cache import KNOBS, Eviction, Hit, Key, Miss, Reason, SessionCache

HOURS_10 = 36_000.0
IDLE = 300.0


class Context:
    """Stands for what issued a session; the table never looks into it."""


HERE = Context()
Table = SessionCache[Context]


def key(number: int) -> Key:
    """The key of a session."""
    return "site", number.to_bytes(4, "big")


def table(maximum: int = 10, lifetime: float = HOURS_10, idle: float | None = None) -> Table:
    """A table that is not too large for a test."""
    return SessionCache(maximum, lifetime, idle)


def filled(count: int, **settings: float) -> Table:
    """A table with the sessions 1 to `count`, one a second."""
    made = table(**settings)  # type: ignore[arg-type]  # the maximum is a whole number
    for number in range(1, count + 1):
        assert made.store(key(number), HERE, float(number)) == []
    return made


def there(cache: Table, now: float) -> list[int]:
    """The sessions that can be resumed, of the first hundred."""
    return [number for number in range(100) if isinstance(cache.lookup(key(number), now), Hit)]


# --- first in, first out ---------------------------------------------------------------------------


def test_the_oldest_leaves() -> None:
    """One more than there is room for: the first goes, and says that there was no room."""
    cache = filled(3, maximum=3)
    assert cache.store(key(4), HERE, 4.0) == [Eviction(key(1), Reason.FIFO, 3.0, 3)]
    assert there(cache, 4.0) == [2, 3, 4]
    assert cache.lookup(key(1), 4.0) == Miss(Reason.FIFO, HERE)


def test_use_moves_nothing() -> None:
    """Not "least recently used": the oldest leaves although nobody else was asked for."""
    cache = filled(3, maximum=3, idle=IDLE)
    for _ in range(5):
        assert cache.lookup(key(1), 3.0) == Hit(HERE)
        cache.touch(key(1), 3.0)
    assert [one.key for one in cache.store(key(4), HERE, 4.0)] == [key(1)]


@pytest.mark.parametrize(
    ("room", "profiles"),
    [
        (10_000, ["windows-server-2003", "windows-server-2003-kb933430"]),
        (
            20_000,
            ["windows-server-2008-r2", "windows-server-2012-r2", "windows-server-2022", "windows-server-2025"],
        ),
    ],
)
def test_the_default_size(room: int, profiles: list[str]) -> None:
    """Entry 10,001 takes session 1 away in Windows Server 2003, entry 20,001 in those that came after."""
    sizes = {name: profile.defaults["schannel.maximum_cache_size"].value for name, profile in PROFILES.items()}
    assert [name for name, size in sizes.items() if size == room] == profiles
    cache = filled(room, maximum=room)
    assert cache.lookup(key(1), HOURS_10 - 1) == Hit(HERE)
    [gone] = cache.store(key(room + 1), HERE, HOURS_10 - 1)
    assert (gone.key, gone.reason, gone.entries) == (key(1), Reason.FIFO, room)
    assert cache.lookup(key(1), HOURS_10 - 1) == Miss(Reason.FIFO, HERE)
    assert cache.lookup(key(2), HOURS_10 - 1) == Hit(HERE)


# --- lifetime --------------------------------------------------------------------------------------


def test_the_lifetime_is_exact() -> None:
    """It is there until the last moment, and not at it, whether or not anybody ticked."""
    cache = filled(1)
    assert cache.lookup(key(1), 36_000.999) == Hit(HERE)
    assert cache.tick(36_000.999) == []
    assert cache.lookup(key(1), 36_001.0) == Miss(Reason.LIFETIME, HERE)
    assert len(cache) == 1
    assert cache.tick(36_001.0) == [Eviction(key(1), Reason.LIFETIME, HOURS_10, 0)]
    assert cache.lookup(key(1), 36_001.0) == Miss(Reason.LIFETIME, HERE)


def test_use_does_not_extend_the_lifetime() -> None:
    """Used every minute for ten hours, it goes as if it had not been."""
    cache = filled(1, idle=IDLE)
    for minute in range(1, 600):
        assert cache.tick(minute * 60.0) == []
        assert cache.lookup(key(1), minute * 60.0) == Hit(HERE)
        cache.touch(key(1), minute * 60.0)
    assert [one.reason for one in cache.tick(HOURS_10 + 1)] == [Reason.LIFETIME]


def test_a_new_session_does_not_push_out_when_an_old_one_is_due() -> None:
    """Who is due leaves first, and for its own reason."""
    cache = filled(2, maximum=2)
    assert cache.store(key(3), HERE, 36_001.0) == [Eviction(key(1), Reason.LIFETIME, HOURS_10, 1)]
    assert there(cache, 36_001.0) == [2, 3]


# --- idle minutes ----------------------------------------------------------------------------------


def test_idle_sessions_are_purged() -> None:
    """Five minutes after the last that happened, to the moment; what is used in between stays."""
    cache = filled(2, idle=IDLE)
    cache.touch(key(1), 200.0)
    assert cache.next_deadline == 302.0
    assert cache.lookup(key(2), 301.999) == Hit(HERE)
    assert cache.lookup(key(2), 302.0) == Miss(Reason.IDLE_PURGE, HERE)
    assert cache.tick(302.0) == [Eviction(key(2), Reason.IDLE_PURGE, IDLE, 1)]
    assert cache.next_deadline == 500.0
    assert cache.tick(500.0) == [Eviction(key(1), Reason.IDLE_PURGE, 499.0, 0)]


def test_looking_is_no_use() -> None:
    """Only `touch` counts: a lookup keeps nothing alive."""
    cache = filled(1, idle=IDLE)
    cache.lookup(key(1), 300.0)
    assert there(cache, 301.0) == []


def test_too_late_to_use() -> None:
    """What is due to leave is not saved by a touch before the tick."""
    cache = filled(1, idle=IDLE)
    cache.touch(key(1), 301.0)
    assert [one.reason for one in cache.tick(301.0)] == [Reason.IDLE_PURGE]
    cache.touch(key(1), 302.0)
    assert cache.next_deadline is None


def test_what_came_first_is_the_reason() -> None:
    """Where both times are over, it is the one that was over first."""
    assert filled(1, idle=IDLE).lookup(key(1), 99_999.0) == Miss(Reason.IDLE_PURGE, HERE)
    assert filled(1, idle=IDLE, lifetime=200.0).lookup(key(1), 99_999.0) == Miss(Reason.LIFETIME, HERE)


def test_in_the_kernel_nothing_idles() -> None:
    """Without idle purge a touch changes nothing, and the lifetime is all there is."""
    cache = filled(1)
    cache.touch(key(1), 10.0)
    assert (cache.purges_idle, cache.next_deadline) == (False, HOURS_10 + 1)
    assert filled(1, idle=IDLE).purges_idle


# --- switched off, forgotten, unknown ----------------------------------------------------------------


@pytest.mark.parametrize(("maximum", "lifetime"), [(0, HOURS_10), (10, 0.0), (0, 0.0)])
def test_either_zero_disables(maximum: int, lifetime: float) -> None:
    """Nothing is kept, nothing leaves, nothing is due; and the table still knows what it did not keep."""
    cache = table(maximum, lifetime, IDLE)
    assert cache.store(key(1), HERE, 0.0) == []
    assert (cache.enabled, len(cache), cache.next_deadline) == (False, 0, None)
    assert cache.lookup(key(1), 0.0) == Miss(Reason.DISABLED, HERE)
    assert cache.lookup(key(2), 0.0) == Miss(Reason.NEVER_ISSUED, None)
    assert cache.tick(1e9) == cache.forget(key(1), Reason.FATAL_ALERT, 0.0) == []


def test_a_fatal_alert_ends_a_session() -> None:
    """It is gone at once, once, and whatever it was due for is no longer due."""
    cache = filled(2, idle=IDLE)
    assert cache.forget(key(1), Reason.FATAL_ALERT, 5.0) == [Eviction(key(1), Reason.FATAL_ALERT, 4.0, 1)]
    assert cache.forget(key(1), Reason.FATAL_ALERT, 6.0) == cache.forget(key(77), Reason.FATAL_ALERT, 6.0) == []
    assert cache.lookup(key(1), 6.0) == Miss(Reason.FATAL_ALERT, HERE)
    assert cache.next_deadline == 302.0


def test_bindings_are_apart() -> None:
    """The same id under another credential is another session."""
    cache = filled(1)
    assert cache.lookup(("other", key(1)[1]), 1.0) == Miss(Reason.NEVER_ISSUED, None)


def test_what_has_left_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table does not grow with those that have left; the oldest of them become strangers."""
    monkeypatch.setattr(session_cache, "REMEMBERED", 5)
    cache = filled(2, maximum=2)
    for number in range(3, 100):
        cache.store(key(number), HERE, float(number))
    reasons = [cache.lookup(key(number), 99.0) for number in range(91, 100)]
    assert reasons == [Miss(Reason.NEVER_ISSUED, None)] * 2 + [Miss(Reason.FIFO, HERE)] * 5 + [Hit(HERE)] * 2


def test_what_has_left_holds_nothing() -> None:
    """The issuer of sessions that are all gone is gone too; that they were issued is still known."""
    cache, issuer = table(maximum=1), Context()
    cache.store(key(1), issuer, 0.0)
    cache.store(key(2), HERE, 0.0)
    gone = weakref.ref(issuer)
    del issuer
    gc.collect()
    assert gone() is None
    assert cache.lookup(key(1), 0.0) == Miss(Reason.FIFO, None)


def test_every_reason_of_the_administrator_has_its_knob() -> None:
    """What nobody can set has none."""
    assert set(Reason) - set(KNOBS) == {
        Reason.DISABLED,  # either of two values
        Reason.FATAL_ALERT,
        Reason.RENEGOTIATION_REFUSED,
        Reason.NEVER_ISSUED,
    }
    assert SessionCache(0, 1.0, None).knob(Reason.DISABLED) == "MaximumCacheSize"
    assert SessionCache(1, 0.0, None).knob(Reason.DISABLED) == "ServerCacheTime"


def test_each_connection_has_an_object_of_its_own():
    """The first that has been idle for five minutes takes the session along, whoever else uses it."""
    cache = table(10, HOURS_10, 300.0)
    cache.store(key(1), HERE, 0.0, by=1)
    cache.touch(key(1), 200.0, by=2)
    assert cache.next_deadline == 300.0
    cache.touch(key(1), 250.0, by=1)
    assert cache.next_deadline == 500.0
    assert cache.tick(499.0) == []
    assert cache.tick(500.0) == [Eviction(key(1), Reason.IDLE_PURGE, 500.0, 0)]
    assert cache.next_deadline is None


# --- against a naive list ----------------------------------------------------------------------------


@dataclass
class Naive:
    """The same rules on a plain list of [number, stored at, used at], by looking at everybody every time."""

    maximum: int
    lifetime: float
    idle: float
    sessions: list[list[float]] = field(default_factory=list)
    left: dict[int, Reason] = field(default_factory=dict)

    def due(self, session: list[float]) -> tuple[float, Reason]:
        """When a session has to leave, and why."""
        return min((session[1] + self.lifetime, Reason.LIFETIME), (session[2] + self.idle, Reason.IDLE_PURGE))

    def purge(self, now: float) -> dict[int, Reason]:
        """Take out who is due."""
        return self.take([(one, self.due(one)[1]) for one in self.sessions if self.due(one)[0] <= now])

    def store(self, number: int, now: float) -> dict[int, Reason]:
        """Put one in."""
        if not self.maximum or not self.lifetime:
            self.left[number] = Reason.DISABLED
            return {}
        gone = self.purge(now)
        self.sessions.append([number, now, now])
        surplus = self.sessions[: max(0, len(self.sessions) - self.maximum)]
        return gone | self.take([(one, Reason.FIFO) for one in surplus])

    def forget(self, number: int, now: float) -> dict[int, Reason]:
        """Take one out."""
        return self.take([(one, Reason.FATAL_ALERT) for one in self.sessions if one[0] == number])

    def touch(self, number: int, now: float) -> None:
        """Use one."""
        for one in self.sessions:
            if one[0] == number and self.due(one)[0] > now:
                one[2] = now

    def take(self, gone: list[tuple[list[float], Reason]]) -> dict[int, Reason]:
        """Remember who left."""
        for one, _ in gone:
            self.sessions.remove(one)
        taken = {int(one[0]): reason for one, reason in gone}
        self.left |= taken
        return taken

    def lookup(self, number: int, now: float) -> Reason | None:
        """None for one that is there."""
        for one in self.sessions:
            if one[0] == number:
                at, reason = self.due(one)
                return reason if at <= now else None
        return self.left.get(number, Reason.NEVER_ISSUED)


def _reasons(evictions: list[Eviction]) -> dict[int, Reason]:
    return {int.from_bytes(one.key[1], "big"): one.reason for one in evictions}


def _jump(cache: Table, naive: Naive, now: float) -> None:
    """At its next deadline, and not a moment before, somebody leaves."""
    at = cache.next_deadline
    assert at == min((naive.due(one)[0] for one in naive.sessions), default=None)
    if at is not None and at > now:
        just_before = now + (at - now) / 2
        assert cache.tick(just_before) == []
        assert _reasons(cache.tick(at)) == naive.purge(at) != {}


ACTIONS = ("store", "store", "store", "touch", "touch", "forget", "tick", "jump")


@given(
    st.integers(0, 4),
    st.sampled_from([0.0, 5.0, 40.0]),
    st.sampled_from([3.0, 10.0, float("inf")]),
    st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(0, 8), st.sampled_from([0.0, 0.0, 0.5, 1.0, 4.0])), max_size=60
    ),
)
def test_it_does_what_a_list_would(
    maximum: int, lifetime: float, idle: float, actions: list[tuple[str, int, float]]
) -> None:
    """Whatever happens in whatever order: the same leave for the same reasons, and at the same moments."""
    cache = table(maximum, lifetime, None if idle == float("inf") else idle)
    naive, now, issued = Naive(maximum, lifetime, idle), 0.0, 0
    for action, which, seconds in actions:
        now += seconds
        number = max(0, issued - which)
        if action == "store":
            issued += 1
            assert _reasons(cache.store(key(issued), HERE, now)) == naive.store(issued, now)
        elif action == "touch":
            cache.touch(key(number), now)
            naive.touch(number, now)
        elif action == "forget":
            assert _reasons(cache.forget(key(number), Reason.FATAL_ALERT, now)) == naive.forget(number, now)
        elif action == "tick":
            assert _reasons(cache.tick(now)) == naive.purge(now)
        else:
            at = cache.next_deadline
            _jump(cache, naive, now)
            now = max(now, at or now)
        _agree(cache, naive, issued, now)


def _agree(cache: Table, naive: Naive, issued: int, now: float) -> None:
    assert len(cache) == len(naive.sessions) <= max(naive.maximum, 0)
    for number in range(issued + 2):
        found = cache.lookup(key(number), now)
        assert (None if isinstance(found, Hit) else found.reason) == naive.lookup(number, now)
