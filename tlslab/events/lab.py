"""What concerns the lab itself: its sessions, its files and its defects."""

from __future__ import annotations

from tlslab import types as t
from tlslab.events.base import Event


@t.frozen_for_mypy
class SessionEvicted(Event):
    """A session left the machine's cache, after `age_seconds`; `entries` remain."""

    session_id: str
    reason: str
    knob: str
    age_seconds: float
    entries: int


@t.frozen_for_mypy
class LabChanged(Event):
    """Somebody turned fixes and knobs: what is on from a connection on; `settings` as --set has them, `PATH=VALUE`."""

    from_connection: int
    fixes: tuple[str, ...]
    settings: tuple[str, ...]


@t.frozen_for_mypy
class SstpCertificatesDiffer(Event):
    """At the lab's start: 0.0.0.0 and [::] have different certificates on SSTP's port; names, "" for no record."""

    port: int
    ipv4: str
    ipv6: str


@t.frozen_for_mypy
class EvidenceEnded(Event):
    """A file of the lab's ends, for good or for a while. `detail` goes with `why`: bytes, or the system's word."""

    what: t.EvidenceFile
    why: t.EvidenceEnd
    detail: str


@t.frozen_for_mypy
class EvidenceResumed(Event):
    """Such a file goes on; `missing` is how many lines (of a capture: packets) are lost at this place."""

    what: t.EvidenceFile
    missing: int


@t.frozen_for_mypy
class InternalFault(Event):
    """A defect of tlslab; an exception ends its connection. `detail` is the fault's, `traceback` for the bug report."""

    fault: t.Fault
    detail: str
    traceback: str
