"""The live timeline: lab time, connection, sentence."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from tlslab.cli.console import NARROWEST, STYLES, LabConsole
from tlslab.events import ConnectionOpened, EntityBodyStalled, Event, HttpErrLogged, InternalFault, ResponseSent
from tlslab.text import format_count, format_status
from tlslab.words.timeline import say, say_verbosely

COUNTED = frozenset({ConnectionOpened, EntityBodyStalled, HttpErrLogged, InternalFault, ResponseSent})


class Timeline:
    """Prints events as they come."""

    def __init__(self, out: LabConsole, verbose: bool) -> None:
        self._out = out
        self._verbose = verbose
        self._is_terminal = out.is_terminal  # rich looks it up in the environment each time

    def show(self, events: Sequence[Event]) -> None:
        """Print a line for each event that has one."""
        pieces: list[tuple[str, str]] = []
        for event in events:
            line = say_verbosely(event) if self._verbose else say(event)
            if line is not None:
                when, who = f"{event.at:9.3f}  ", f"#{event.connection:<3} "
                text = self._folded(line.text, len(when) + len(who))
                pieces += ((when, "dim"), (who, "cyan"), (text, STYLES[line.mark]), ("\n", ""))
        if not pieces:
            return
        if self._is_terminal:
            self._out.print(Text.assemble(*pieces[:-1]))  # rich's work is per call more than per line
        else:
            self._out.write("".join(text for text, _ in pieces))

    def _folded(self, text: str, indent: int) -> str:
        """Break text where the terminal would, but between words; a file gets one line per event."""
        if not self._is_terminal:
            return text
        width = max(self._out.width - indent, NARROWEST)
        lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
        return ("\n" + " " * indent).join(lines)


class Tally:
    """Counts what the summary at the end speaks of."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()

    def count(self, event: Event) -> None:
        """Take one event."""
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
        if self._count["InternalFault"]:
            parts.append(f"{format_count(self._count['InternalFault'], 'defect')} of tlslab, please report")
        return f"The lab ran {seconds:.1f} s of its time. " + "; ".join(parts) + "."


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counter.items()))
