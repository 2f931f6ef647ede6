"""The session cache that Windows keeps once for the machine: who is in it, who leaves it, when and why.

First in, first out, and a maximum lifetime (KB937687, of Windows Server 2003). That a session which is resumed
therefore moves nowhere and lives no longer is an inference, and so is that later versions keep to the same order.
Pure: it is told the time, and what leaves it is returned. What issued a session is kept beside it, opaque here, and
kept no longer than the session.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar
from weakref import ref

IDLE_PURGE_SECONDS = 300.0  # IIS 6 destroys a connection's tracking object after five idle minutes (KB937687)
ENTRY_BYTES = (2 * 1024, 4 * 1024)  # "2-4 KB" of lsass memory for each element (KB937687)
REMEMBERED = 65_536  # ids that have left and are still told from ids that were never here

I = TypeVar("I")  # noqa: E741 - the issuer
Key = tuple[str, bytes]


class Reason(StrEnum):
    """Why a session is not there."""

    FIFO = "fifo"
    LIFETIME = "lifetime"
    IDLE_PURGE = "idle_purge"
    FATAL_ALERT = "fatal_alert"
    RENEGOTIATION_REFUSED = "renegotiation_refused"  # the lab's own: OpenSSL drops it then; Windows is unverified
    NO_CLOSE_NOTIFY = "no_close_notify"
    DISABLED = "disabled"
    NEVER_ISSUED = "never_issued"


# The value that would have changed it, by its Windows name.
KNOBS = {
    Reason.FIFO: "MaximumCacheSize",
    Reason.LIFETIME: "ServerCacheTime",
    Reason.IDLE_PURGE: "EnableKernelSSL",
    Reason.NO_CLOSE_NOTIFY: "EnableSslCloseNotify",
}


@dataclass(frozen=True, slots=True)
class Hit(Generic[I]):
    """The session is there; `issuer` issued it."""

    issuer: I


@dataclass(frozen=True, slots=True)
class Miss(Generic[I]):
    """The session is not there; `issuer` issued it once, None where nobody did who is still here."""

    reason: Reason
    issuer: I | None


@dataclass(frozen=True, slots=True)
class Eviction:
    """A session left the cache."""

    key: Key
    reason: Reason
    age_seconds: float
    entries: int


@dataclass(slots=True)
class _Entry(Generic[I]):
    issuer: I
    stored_at: float
    idle_since: OrderedDict[int, float] = field(default_factory=OrderedDict)  # by connection, the longest idle first


class SessionCache(Generic[I]):
    """The table. A key is a credential's name and a session id.

    `maximum` and `lifetime_seconds` of 0 disable it; `idle_seconds` is None where idle connections purge nothing.
    While `purges_idle`, `touch` has to be called for what happens on a connection.
    """

    def __init__(self, maximum: int, lifetime_seconds: float, idle_seconds: float | None) -> None:
        self._maximum = maximum
        self._lifetime = lifetime_seconds
        self._idle = idle_seconds
        self.purges_idle = idle_seconds is not None
        self._entries: OrderedDict[Key, _Entry[I]] = OrderedDict()
        self._objects: OrderedDict[tuple[int, Key], float] = OrderedDict()  # of connections, the longest idle first
        self._gone: OrderedDict[Key, tuple[Reason, ref[I]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def enabled(self) -> bool:
        """Whether sessions are kept at all."""
        return self._maximum > 0 and self._lifetime > 0

    def knob(self, reason: Reason) -> str:
        """The registry value behind a reason, by its Windows name; "" where there is none."""
        if reason is Reason.DISABLED:
            values = {"MaximumCacheSize": self._maximum, "ServerCacheTime": self._lifetime}
            return ", ".join(name for name, value in values.items() if not value)
        return KNOBS.get(reason, "")

    def lookup(self, key: Key, now: float) -> Hit[I] | Miss[I]:
        """Say whether a session can be resumed; what is due to leave is no longer there, even before `tick`."""
        entry = self._entries.get(key)
        if entry is not None:
            due = self._due(entry, now)
            return Hit(entry.issuer) if due is None else Miss(due, entry.issuer)
        if key in self._gone:
            reason, issuer = self._gone[key]
            return Miss(reason, issuer())
        return Miss(Reason.NEVER_ISSUED, None)

    def store(self, key: Key, issuer: I, now: float, by: int = 0) -> list[Eviction]:
        """Take in a new session of the connection `by`, and say who had to leave for it."""
        if not self.enabled:
            self._remember(key, Reason.DISABLED, issuer)
            return []
        evictions = self.tick(now)
        self._entries[key] = _Entry(issuer, now)
        self.touch(key, now, by)
        while len(self._entries) > self._maximum:
            evictions.append(self._evict(next(iter(self._entries)), Reason.FIFO, now))
        return evictions

    def touch(self, key: Key, now: float, by: int = 0) -> None:
        """Something happened on the connection `by`, which uses this session; what is due to leave is not saved by it.

        Each connection has an object of its own, and the first of them that goes takes the session along.
        """
        entry = self._entries.get(key)
        if self._idle is None or entry is None or self._due(entry, now) is not None:
            return
        entry.idle_since[by] = self._objects[by, key] = now
        entry.idle_since.move_to_end(by)
        self._objects.move_to_end((by, key))

    def forget(self, key: Key, reason: Reason, now: float) -> list[Eviction]:
        """A connection of this session failed: it must not be resumed (for a fatal alert: RFC 5246, 7.2.2)."""
        return [self._evict(key, reason, now)] if key in self._entries else []

    def tick(self, now: float) -> list[Eviction]:
        """Let those leave whose time has come."""
        evictions: list[Eviction] = []
        for front in (self._oldest, self._longest_idle):
            while (key := front()) is not None and (reason := self._due(self._entries[key], now)) is not None:
                evictions.append(self._evict(key, reason, now))
        return evictions

    def _oldest(self) -> Key | None:
        return next(iter(self._entries), None)

    def _longest_idle(self) -> Key | None:
        return next((key for _, key in self._objects), None)

    @property
    def next_deadline(self) -> float | None:
        """When the next one has to leave; None while that cannot be said."""
        deadlines = []
        if self._entries:
            deadlines.append(next(iter(self._entries.values())).stored_at + self._lifetime)
        if self._objects and self._idle is not None:
            deadlines.append(next(iter(self._objects.values())) + self._idle)
        return min(deadlines, default=None)

    def _due(self, entry: _Entry[I], now: float) -> Reason | None:
        """Why an entry has to leave now: what came first, where both have come."""
        due = [(entry.stored_at + self._lifetime, Reason.LIFETIME)]
        if self._idle is not None and entry.idle_since:
            due.append((next(iter(entry.idle_since.values())) + self._idle, Reason.IDLE_PURGE))
        at, reason = min(due)
        return reason if now >= at else None

    def _evict(self, key: Key, reason: Reason, now: float) -> Eviction:
        entry = self._entries.pop(key)
        for by in entry.idle_since:
            del self._objects[by, key]
        self._remember(key, reason, entry.issuer)
        return Eviction(key, reason, now - entry.stored_at, len(self._entries))

    def _remember(self, key: Key, reason: Reason, issuer: I) -> None:
        self._gone[key] = reason, ref(issuer)
        if len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
