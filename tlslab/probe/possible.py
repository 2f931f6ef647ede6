"""Which failures of the catalogue a server can show, by what was seen of it; nothing is said of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlslab.probe.call import HowEnded
from tlslab.probe.findings import Sureness
from tlslab.probe.seen import Fate, Portrait
from tlslab.tls.context import Protocol


@dataclass(frozen=True, slots=True)
class Possible:
    """A scenario that the server can show (`can`), or cannot, and the reason."""

    scenario: str
    can: bool
    why: str
    certainty: Sureness = Sureness.SEEN


def possible(seen: Portrait) -> list[Possible]:
    """What follows, the certain first; a scenario of which nothing was seen is left out."""
    parts = (_asking(seen), _uploads(seen), _issuers(seen), _names(seen), _sessions(seen), _ending(seen))
    found = [one for part in parts for one in part]
    return sorted(found, key=lambda one: (not one.can, one.certainty is not Sureness.SEEN))


def _asking(seen: Portrait) -> Iterator[Possible]:
    if seen.renegotiates_for_it:
        why = "it asks by a renegotiation, and some clients refuse or ignore one"
        yield Possible("post-request-renegotiation", True, why)
    elif seen.every_answer and seen.below_1_3 is not None:
        why = f"it does not renegotiate for GET {seen.path}"
        certainty = Sureness.SEEN if seen.is_answered else Sureness.INFERRED
        yield Possible("post-request-renegotiation", False, why, certainty)
    if Protocol.TLS1_3 in seen.accepted and (seen.renegotiates_for_it or seen.asks_post_handshake):
        why = "it wants a certificate after the request, and TLS 1.3 knows no renegotiation"
        yield Possible("tls13-certificate-on-demand", True, why)
    elif Protocol.TLS1_3 not in seen.accepted:
        yield Possible("tls13-certificate-on-demand", False, "it speaks no TLS 1.3")


def _uploads(seen: Portrait) -> Iterator[Possible]:
    asks_later = seen.renegotiates_for_it or seen.asks_post_handshake
    if seen.every_answer and not asks_later:
        why = f"it asks for nothing after GET {seen.path}, so no answer can stand behind an upload"
        yield Possible("large-post-deadlock", False, why, Sureness.INFERRED)
        return
    fates = {one.fate for one in seen.uploads}
    if asks_later and Fate.STUCK in fates:
        yield Possible("large-post-deadlock", True, "an upload got stuck where it asks for a certificate")
    elif asks_later and not seen.uploads:
        why = "it asks after the request; whether it reads on meanwhile, --upload would see"
        yield Possible("large-post-deadlock", True, why, Sureness.INFERRED)
    if asks_later and Fate.TOO_LARGE in fates:
        yield Possible("upload-read-ahead-413", True, "an upload got 413 where it asks for a certificate")


def _issuers(seen: Portrait) -> Iterator[Possible]:
    if seen.list_looks_cut:
        yield Possible("ca-list-truncation", True, "its list ends just below 16 KB", Sureness.INFERRED)
    elif seen.list_names is not None:
        yield Possible("ca-list-truncation", False, "its list of issuers is far from 16 KB, or empty")


def _names(seen: Portrait) -> Iterator[Possible]:
    if seen.no_name is not None:
        fails = not seen.no_name.version
        why = "without a server name there is no handshake" if fails else "it answers without a server name, too"
        yield Possible("sni-missing", fails, why)
    if seen.chain_is_incomplete:
        why = "it sent its certificate alone, and the issuer is not known here"
        yield Possible("server-intermediate-missing", True, why, Sureness.INFERRED)


def _sessions(seen: Portrait) -> Iterator[Possible]:
    known = [one for one in (seen.resumed_by_id, seen.resumed_by_ticket, seen.resumed_in_1_3) if one is not None]
    if known and not any(known):
        yield Possible("session-cache-disabled", True, "no session was resumed, by id or ticket", Sureness.INFERRED)
    elif known:
        yield Possible("session-cache-disabled", False, "it resumes sessions")


def _ending(seen: Portrait) -> Iterator[Possible]:
    if seen.ending is None or seen.ending.http is None or seen.ending.end not in (HowEnded.FIN, HowEnded.CLOSE_NOTIFY):
        return
    bare = seen.ending.end is HowEnded.FIN
    why = "it ends connections without close_notify" if bare else "it says close_notify"
    yield Possible("no-close-notify", bare, why)
