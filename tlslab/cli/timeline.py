"""The live timeline: lab time, connection, sentence."""

from __future__ import annotations

import os
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence

from rich.text import Text

from tlslab.cli.console import NARROWEST, STYLES, LabConsole
from tlslab.events import (
    CertificateRetrievalStarted,
    ConnectionClosed,
    ConnectionOpened,
    EntityBodyResumed,
    EntityBodyStalled,
    Event,
    HttpErrLogged,
    InternalFault,
    ResponseSent,
)
from tlslab.text import format_count, format_status
from tlslab.types import Fault
from tlslab.words.line import Line
from tlslab.words.timeline import say, say_verbosely

COUNTED = frozenset({ConnectionOpened, EntityBodyStalled, HttpErrLogged, InternalFault, ResponseSent})


class Timeline:
    """Prints events as they come.

    On a terminal it writes what rich would: with rich an event took 70 microseconds of CPU, as much as all else that
    the lab does for it; now it takes 4. What a style looks like there, rich is asked once.
    """

    def __init__(self, out: LabConsole, verbose: bool, speed: float = 1.0) -> None:
        self._out = out
        self._say = say_verbosely if verbose else say
        self._is_terminal = out.is_terminal  # rich looks it up in the environment each time
        self._freezes = Freezes(speed) if self.is_live else None
        self._live = ""  # the line of what is stuck, below which nothing stands
        (dim, dim_end), (name, name_end) = self._ends("dim"), self._ends(STYLES["name"])
        self._around = dim, dim_end + name, name_end  # the time and the connection
        self._marks = {mark: self._ends(style) for mark, style in STYLES.items()}

    @property
    def is_live(self) -> bool:
        """Whether to call `show` while nothing happens, too: what is stuck then counts on."""
        return self._is_terminal and not self._out.is_dumb_terminal and os.name != "nt"

    def show(self, events: Sequence[Event], missed: int = 0) -> None:
        """Print a line for each event that has one, in their place how many were left out, and what is stuck.

        The last is for terminals.
        """
        width = self._out.width if self._is_terminal else None
        if self._freezes is not None:
            self._freezes.note(events)
        text = "".join(self._line(event, line, width) for event in events if (line := self._say(event)) is not None)
        if missed:
            text += f"{'...':>9}  {format_count(missed, 'event')} came faster than this was read\n"
        if self._freezes is not None:
            text = self._with_live_line(text, self._freezes.line()[: self._out.width - 1])
        if text:
            self._out.show(text)

    def _with_live_line(self, text: str, line: str) -> str:
        """Put a line below the text that the next call takes away."""
        if line == self._live and not text:
            return ""
        if self._live:
            text = f"\r\x1b[2K{text}"
        self._live = line
        return text + line

    def _ends(self, style: str) -> tuple[str, str]:
        """What text in a style begins and ends with; a file shows no style."""
        if not self._is_terminal:
            return "", ""
        with self._out.capture() as captured:
            self._out.print(Text("x", style=style), end="")
        before, _, after = captured.get().partition("x")
        return before, after

    def _line(self, event: Event, line: Line, width: int | None) -> str:
        when, who, text = f"{event.at:9.3f}  ", f"#{event.connection:<3} ", line.text
        if width is None:  # a file shows no style
            return f"{when}{who}{text}\n"
        text = _folded(text, width, len(when) + len(who))
        before, after = self._marks[line.mark]
        if before:
            text = text.replace("\n", f"{after}\n{before}")
        first, second, third = self._around
        return f"{first}{when}{second}{who}{third}{before}{text}{after}\n"


def _folded(text: str, width: int, indent: int) -> str:
    """Break text where the terminal would, but between words; a file gets one line per event."""
    width = max(width - indent, NARROWEST)
    if len(text) <= width and "\n" not in text:
        return text.rstrip()
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
    return ("\n" + " " * indent).join(lines)


class Freezes:
    """The uploads that are left unread at this moment, and for how long they have been."""

    def __init__(self, speed: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._speed = speed
        self._clock = clock
        self._timeouts: dict[int, float] = {}  # by connection
        self._since: dict[int, float] = {}  # by the wall's clock, the first of them first

    def note(self, events: Sequence[Event]) -> None:
        """Take events."""
        for event in events:
            if isinstance(event, CertificateRetrievalStarted):
                self._timeouts[event.connection] = event.timeout_seconds
            elif isinstance(event, EntityBodyStalled):
                self._since[event.connection] = self._clock()
            elif isinstance(event, ConnectionClosed | EntityBodyResumed):
                self._since.pop(event.connection, None)
            if isinstance(event, ConnectionClosed):
                self._timeouts.pop(event.connection, None)

    def line(self) -> str:
        """Say what is stuck; "" where nothing is."""
        if not self._since:
            return ""
        number, since = next(iter(self._since.items()))
        passed, limit = (self._clock() - since) * self._speed, self._timeouts.get(number, 0.0)
        what = (
            f"#{number} still stuck"
            if len(self._since) == 1
            else f"{len(self._since):,} still stuck, #{number} longest"
        )
        return f"           {what}, {passed:.0f} of {limit:.0f} s, the server's turn"


class Tally:
    """Counts what the summary at the end speaks of."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._refused = 0

    def count(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, InternalFault) and event.fault == Fault.SYSTEM:
            self._refused += 1
            return
        self._count[type(event).__name__] += 1
        if isinstance(event, HttpErrLogged):
            self._reasons[event.reason] += 1
        elif isinstance(event, ResponseSent):
            self._statuses[format_status(event.status, event.substatus)] += 1

    def summary(self, seconds: float) -> str:
        """Say in one line how it went."""
        parts = [
            format_count(self._count["ConnectionOpened"], "connection"),
            "answers: " + (_counts(self._statuses) or "none"),
            format_count(self._count["EntityBodyStalled"], "freeze"),
            "HTTPERR: " + (_counts(self._reasons) or "nothing"),
        ]
        if self._refused:
            parts.append(f"{format_count(self._refused, 'connection')} ended by a refusal of the system")
        if self._count["InternalFault"]:
            parts.append(f"{format_count(self._count['InternalFault'], 'defect')} of tlslab, please report")
        return f"The lab ran {seconds:.1f} s of its time. " + "; ".join(parts) + "."


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counter.items()))
