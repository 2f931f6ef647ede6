"""Why a run ended as it did, in sentences: which decisions of its client and of the lab made it so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlslab import events as e
from tlslab.client.choice import Decision, KeptBack
from tlslab.client.https import GAVE_UP, IGNORES, LEFT
from tlslab.client.logbook import Said
from tlslab.text import format_count
from tlslab.verify.probing import Probed
from tlslab.words.timeline import say

MOST = 3  # sentences of the server's
REASONS = {
    KeptBack.ISSUER: "the server names {listed}, and none of them stands above it",
    KeptBack.USAGE: "it is not for clients (extended key usage)",
    KeptBack.DATES: "it is not valid at this date",
    KeptBack.KEY: "its key is not there",
}
DECISIVE = (
    e.NoBindingMatched,
    e.CertificateNotUsable,
    e.IssuerListTruncated,
    e.CertificateUnavailable,
    e.EntityBodyStalled,
    e.ReadAheadExceeded,
    e.RetrievalCancelled,
    e.TimerExpired,
    e.RenegotiationRefused,
    e.SessionEvicted,
    e.SessionNotResumed,
    e.TlsFailed,
    e.BadRequestReceived,
)


def client_decisions(found: Probed) -> Iterator[str]:
    """What the client decided."""
    sentences = [*_choices(found), *_ways(found)]
    events = found.seen.events
    if not sentences and any(isinstance(event, e.HelloRequestSent) for event in events):
        sentences += _unheard(found)
    if not sentences and not any(isinstance(event, e.CertificateRequested) for event in events):
        sentences.append("It was never asked for a certificate.")
    yield from dict.fromkeys(sentences or _plainly(events))


def _unheard(found: Probed) -> Iterator[str]:
    """A question that got no answer, or none that was read."""
    if any(isinstance(event, e.CertificateRequested) for event in found.seen.events):
        return
    if any(one.name == "HelloRequest" and not one.sent for one in found.logbook.passed):
        yield "It answered HelloRequest at once; its ClientHello stands behind what it had written of the body."
    else:
        yield "It never got to read HelloRequest: it reads when all of the body is written, and that has no room."


def _choices(found: Probed) -> Iterator[str]:
    for _, decision in found.logbook.decisions:
        for name, why in decision.kept_back.items():
            yield f"It kept {name} back: {_reason(decision, why)}."
        yield f"It sent {decision.sent}{_listed(decision)}." if decision.sent else "So it had nothing to send."


def _reason(decision: Decision, why: KeptBack) -> str:
    return REASONS[why].format(listed=format_count(decision.listed, "issuer"))


def _listed(decision: Decision) -> str:
    if not decision.listed:
        return ", for the server names no issuer, which allows any"
    return f", whose issuer the server names ({format_count(decision.listed, 'name')} in its list)"


def _ways(found: Probed) -> Iterator[str]:
    passed = [one for one in found.logbook.passed if one.sent]
    ends = [one.name for one in passed if one.what is Said.END]
    requests = sum(one.what is Said.REQUEST for one in passed)
    if any(one.name == "no_renegotiation" for one in passed):
        yield "It refused to renegotiate (alert no_renegotiation, 100)."
    if IGNORES in ends:
        yield "It was asked to renegotiate, did not answer, and left."
    if LEFT in ends:
        yield "It left when it was asked for its certificate, and came back with the answer on a new connection."
    if GAVE_UP in ends:
        yield "Its patience was over."
    if found.kind.choosing is not None and not found.kind.choosing.offers_sessions and len(found.steps) > 1:
        yield "It offers no session id when it comes back."
    if requests - ends.count(LEFT) > len(found.steps):
        yield "Its request was reset, and it sent that once more."


def _plainly(events: Sequence[e.Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, e.ClientCertificateReceived):
            yield f"It sent the certificate of {event.subject.removeprefix('CN=')}, as it was told, when it was asked."
        elif isinstance(event, e.ClientCertificateNotSent):
            yield "It had no certificate to send when it was asked."


def server_decisions(events: Sequence[e.Event]) -> Iterator[str]:
    """What the server decided, as the timeline says it; where nothing stands out, its last answer."""
    told = dict.fromkeys(line.text for event in events if isinstance(event, DECISIVE) and (line := say(event)))
    certificates = [event for event in events if isinstance(event, e.ClientCertificateReceived)]
    untrusted = [line.text for event in certificates if event.verdict != "trusted" and (line := say(event))]
    answers = [line.text for event in events if isinstance(event, e.ResponseSent) and (line := say(event))]
    sentences = list(dict.fromkeys([*list(told)[:MOST], *untrusted, *answers[-1:]]))
    yield from (f"{one[0].upper()}{one[1:]}{'' if one.endswith('.') else '.'}" for one in sentences)
