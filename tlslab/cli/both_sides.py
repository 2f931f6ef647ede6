"""Both sides' ladder of a run: what each side said and when, what of it the other has read, and what each decided.

Its left half is the record of the lab's client, its right half the lab's events; whose turn it was in a silence is what
`trace` says of the same messages in a capture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from tlslab import events as e
from tlslab.client.choice import Decision
from tlslab.client.https import GAVE_UP, IGNORES, LEFT
from tlslab.client.logbook import Logbook, Passed, Said
from tlslab.text import escaped, format_bytes, format_count, format_elapsed, format_status
from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import Piece, PieceKind
from tlslab.trace.progress import Progress
from tlslab.trace.turns import turn
from tlslab.words.timeline import SESSION_REASONS, TLS_FAILURES
from tlslab.words.values import UNAVAILABLE, UNUSABLE

PAUSE = 1.0  # seconds of lab time: as in a trace, a silence is no shorter
PAUSE_ON_THE_WALL = 0.1  # seconds: what a busy machine may take over a message
NO_CERTIFICATE = 64  # bytes: a Certificate message that has one is longer
KINDS = {
    Said.HANDSHAKE: PieceKind.HANDSHAKE,
    Said.ALERT: PieceKind.ALERT,
    Said.REQUEST: PieceKind.REQUEST,
    Said.BODY: PieceKind.BODY,
    Said.RESPONSE: PieceKind.RESPONSE,
    Said.END: PieceKind.FIN,
    Said.RESET: PieceKind.RST,
}
LEAVES = {
    LEFT: "leaves, to come back",
    GAVE_UP: "gives up, and leaves",
    IGNORES: "leaves: it does not renegotiate",
    "": "ends the connection",
}


@dataclass(frozen=True, slots=True)
class Note:
    """What a side did or decided, and no message shows."""

    at: float
    connection: int
    side: Side
    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with who sent it, whether a capture shows its name, and when the other read it; None for never."""

    at: float
    connection: int
    side: Side
    passed: Passed
    is_encrypted: bool
    read_at: float | None


@dataclass(frozen=True, slots=True)
class Rung:
    """A line of the ladder: messages that one side sent together, a note, or a silence (`side` None)."""

    at: float
    connection: int
    side: Side | None
    text: str
    mark: str = ""
    is_message: bool = False
    is_read: bool = True
    messages: tuple[Sent, ...] = ()


def ladder(logbook: Logbook, events: Sequence[e.Event], speed: float) -> list[Rung]:
    """Put a run's two sides side by side, in the order of lab time."""
    pause = max(PAUSE, PAUSE_ON_THE_WALL * speed)
    numbers = _numbers(events)
    shown = {one.connection for one in logbook.passed}
    heard, said = _server(events, numbers)
    sent = _all_sent(logbook.passed, heard, said, shown)
    notes = [one for one in _notes(events, numbers) if one.connection in shown or not one.connection]
    decided = list(_decisions(logbook, sent))
    items: list[Sent | Note] = [*decided, *sent, *notes, *_others(events, numbers, shown)]
    items.sort(key=lambda one: (one.at, isinstance(one, Note) and one.side is Side.SERVER))
    return list(_with_silences(list(_rungs(items, pause)), sent, pause))


def text_of(one: Sent) -> str:
    """Name a message; in brackets what is encrypted on the wire, and so has no name in a capture without keys."""
    passed = one.passed
    match passed.what:
        case Said.HANDSHAKE:
            is_empty = passed.name == "Certificate" and passed.size < NO_CERTIFICATE
            text = f"empty {passed.name}" if is_empty else passed.name
        case Said.ALERT:
            text = f"alert {passed.name}"
        case Said.REQUEST:
            text = escaped(passed.name) + (", Expect: 100-continue" if passed.waits else "")
        case Said.BODY:
            text = f"{format_bytes(passed.size)} of body"
        case Said.RESPONSE:
            text = f"answer {passed.name}"
        case Said.END:
            text = LEAVES[passed.name]
        case _:
            text = "RESETS the connection"
    return f"[{text}]" if one.is_encrypted else text


