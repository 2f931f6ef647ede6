"""Where the lab speaks to a person: one console for what is shown, one way to say that something went wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.text import Text

from tlslab.errors import LabError, ScenarioError, reason_of
from tlslab.text import escaped
from tlslab.words.values import missing

NARROWEST = 40
MOST = 100  # problems of one file that anybody reads
# Of 256 colours, which hardly anybody changes, those that can be read on black and on white: yellow and cyan cannot.
STYLES = {
    "bad": "bold color(160)",
    "odd": "color(130)",
    "good": "color(28)",
    "name": "color(30)",
    "quiet": "dim",
    "": "",
}


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


class PatientStream:
    """Standard output (or error) for as long as a lab lives: whatever happens to it is no reason to end.

    It keeps nothing back, so that Python has nothing to wait for at its end. What a full disk does not take is left
    out, and once it takes more it is told how much that is. A reader that has gone is told no more.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._is_gone = stream is None
        self._lost = 0  # lines
        self._why = ""
        self._is_torn = False  # in the middle of a line
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self._fd: int | None = None
        with suppress(OSError):  # one that is no file, as in tests
            self._fd = self.fileno()

    def write(self, text: str) -> int:
        """Write now what can be written, and never fail."""
        if self._is_gone:
            return len(text)
        before = b""
        if self._lost:
            before = self._encode("\n" * self._is_torn + f"tlslab: {missing(self._lost, 'line')} here: {self._why}\n")
        data, written = before + self._encode(text), 0
        try:
            while written < len(data):
                written += self._write(data[written:])
            self._lost, self._is_torn = 0, False
        except OSError as error:
            self._is_gone, self._why = error.errno == errno.EPIPE, reason_of(error)
            lost = data[max(written, len(before)) :].count(b"\n")
            self._lost = max(1, lost + (self._lost if written < len(before) else 0))
            self._is_torn = data[:written][-1:] not in (b"", b"\n") or (self._is_torn and not written)
        return len(text)

    def _encode(self, text: str) -> bytes:
        return text.encode(self.encoding, "backslashreplace")

    def _write(self, data: bytes) -> int:
        if self._fd is not None and os.name != "nt":  # whose consoles take text
            return os.write(self._fd, data)
        assert self._stream is not None
        self._stream.write(data.decode(self.encoding))
        self._stream.flush()
        return len(data)

    def flush(self) -> None:
        """Nothing was kept back."""

    def fileno(self) -> int:
        """The descriptor behind it; OSError where there is none."""
        if self._stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()


class LabConsole(Console):
    """A console that falls silent when its reader has gone (`| head`), where rich would end the program.

    A `patient` one survives whatever happens to its reader, a full disk for example: the lab goes on. No number is
    coloured and no line broken, for a command must survive copy and paste; no text is taken for markup or drives the
    terminal.
    """

    def __init__(self, *, patient: bool, file: Any = None, stderr: bool = False, **options: Any) -> None:
        if patient:
            file = PatientStream(file or (sys.stderr if stderr else sys.stdout))
        usual = {"highlight": False, "soft_wrap": True, "markup": False, "emoji": False}
        super().__init__(file=file, stderr=stderr, **{**usual, **options})
        self.push_render_hook(_Printing())

    def write(self, text: str) -> None:
        """Write text as it is, a fifth of the cost of `print`: for what is escaped and has its styles already."""
        if not self.quiet:
            self.file.write(text)
            self.file.flush()

    def show(self, text: str) -> None:
        """Write text that may have the escape sequences of a terminal; Windows has consoles that know none."""
        if os.name == "nt" and self.is_terminal:
            self.print(Text.from_ansi(text))
        else:
            self.write(text)

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
        prose(console(stderr=True), text, style=STYLES["odd"])


def complain(error: LabError) -> None:
    """Say what went wrong, and what to try. A name with a line end in it begins no line of its own."""
    out = console(stderr=True)
    if isinstance(error, ScenarioError):
        for problem in error.problems[:MOST]:
            out.print(escaped(str(problem)))
        if len(error.problems) > MOST:
            out.print(f"... and {len(error.problems) - MOST:,} more")
        return
    out.print(Text.assemble(("tlslab: ", STYLES["bad"]), escaped(str(error))))
    if error.hint:
        out.print(Text(f"  hint: {escaped(error.hint)}", style="dim"))
