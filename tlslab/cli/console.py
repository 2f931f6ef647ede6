"""Where the lab speaks to a person: one console for what is shown, one way to say that something went wrong."""

from __future__ import annotations

import io
import os
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.text import Text

from tlslab.errors import LabError, ScenarioError
from tlslab.text import escaped

NARROWEST = 40
MOST = 100  # problems of one file that anybody reads
STYLES = {"bad": "bold red", "odd": "yellow", "good": "green", "quiet": "dim", "": ""}


class _Printing(RenderHook):
    """Stands between all that is printed and the terminal: what does not print is an escape there, whoever wrote it.

    Styles, and what rich itself tells the terminal, are no text and pass.
    """

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put each into its wrapping."""
        return [_Printed(one) for one in renderables]


class _Printed:
    def __init__(self, content: ConsoleRenderable) -> None:
        self._content = content

    def __rich_console__(self, out: Console, options: ConsoleOptions) -> RenderResult:
        for segment in out.render(self._content, options):
            yield segment if segment.control else Segment(escaped(segment.text, keep="\n"), segment.style)


class LabConsole(Console):
    """A console that falls silent when its reader has gone (`| head`), where rich would end the program.

    A `patient` one does so whatever happens to its reader, a full disk for example: the lab goes on. It neither colours
    numbers nor breaks lines, for a command must survive copy and paste, and takes no text for markup. No text that is
    printed drives the terminal.
    """

    def __init__(self, *, patient: bool, **options: Any) -> None:
        super().__init__(**{"highlight": False, "soft_wrap": True, "markup": False, "emoji": False, **options})
        self.push_render_hook(_Printing())
        self._patient = patient

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, as rich does."""
        try:
            super().print(*objects, **options)
        except OSError:
            if not self._patient:
                raise
            self.fall_silent()

    def write(self, text: str) -> None:
        """Write text as it is, a fifth of the cost of `print`: for what is escaped and has its styles already."""
        try:
            if not self.quiet:
                self.file.write(text)
                self.file.flush()
        except OSError:
            if not self._patient:
                raise
            self.fall_silent()

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.fall_silent()

    def fall_silent(self) -> None:
        """Say no more, and forget what was not written: Python would try again at its end, and complain."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def console(*, stderr: bool = False, patient: bool = False) -> LabConsole:
    """A console on standard output or standard error.

    A character that its encoding does not have is written as an escape: a client's name must not end the lab.
    """
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return LabConsole(patient=patient, stderr=stderr)


def prose(out: Console, text: str, *, style: str = "", first: str = "", rest: str | None = None) -> None:
    """Print text in lines as wide as the console, `first` before the first one and `rest` before the others.

    An empty line parts paragraphs; a line that begins with a hyphen is an entry of a list.
    """
    indent = first if rest is None else rest
    for number, part in enumerate(_parts(escaped(text, keep="\n\t"))):
        wrapped = textwrap.fill(
            part,
            max(out.width, NARROWEST),
            initial_indent=first if number == 0 else indent,
            subsequent_indent=indent + "  " * part.startswith("- "),
            break_long_words=False,
            break_on_hyphens=False,
        )
        out.print(Text(wrapped, style=style))


def _parts(text: str) -> list[str]:
    """Paragraphs, entries of lists, and the empty lines between them."""
    parts: list[str] = []
    for line in text.strip().splitlines():
        if not parts or not parts[-1] or not line or line.startswith("- "):
            parts.append(line)
        else:
            parts[-1] += f" {line}"
    return parts


def tell(news: Iterable[str]) -> None:
    """Say what somebody must know, beside what the command was asked for."""
    for text in news:
        prose(console(stderr=True), text, style="yellow")


def complain(error: LabError) -> None:
    """Say what went wrong, and what to try. A name with a line end in it begins no line of its own."""
    out = console(stderr=True)
    if isinstance(error, ScenarioError):
        for problem in error.problems[:MOST]:
            out.print(escaped(str(problem)))
        if len(error.problems) > MOST:
            out.print(f"... and {len(error.problems) - MOST:,} more")
        return
    out.print(Text.assemble(("tlslab: ", "bold red"), escaped(str(error))))
    if error.hint:
        out.print(Text(f"  hint: {escaped(error.hint)}", style="dim"))
