"""What a text says, whoever wrote it: the signs in it, and the words that are left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tlslab.symptoms.vocabulary import IMPLIES, NUMBERS, ROWS

LONGEST = 2_000  # characters of a line; what comes behind is not looked at, but for the last columns of IIS' log
# A line of IIS' log: the last columns are status, substatus, the error of Windows, and then sizes and times.
_W3C = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?P<all>.*) (?P<codes>[1-5]\d\d \d{1,3} \d{1,10})(?: (?:\d+|-))*\s*$"
)
_NOISE = re.compile(
    r"(?:https?|wss?)://[^\s\"'<>)\]]+"  # addresses, of whatever kind
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\blocalhost(?::\d+)?|\bports? \d+|\bport=\d+"
    r"|(?<![\w:])\[?(?:[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}|::[0-9a-f]{0,4})(?![\w:])\]?(?::\d+)?"
    r"|\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?Z?)?"  # dates and times
    r"|\[?\d\d/\w{3}/\d{4}[:\d. +-]*\]?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"|\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?"  # GUIDs
    # paths, and the line numbers behind them
    r"|(?<!\w)(?:[A-Z]:\\|\.{0,2}/)[\w.@+~-]+(?:[\\/][\w.@+~-]*)*(?:\?[^\s\"']*)?(?::\d+)*"
    r"|\bline \d+|\b\w+\.(?:c|cc|cpp|py|pm|rb|js|cs|java|go|rs)\b(?::?\d+|\(\d+\))?(?::in\b)?|\b0x[0-9a-f]{9,16}\b"
    r"|\b(?:pid|tid|thread)[ =#-]*\d+|\[(?:main|\w*thread[\w-]*|error|warn|info)\]",
    re.IGNORECASE,
)
_QUERY = re.compile(r"%[0-9A-F]{2}|\+(?=[\w(])")
TAKEN = "\0"  # stands where a row took something away: no pattern reaches across it, and what is left of a word is none
_WORD = re.compile(r"(?<![\w\0])(?:[A-Za-z][A-Za-z0-9_]{2,}|\d{4,})(?![\w\0])")
# Words that say nothing here; what a program says of itself among them.
_COMMON = frozenset(
    """
    the and for with that this was were are has have had not but from into than then them they its his her our your you
    can could will would should may might does did been being who what which when where why how all any each every
    one two some more most other such only very too also just now see again there here about after before behind over
    under between same while until although though because yet still
    error errors exception failed failure fail fails server client connection request response http https tls ssl
    com www org net openssl java javax python node system line code file files data host name names
    get got use used using work works worked way
    """.split()  # noqa: SIM905 - eighty quotation marks would be no easier to read
)
_NAME = re.compile(r"[a-z][A-Z]|[A-Za-z]_[A-Za-z]")
_ENDINGS = re.compile(r"(?:ies|es|s|ed|ing|'s)$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says: each sign and each word with the piece of the text that said it.

    `names` are words that are names of something in a program: uploadReadAheadSize, Timer_SslRenegotiation.
    """

    signs: dict[str, str]
    names: dict[str, str]
    words: dict[str, str]


def read(text: str, *, alone: bool = True) -> Reading:
    """Read a line, or a few that belong together. `alone`: it is not of a log, and its bare numbers mean something."""
    rest = prepared(text)
    signs: dict[str, str] = {}
    names = {f"name {word}": piece for word, piece in _words(rest) if _NAME.search(piece)}
    for row, pattern in (*ROWS, *NUMBERS) if alone else ROWS:
        rest = pattern.sub(partial(_take, row, signs), rest)
    return Reading(signs, names, {f"word {word}": piece for word, piece in _words(rest) if not _NAME.search(piece)})


def _take(row: Sequence[str], signs: dict[str, str], match: re.Match[str]) -> str:
    """Note the signs of a row, and take away the piece of text that says them."""
    caught = [group for group in match.groups() if group]
    for name in row:
        piece = ".".join(caught) if name.startswith("{0}") else match.group()
        _add(signs, name.format(*caught) if caught else name, _whole(piece))
    return TAKEN


def _whole(piece: str) -> str:
    """A piece to show: without quotes around it, and with both of its brackets or none."""
    piece = piece.strip(" '\"")
    for opening, closing in ("()", "[]"):
        if piece.count(opening) != piece.count(closing):
            piece = piece.strip(opening + closing) if piece[:1] == opening or piece[-1:] == closing else piece + closing
    return piece


def prepared(text: str) -> str:
    """Leave out what is different each time: addresses, times, paths, line numbers."""
    if columns := _W3C.match(text):
        method = re.search(r" (?:GET|HEAD|POST|PUT|PATCH|OPTIONS) ", columns["all"])
        status, substatus, code = columns["codes"].split()
        return f"w3c {status} {substatus} error {code} {method.group() if method else ''}"
    text = _NOISE.sub(" ", text[:LONGEST])
    return " ".join(_QUERY.sub(" ", text).split())


def _add(signs: dict[str, str], name: str, piece: str) -> None:
    name = name.casefold().removesuffix(".0")
    if name[:1] in "123" and name[:3].isdigit():
        return  # a status that is no failure
    if name.startswith("502."):
        name = "502"  # what comes behind is IIS' own, and says only that a gateway had trouble
    if any(known.startswith(f"{name}.") for known in signs):
        return  # 403 beside 403.7 says nothing more
    signs.setdefault(name, piece)
    for implied in IMPLIES.get(name, "").split():
        signs.setdefault(implied, piece)


def _words(text: str) -> Iterator[tuple[str, str]]:
    for match in _WORD.finditer(text):
        word = match.group().casefold()
        if word not in _COMMON:
            yield (_ENDINGS.sub("", word) if len(word) > 4 else word), match.group()
