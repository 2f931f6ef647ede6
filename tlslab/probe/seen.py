"""What a probe saw of a server: answers by question, and what follows from them without any guess."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from tlslab.probe.call import HowEnded, Reply
from tlslab.tls.certificates import server_facts_untrusted
from tlslab.tls.context import Protocol
from tlslab.wire.hello import version_name

SUBSTATUS = re.compile(rb"\b([45]\d\d\.\d{1,2})\b")
NAME_PREFIX = 2  # bytes of length before each name (RFC 5246, 7.4.4)
CUT_AT = 16 * 1024  # bytes: Schannel's room for the list (KB933430)


class Fate(StrEnum):
    """What became of an upload."""

    ANSWERED = "answered"
    TOO_LARGE = "413"
    REFUSED = "refused"  # another status than that of the smallest upload
    STUCK = "stuck"  # no answer for as long as the probe waits
    CUT_OFF = "cut off"  # the connection ended without an answer


@dataclass(frozen=True, slots=True)
class TriedUpload:
    """An upload of `size` bytes."""

    size: int
    answer: Reply
    fate: Fate


@dataclass
class Portrait:
    """A server as it was seen; None is what was not asked."""

    host: str
    port: int
    path: str
    server_name: str
    has_identity: bool
    issuers_of_mine: tuple[bytes, ...]
    connections: int = 0
    first: Reply | None = None
    protocols: dict[Protocol, Reply] = field(default_factory=dict)
    suites: list[str] = field(default_factory=list)
    suites_complete: bool = False
    server_prefers: bool | None = None
    alpn: Reply | None = None
    no_name: Reply | None = None
    other_name: Reply | None = None
    bare: dict[Protocol, Reply] = field(default_factory=dict)
    mine: dict[Protocol, Reply] = field(default_factory=dict)
    without_post_handshake: Reply | None = None
    renegotiation: Reply | None = None
    resumed_by_id: bool | None = None
    resumed_by_ticket: bool | None = None
    resumed_in_1_3: bool | None = None
    resumed_after: float | None = None  # seconds after which a session was offered again
    resumed_late: bool | None = None
    ending: Reply | None = None
    malformed: Reply | None = None
    head_taken: int | None = None
    head_refused: int | None = None
    head_answer: Reply | None = None
    uploads: list[TriedUpload] = field(default_factory=list)
    idle: Reply | None = None
    header_wait: Reply | None = None

    @property
    def accepted(self) -> tuple[Protocol, ...]:
        """The versions that it speaks, the oldest first."""
        return tuple(one for one in Protocol if one in self.protocols and self.protocols[one].version == one)

    @property
    def below_1_3(self) -> Protocol | None:
        """The highest of them below TLS 1.3."""
        return max((one for one in self.accepted if one < Protocol.TLS1_3), default=None)

    @property
    def every_answer(self) -> list[Reply]:
        """The answers to requests for the path."""
        return [*self.bare.values(), *self.mine.values()]

    @property
    def asks_in_handshake(self) -> bool:
        """Whether it asks for a certificate when a connection opens."""
        return any(one.asks_in_handshake for one in [*self.every_answer, *self.protocols.values()])

    @property
    def is_answered(self) -> bool:
        """Whether no request for the path was left without an answer for as long as the probe waits."""
        return all(one.end is not HowEnded.PATIENCE for one in self.every_answer)

    @property
    def renegotiates_for_it(self) -> bool:
        """Whether it asks after the request, by a renegotiation."""
        return any(one.asks_after_request and one.hello_requests for one in self.every_answer)

    @property
    def asks_post_handshake(self) -> bool:
        """Whether it asks after the request, as TLS 1.3 does."""
        answers = (both.get(Protocol.TLS1_3) for both in (self.bare, self.mine))
        return any(one is not None and one.asks_after_request for one in answers)

    @property
    def list_names(self) -> tuple[bytes, ...] | None:
        """The issuers that it names, None where it never asked or its list does not parse."""
        found = [asking for one in self.every_answer for asking in one.askings if not asking.flaw]
        return found[0].names if found else None

    @property
    def list_bytes(self) -> int:
        """The list on the wire, without its own length."""
        return sum(NAME_PREFIX + len(name) for name in self.list_names or ())

    @property
    def list_looks_cut(self) -> bool:
        """Whether it ends where one more name would have passed 16 KB: what was left out cannot be seen."""
        names = self.list_names or ()
        room = CUT_AT - self.list_bytes
        return bool(names) and 0 <= room < NAME_PREFIX + max(map(len, names))

    @property
    def lists_mine(self) -> bool | None:
        """Whether an issuer of the client's certificate is named; None without a list or a certificate."""
        if not self.list_names or not self.issuers_of_mine:
            return None
        return bool(set(self.list_names) & set(self.issuers_of_mine))

    @property
    def server_header(self) -> str:
        """What it calls itself, "" where it does not say."""
        answers = (*self.every_answer, self.malformed, self.first)
        names = [one.http.headers.get("server", "") for one in answers if one is not None and one.http]
        return next((name for name in names if name), "")

    @property
    def chain_is_incomplete(self) -> bool:
        """Whether the server sent its own certificate alone, and that is no root and leads nowhere."""
        chain = self.first.chain if self.first else ()
        if len(chain) != 1 or self.first_code not in (20, 21):
            return False
        facts = server_facts_untrusted(chain[0])
        return facts.issuer != facts.subject

    @property
    def first_code(self) -> int:
        """OpenSSL's verdict on the chain."""
        return self.first.verify_code if self.first else 0

    def boundary(self) -> tuple[TriedUpload, TriedUpload] | None:
        """The largest upload that was answered and the smallest larger one that was not."""
        answered = [one for one in self.uploads if one.fate is Fate.ANSWERED]
        largest = max(answered, key=lambda one: one.size, default=None)
        others = [one for one in self.uploads if one.fate is not Fate.ANSWERED and largest and one.size > largest.size]
        return (largest, min(others, key=lambda one: one.size)) if largest and others else None


def status_text(answer: Reply | None) -> str:
    """What an answer comes to: `403.7`, `200`, or how the connection ended instead."""
    if answer is None:
        return "not asked"
    if answer.http is None:
        return ends_in_words(answer)
    found = SUBSTATUS.search(answer.http.content)
    status = str(answer.http.status)
    if found and found[1].decode().startswith(status):
        return found[1].decode().removesuffix(".0")
    return status


def ends_in_words(answer: Reply) -> str:
    """How a connection ended, in a few words."""
    return {
        HowEnded.LEFT: "nothing came",
        HowEnded.CLOSE_NOTIFY: "closed with close_notify",
        HowEnded.FIN: "closed without close_notify" if answer.established else "closed in the handshake",
        HowEnded.RESET: "reset" if answer.established else "reset in the handshake",
        HowEnded.ALERT: f"alert {answer.alert}",
        HowEnded.TLS_FAILED: f"TLS failed: {answer.detail}",
        HowEnded.NOT_TLS: "not TLS",
        HowEnded.PATIENCE: "no answer",
    }[answer.end]


def protocols_text(protocols: tuple[Protocol, ...]) -> str:
    """Name versions: `TLS 1.2, TLS 1.3`."""
    return ", ".join(version_name(one) for one in protocols) or "none"
