"""What a test expects of the connections of a lab, and how it is told that it was not so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from tlslab.lab.summaries import ConnectionAccount

TLS_ITSELF = (
    "TLS itself was the cause, so the client never got as far as the failure. A client that ends with unknown_ca or "
    "bad_certificate does not trust the lab: give it ca_file."
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be so of one connection; None does not matter. Without `deadlock`, of none."""

    deadlock: bool | None = None
    status: str | None = None
    certificate: str | None = None
    renegotiated: bool | None = None
    resumed: bool | None = None
    why: str | None = None

    def __str__(self) -> str:
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name}={value!r}" for name, value in given if value is not None)


def complaint(expected: Expected, connections: Sequence[ConnectionAccount]) -> str | None:
    """Say why the connections are not what was expected; None where they are."""
    if expected.deadlock is False and any(one.deadlocked for one in connections):
        return _told("an upload deadlocked", connections)
    if any(not list(_differences(expected, one)) for one in connections):
        return None
    if not connections:
        return f"expected {expected}, and nobody connected"
    return _told(f"expected {expected}, and no connection is so", connections)


def _differences(expected: Expected, seen: ConnectionAccount) -> Iterator[str]:
    if expected.deadlock is not None and expected.deadlock is not seen.deadlocked:
        yield "deadlock"
    if expected.status is not None and expected.status not in seen.statuses:
        yield "status"
    if expected.certificate is not None and expected.certificate != name_of(seen.certificate):
        yield "certificate"
    if expected.renegotiated is not None and expected.renegotiated is not seen.renegotiated:
        yield "renegotiated"
    if expected.resumed is not None and expected.resumed is not seen.resumed:
        yield "resumed"
    if expected.why is not None and not seen.why.startswith(expected.why):
        yield "why"


def name_of(subject: str | None) -> str:
    """The identity in a subject: `alice` in `CN=alice`; `none` where there is no certificate."""
    return "none" if subject is None else subject.removeprefix("CN=").split(",")[0]


def _told(what: str, connections: Sequence[ConnectionAccount]) -> str:
    lines = [what, *(f"  {described(one)}" for one in connections)]
    if any(one.failed_in_tls for one in connections):
        lines.append(TLS_ITSELF)
    return "\n".join(lines)


def described(seen: ConnectionAccount) -> str:
    """One connection in a line."""
    answers = [*seen.statuses, *["no answer"] * (len(seen.requests) - len(seen.statuses))]
    asked = ", ".join(f"{request}: {answer}" for request, answer in zip(seen.requests, answers, strict=False))
    marks = [name for name in ("renegotiated", "resumed", "deadlocked") if getattr(seen, name)]
    parts = [asked or "no request", f"certificate {name_of(seen.certificate)}", *marks]
    parts.append(f"{seen.how} ({seen.why or 'the lab ended'})" if seen.how else "still open")
    return f"#{seen.number} {', '.join(parts)}"