# --- from the lab's events ------------------------------------------------------------------------------------


def _numbers(events: Iterable[e.Event]) -> dict[int, int]:
    """The lab's numbers of connections, by the order in which they came: the client counts them so."""
    opened = (event.connection for event in events if isinstance(event, e.ConnectionOpened))
    return {connection: number for number, connection in enumerate(opened, 1)}


def _server(events: Iterable[e.Event], numbers: dict[int, int]) -> tuple[list[Passed], list[Passed]]:
    """What the lab heard, and what it said."""
    passed = [one for event in events if (one := _passed(event, numbers.get(event.connection, 0)))]
    return [one for one in passed if not one.sent], [one for one in passed if one.sent]


def _passed(event: e.Event, number: int) -> Passed | None:
    match event:
        case e.HandshakeMessage(direction=direction, name=name, length=length):
            return Passed(event.at, number, direction == "sent", Said.HANDSHAKE, name, length)
        case e.AlertReceived(description=name):
            return Passed(event.at, number, False, Said.ALERT, name)
        case e.AlertSent(description=name):
            return Passed(event.at, number, True, Said.ALERT, name)
        case e.RequestReceived(method=method, target=target):
            return Passed(event.at, number, False, Said.REQUEST, f"{method} {target}")
        case e.EntityBodyReceived(length=length):
            return Passed(event.at, number, False, Said.BODY, size=length)
        case e.ContinueSent():
            return Passed(event.at, number, True, Said.RESPONSE, "100")
        case e.ResponseSent(status=status, substatus=substatus):
            return Passed(event.at, number, True, Said.RESPONSE, format_status(status, substatus))
        case e.PeerClosed():
            return Passed(event.at, number, False, Said.END)
    return None


def _all_sent(client: Sequence[Passed], heard: Sequence[Passed], said: Sequence[Passed], shown: set[int]) -> list[Sent]:
    """Every message of both sides, each with when the other read it."""
    mine = [one for one in client if one.sent]
    theirs = [one for one in said if one.connection in shown]
    # The server's own end is told when all is over; when it came is what its client heard.
    theirs += [replace(one, sent=True) for one in client if not one.sent and one.what in (Said.END, Said.RESET)]
    pairs = [(Side.CLIENT, one, at) for one, at in _read(mine, heard)]
    pairs += [(Side.SERVER, one, at) for one, at in _read(theirs, [one for one in client if not one.sent])]
    pairs.sort(key=lambda pair: pair[1].at)
    dark = _Secrecy()
    return [Sent(one.at, one.connection, side, one, dark.take(one), at) for side, one, at in pairs]


def _read(sent: Sequence[Passed], heard: Sequence[Passed]) -> Iterator[tuple[Passed, float | None]]:
    """Each message with when it was read: the first of that name on its connection that is not taken yet."""
    waiting = list(heard)
    for one in sent:
        found = next((other for other in waiting if _is_same(one, other)), None)
        if found is not None and one.what is not Said.BODY:
            waiting.remove(found)
        yield one, None if found is None else found.at


def _is_same(sent: Passed, heard: Passed) -> bool:
    if (sent.connection, sent.what) != (heard.connection, heard.what):
        return False
    return sent.name == heard.name or sent.what in (Said.END, Said.BODY)


class _Secrecy:
    """Which handshake messages and alerts are encrypted on the wire, as they come."""

    def __init__(self) -> None:
        self._finished: dict[int, int] = {}
        self._tls13: set[int] = set()

    def take(self, one: Passed) -> bool:
        """Whether this one is."""
        if one.what not in (Said.HANDSHAKE, Said.ALERT):
            return False
        if one.name == "EncryptedExtensions":
            self._tls13.add(one.connection)
        finished = self._finished.get(one.connection, 0)
        self._finished[one.connection] = finished + (one.name == "Finished")
        return one.name in ("Finished", "HelloRequest") or finished > 1 or one.connection in self._tls13


