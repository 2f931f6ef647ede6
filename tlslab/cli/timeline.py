"""The live timeline: lab time, connection, sentence."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from tlslab.cli.console import NARROWEST, STYLES, LabConsole
from tlslab.events import ConnectionOpened, EntityBodyStalled, Event, HttpErrLogged, InternalFault, ResponseSent
from tlslab.text import format_count, format_status
from tlslab.types import Fault
from tlslab.words.timeline import Line, say, say_verbosely

COUNTED = frozenset({ConnectionOpened, EntityBodyStalled, HttpErrLogged, InternalFault, ResponseSent})


class Timeline:
    """Prints events as they come.

    On a terminal it writes what rich would: with rich an event took 70 microseconds of CPU, as much as all else that
    the lab does for it; now it takes 4. What a style looks like there, rich is asked once.
    """

    def __init__(self, out: LabConsole, verbose: bool) -> None:
        self._out = out
        self._say = say_verbosely if verbose else say
        self._is_terminal = out.is_terminal  # rich looks it up in the environment each time
        (dim, dim_end), (cyan, cyan_end) = self._ends("dim"), self._ends("cyan")
        self._around = dim, dim_end + cyan, cyan_end  # the time and the connection
        self._marks = {mark: self._ends(style) for mark, style in STYLES.items()}

    def show(self, events: Sequence[Event], missed: int = 0) -> None:
        """Print a line for each event that has one, and in their place how many were left out behind them."""
        width = self._out.width if self._is_terminal else None
        text = "".join(self._line(event, line, width) for event in events if (line := self._say(event)) is not None)
        if missed:
            text += f"{'...':>9}  {format_count(missed, 'event')} came faster than this was read\n"
        if text:
            self._out.show(text)

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
        if width is not None:
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
