"""The timeline's sentences about the lab itself, and not about a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlslab import events as e
from tlslab.types import FOR_GOOD, EvidenceEnd, Fault
from tlslab.words.line import Line
from tlslab.words.values import EVIDENCE, HINTS, UNITS, missing, why_ended
from tlslab.words.windows_events import SSTP_CERTIFICATES_DIFFER


def _changed(event: e.LabChanged) -> Line:
    fixes = f"with {' and '.join(event.fixes)}" if event.fixes else "without fixes"
    knobs = f", {', '.join(event.settings)}" if event.settings else ""
    return Line(f"from connection #{event.from_connection} on the lab serves {fixes}{knobs}", "odd")


def _sstp(event: e.SstpCertificatesDiffer) -> Line:
    ipv4, ipv6 = (f"the certificate {name}" if name else "no record" for name in (event.ipv4, event.ipv6))
    missing = "" if event.ipv4 and event.ipv6 else " (that it does so for a missing record is unverified)"
    return Line(
        f"SSTP listens on port {event.port}, where 0.0.0.0 has {ipv4} and [::] has {ipv6}: Windows writes event "
        f"{SSTP_CERTIFICATES_DIFFER.event_id} of {SSTP_CERTIFICATES_DIFFER.source}, at boot, whether or not anybody "
        f"uses IPv6{missing}",
        "bad",
    )


def _evidence_ended(event: e.EvidenceEnded) -> Line:
    what, why = EVIDENCE[event.what], why_ended(event.why, event.detail)
    if event.why in FOR_GOOD:
        return Line(f"{what} ends here, the lab does not: {why}", "bad")
    if event.why == EvidenceEnd.DELETED:
        return Line(f"{what} is gone, and begins anew: {why}", "bad")
    return Line(f"{what} cannot be written for now, the lab goes on and tries again: {why}; {HINTS[event.why]}", "bad")


def _evidence_resumed(event: e.EvidenceResumed) -> Line:
    lost = missing(event.missing, UNITS[event.what]) if event.missing else "nothing is missing"
    return Line(f"{EVIDENCE[event.what]} goes on; {lost}", "odd")


def _fault(event: e.InternalFault) -> Line:
    if event.fault == Fault.SYSTEM:
        return Line(f"the system refused what this connection needs, which ends: {event.detail}", "bad")
    if event.fault == Fault.EVICTED_SESSION_RESUMED:
        what = f"a defect of tlslab, which resumed a session that its table had let go ({event.detail})"
    else:
        what = "a defect of tlslab ended this connection"
    return Line(f"{what}; please report it{':' * bool(event.traceback)}\n{event.traceback}".rstrip(), "bad")


OF_THE_LAB: dict[type[e.Event], Callable[[Any], Line]] = {
    e.LabChanged: _changed,
    e.SstpCertificatesDiffer: _sstp,
    e.EvidenceEnded: _evidence_ended,
    e.EvidenceResumed: _evidence_resumed,
    e.InternalFault: _fault,
}