# --- what each side decided -----------------------------------------------------------------------------------

_SERVER: dict[type[e.Event], Callable[[Any], tuple[str, str] | None]] = {
    e.NoBindingMatched: lambda _: ("has no record for it", "bad"),
    e.CertificateNotUsable: lambda event: (f"its record {UNUSABLE[event.why]}", "bad"),
    e.IssuerListTruncated: lambda event: (
        f"the list is CUT: {len(event.sent)} of {len(event.sent) + len(event.dropped)} issuers fit in",
        "bad",
    ),
    e.CertificateRequested: lambda event: (
        f"wants a certificate, names {format_count(len(event.issuers), 'issuer') if event.issuers else 'no issuer'}",
        "",
    ),
    e.ClientCertificateReceived: lambda event: (
        f"has the certificate of {event.subject}" + _unless_trusted(event.verdict),
        "good" if event.verdict == "trusted" else "bad",
    ),
    e.ClientCertificateNotSent: lambda _: ("gets no certificate", "odd"),
    e.CertificateUnavailable: lambda event: (f"cannot ask for it: {UNAVAILABLE[event.reason]}", "bad"),
    e.EntityBodyStalled: lambda event: (
        f"STUCK: has {format_bytes(event.body_buffered)} of the body and reads no more",
        "bad",
    ),
    e.EntityBodyResumed: lambda _: ("reads the body again", "good"),
    e.ReadAheadExceeded: lambda event: (f"reads {format_bytes(event.size_bytes)} ahead, and there is more", "bad"),
    e.RetrievalCancelled: lambda event: (f"gives up: more than {format_bytes(event.max_bytes)} of body", "bad"),
    e.TimerExpired: lambda event: (f"timer {event.timer} ran out", "bad"),
    e.HttpErrLogged: lambda event: (f"HTTPERR: {event.reason}", "bad"),
    e.BadRequestReceived: lambda event: (f"no request that it can serve: {event.detail}", "bad"),
    e.TlsFailed: lambda event: (f"TLS failed: {TLS_FAILURES.get(event.kind, event.detail)}", "bad"),
    e.SessionResumed: lambda _: ("knows the session", "good"),
    e.SessionNotResumed: lambda event: (f"does not know the session: {SESSION_REASONS[event.reason]}", "bad"),
    e.SessionEvicted: lambda event: (f"lets a session go: {SESSION_REASONS[event.reason]}", "odd"),
}


def _unless_trusted(verdict: str) -> str:
    return "" if verdict == "trusted" else f": {verdict.replace('_', ' ')}"


def _notes(events: Iterable[e.Event], numbers: dict[int, int]) -> Iterator[Note]:
    for event in events:
        say = _SERVER.get(type(event))
        told = say(event) if say else None
        if told is not None:
            number = 0 if isinstance(event, e.SessionEvicted) else numbers.get(event.connection, 0)
            yield Note(event.at, number, Side.SERVER, escaped(told[0]), told[1])


def _others(events: Iterable[e.Event], numbers: dict[int, int], shown: set[int]) -> Iterator[Note]:
    """The clients that come and go between, each run of them in a line."""
    opened = (event for event in events if isinstance(event, e.ConnectionOpened))
    for is_shown, run in groupby(opened, lambda event: numbers[event.connection] in shown):
        if not is_shown:
            clients = list(run)
            text = f"{format_count(len(clients), 'other client')} come and go"
            yield Note(clients[0].at, 0, Side.CLIENT, text)


