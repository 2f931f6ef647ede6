"""A pasted text of one line, a traceback, or a whole log: which scenarios it may come from, and by which lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice

from tlslab.symptoms.ranking import Found, Index, best
from tlslab.symptoms.reading import prepared, read
from tlslab.symptoms.vocabulary import INTERESTING

MOST_LINES = 500_000  # what comes behind is not read
_COUNTS = re.compile(r"\d{4,}")
MOST_MESSAGES = 5_000  # different ones; lines that say the same are one
PARAGRAPH = 12  # so few lines are one message, and what stands in two of them belongs together


@dataclass(frozen=True, slots=True)
class FoundInText(Found):
    """The same, and the number of the line that fits best (0: all of them together)."""

    line: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, the likeliest first; how many lines were read, and whether that was all."""

    found: tuple[FoundInText, ...]
    lines: int
    whole: bool


def find(index: Index, lines: Iterable[str]) -> Diagnosis:
    """Find the scenarios that lines of text may come from. The lines may be very many, and very long."""
    source = iter(lines)
    beginning = list(islice(source, PARAGRAPH + 1))
    if len(beginning) <= PARAGRAPH:
        return _find_in_paragraph(index, beginning)
    likeliest: dict[str, FoundInText] = {}
    seen: set[str] = set()
    number = 0
    for number, line in enumerate(chain(beginning, source), 1):
        if number > MOST_LINES or len(seen) > MOST_MESSAGES:
            break
        if INTERESTING.search(line) and (message := _COUNTS.sub("0", prepared(line))) not in seen:
            seen.add(message)
            _keep(likeliest, index.scored(read(line, alone=False)), number)
    return Diagnosis(tuple(best(likeliest.values())), number, number <= MOST_LINES and len(seen) <= MOST_MESSAGES)


def _find_in_paragraph(index: Index, lines: list[str]) -> Diagnosis:
    likeliest: dict[str, FoundInText] = {}
    for number, line in enumerate(lines, 1):
        _keep(likeliest, index.scored(read(line)), number)
    if len(lines) > 1:
        _keep(likeliest, index.scored(read(" ".join(lines))), 0)
    return Diagnosis(tuple(best(likeliest.values())), len(lines), True)


def _keep(likeliest: dict[str, FoundInText], found: Iterable[Found], number: int) -> None:
    for one in found:
        if one.name not in likeliest or one.score > likeliest[one.name].score:
            likeliest[one.name] = FoundInText(one.name, one.score, one.by, one.symptom, number)
