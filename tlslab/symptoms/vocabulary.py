"""What text says, as signs: the phrases, ready to be looked for, and how much each sign says.

A sign is what a piece of text says, whoever says it: `reset` is ECONNRESET, 104, "forcibly closed" and "Error in the
pull function". It says nothing about scenarios: which of them has it, their own symptoms say, read with the same
phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from tlslab.symptoms import phrases
from tlslab.symptoms.codes import forms, numbers

PhraseRow = tuple[tuple[str, ...], re.Pattern[str]]


class Weight(IntEnum):
    """How much a sign says."""

    CIRCUMSTANCE = 1  # tells scenarios apart, and finds none by itself
    VAGUE = 2  # something failed
    FAILURE = 4


_VAGUE = ("request-failed", "tls-failed", "502", "503", "504", "curl-28", "curl-35", "curl-52", "curl-55", "curl-56")
_CIRCUMSTANCES = (
    *("handshake", "upload", "answer", "get", "large", "small-works", "minutes", "curl-22", "curl-92"),
    *("browser", "proxy", "works-elsewhere", "client-certificate", "renegotiation", "negotiation-off", "tls13"),
    *(
        "intermediate",
        "expired",
        "renewed",
        "kerberos",
        "preflight",
        "now-and-then",
        "idle-minutes",
        "ten-hours",
        "under-load",
    ),
)
WEIGHTS = dict.fromkeys(_VAGUE, Weight.VAGUE) | dict.fromkeys(_CIRCUMSTANCES, Weight.CIRCUMSTANCE)
# A sign that brings another with it. The numbers are curl's (libcurl-errors) and TLS' (RFC 5246, 7.2).
IMPLIES = {
    "curl-6": "name-not-found",
    "curl-7": "refused",
    "curl-28": "timeout",
    "curl-35": "handshake",
    "curl-52": "closed",
    "curl-55": "upload",
    "curl-60": "server-certificate",
    "unexpected-eof": "closed",
    "alert-100": "no-renegotiation",
}
# What ends before TLS begins no scenario shows, whatever else the text says.
NEVER_CONNECTED = frozenset(("name-not-found", "refused", "connect-timeout", "another-protocol"))
_NOT = r"(?:not?|never|n't|no longer|without|un(?:able|willing) to|missing|isn't)"


def weight(sign: str) -> Weight:
    """How much a sign says; what has no weight of its own is a failure."""
    return WEIGHTS.get(sign, Weight.FAILURE)


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern: case does not matter."""
    return re.compile(pattern, re.IGNORECASE)


def _rows(text: str) -> Iterator[PhraseRow]:
    """Read the headings and what stands below each."""
    for block in re.split(r"^= ", text, flags=re.MULTILINE)[1:]:
        heading, *lines = (line for line in block.splitlines() if line and not line.startswith("# "))
        yield tuple(heading.split()), compiled(_pattern("|".join(lines)))


def _pattern(text: str) -> str:
    text = re.sub(r"@([A-Z]\w+)", lambda code: forms(code[1]), text)
    text = re.sub(r"#([A-Z]\w+)", lambda code: numbers(code[1]), text)
    return text.replace("{not}", _NOT)


ROWS = tuple(_rows(phrases.PHRASES))
NUMBERS = tuple(_rows(phrases.NUMBERS))
INTERESTING = compiled("|".join(phrases.INTERESTING.split("\n")[1:-1]))