def _decisions(logbook: Logbook, sent: Sequence[Sent]) -> Iterator[Note]:
    """What the client chose, where it answers."""
    for number, decision in logbook.decisions:
        at = [
            one.at
            for one in sent
            if (one.connection, one.side, one.passed.name) == (number, Side.CLIENT, "Certificate")
        ]
        if at:
            yield Note(at[0], number, Side.CLIENT, _chose(decision), "" if decision.sent else "bad")


def _chose(decision: Decision) -> str:
    held = "; ".join(f"keeps {name} back ({why})" for name, why in decision.kept_back.items())
    sends = f"sends {decision.sent}" if decision.sent else "has nothing to send"
    return f"{held}; {sends}" if held else sends


# --- lines ----------------------------------------------------------------------------------------------------


def _rungs(items: Sequence[Sent | Note], pause: float) -> Iterator[Rung]:
    together: list[Sent] = []
    for item in items:
        if together and not (isinstance(item, Sent) and _belongs(together[-1], item, pause)):
            yield _rung(together)
            together = []
        if isinstance(item, Sent):
            together.append(item)
        else:
            yield Rung(item.at, item.connection, item.side, item.text, item.mark)
    if together:
        yield _rung(together)


def _belongs(last: Sent, item: Sent, pause: float) -> bool:
    """Whether two messages are told in one line."""
    if (last.side, last.connection) != (item.side, item.connection) or item.at - last.at > pause:
        return False
    ends = (Said.END, Said.RESET)
    return (last.read_at is None) == (item.read_at is None) and item.passed.what not in ends


def _rung(together: Sequence[Sent]) -> Rung:
    first = together[0]
    names = ", ".join(map(text_of, together)).replace("], [", ", ")
    statuses = [one.passed.name for one in together if one.passed.what is Said.RESPONSE]
    bad = any(name[0] in "45" for name in statuses) or first.passed.what is Said.RESET
    is_read = first.read_at is not None
    mark = "bad" if bad or not is_read else "good" if statuses else ""
    return Rung(first.at, first.connection, first.side, names, mark, True, is_read, tuple(together))


def _with_silences(rungs: Sequence[Rung], sent: Sequence[Sent], pause: float) -> Iterator[Rung]:
    """The lines, and between them each silence with whose turn it was."""
    of_each: dict[int, Progress] = {}
    last_connection, last_at = 0, None
    for number, rung in enumerate(rungs):
        if last_at is not None and rung.at - last_at >= pause:
            progress = of_each.get(last_connection, Progress())
            after = next((one.messages[0] for one in rungs[number:] if one.messages), None)
            yield _silence(last_at, rung.at, last_connection, progress, after)
        yield rung
        for one in rung.messages:
            of_each.setdefault(one.connection, Progress()).take(_message(one))
            last_connection = one.connection
        last_at = max([rung.at, *(one.passed.until for one in rung.messages)])


def _silence(began: float, ended: float, connection: int, progress: Progress, after: Sent | None) -> Rung:
    seconds = ended - began
    ended_by = _message(after) if after is not None and after.connection == connection else None
    found = turn(progress, seconds, ended_by)
    who = "cannot be seen" if found.who == "unknown" else f"{found.who}{' (both wait)' * found.both_wait}"
    why = re.sub(r" \([^()]*frame \d+\)", "", found.why)
    text = f"{format_elapsed(seconds)} of silence, turn: {who}. {why}"
    return Rung(began, connection, None, text, "bad" if found.both_wait else "odd")


def _message(one: Sent) -> Message:
    """What a capture would show of it, with its keys."""
    passed = one.passed
    is_request = passed.what is Said.REQUEST
    status = int(passed.name[:3]) if passed.what is Said.RESPONSE else None
    piece = Piece(
        KINDS[passed.what],
        passed.name,
        passed.size,
        content_length=passed.size if is_request else None,
        expects_continue=passed.waits if is_request else None,
        status=status,
        ends=passed.what is Said.RESPONSE
        or (is_request and not passed.size)
        or (passed.what is Said.BODY and one.read_at is not None),
    )
    return Message(1, one.at, one.side, piece)
