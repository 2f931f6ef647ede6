"""Files that a lab writes while it runs. None that fails ends it, and no reader that does not read holds it up."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType

from tlslab.capture import writers
from tlslab.capture.writers import DiskWriter, StreamWriter, Trouble, Writer, is_regular
from tlslab.errors import in_words
from tlslab.events import Event, EvidenceEnded, EvidenceResumed
from tlslab.types import FOR_GOOD, LAST_WORDS_SECONDS, EvidenceEnd
from tlslab.words.values import missing, why_ended

STANDARD_OUTPUT = "-"
# What happened to a file: the type of the event, and its details but for which file it was.
Tell = Callable[..., None]
Later = Callable[[Callable[[], None]], None]  # calls what it gets, once the lab is about to wait (`net.bus`)
TOGETHER_BYTES = 64 * 1024  # chosen: so many do not wait for the end of a turn
NAME_A_FILE = "name a file in a folder that you may write to"
NO_READER = {errno.ENXIO: ("nobody reads this pipe", "start its reader first")}


def remark(lost: str) -> str:
    """A line that says in a file of lines what is missing there, and why; the W3C format calls such a line a remark."""
    return f"#Remark: tlslab: {lost}\n"


class OutputFile:
    """A file that gets each piece whole and at once; `-` is standard output.

    Nothing that happens to it ends the lab. Where it cannot be written (a full disk, no descriptor, a folder that is
    gone, a reader that does not read), what comes is kept as far as there is room, and tried again; beyond that it is
    dropped whole and counted (in `unit`), and what `remark` makes of that stands in its place. A pipe that nobody can
    read any more and `limit_bytes` end it for good. `tell` hears of it all: a type of event and its details, but for
    which file it is. `failure` says it at the end. With `follows_name` the file is opened when it is needed, and again
    where it has gone. LabError: it cannot be opened.
    """

    def __init__(
        self,
        path: str,
        what: str,
        *,
        unit: str = "line",
        append: bool = False,
        private: bool = False,
        follows_name: bool = False,
        limit_bytes: int | None = None,
        last_words_seconds: float = LAST_WORDS_SECONDS,
        tell: Tell = lambda _kind, *_details: None,
        remark: Callable[[str], str] = lambda _lost: "",
        later: Later = lambda act: act(),
    ) -> None:
        self._what, self._unit, self._tell, self._remark, self._later = what, unit, tell, remark, later
        self._together: list[tuple[bytes, int]] = []  # pieces of this turn, of lines or not, and how many units in them
        self._together_bytes, self._are_lines = 0, False
        self._trouble: Trouble | None = None  # it cannot be written now, and somebody was told
        self._end: Trouble | None = None
        self._last: Trouble | None = None
        self._room = limit_bytes
        self._written = self._missing = self._missing_in_all = 0
        self._is_over = False
        self._out: Writer = self._open(path, append, private, follows_name, last_words_seconds)

    def _open(self, path: str, append: bool, private: bool, follows_name: bool, last_words_seconds: float) -> Writer:
        open_again = partial(open_file, append=True, private=private)
        if follows_name:
            return DiskWriter(path, None, open_again, follows_name=True)
        is_stdout = path == STANDARD_OUTPUT
        name = "standard output" if is_stdout else path
        with in_words(f"cannot write {self._what} {path}", NAME_A_FILE, NO_READER):
            fd = sys.stdout.fileno() if is_stdout else open_file(path, append=append, private=private)
            if is_regular(fd):
                return DiskWriter(name, fd, None if is_stdout else open_again)
            if hasattr(os, "set_blocking"):
                os.set_blocking(fd, True)
        return StreamWriter(name, fd, own=not is_stdout, last_words_seconds=last_words_seconds)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be written to it."""
        return self._end is not None

    @property
    def failure(self) -> str:
        """What is missing at the end of the lab, and why, or ""."""
        if self._end is not None:
            return f"{self._what} ends before the lab did: {why_ended(*self._end)}"
        if self._last is None or not self._missing_in_all:
            return ""
        return f"{self._what} is not whole: {missing(self._missing_in_all, self._unit)} ({why_ended(*self._last)})"

    def begin_with(self, head: bytes) -> None:
        """Write what the file begins with, and again where it has to be made anew."""
        self.write(head, 0)
        if isinstance(self._out, DiskWriter):
            self._out.head = lambda: head

    def turn_to(self, path: str, head: Callable[[], bytes]) -> None:
        """Go on in the file of that name, which begins with `head`."""
        self._put_together()
        if isinstance(self._out, DiskWriter):
            self._out.turn_to(path, head)

    def write_line(self, line: str) -> None:
        """Write a line and its end."""
        self.write_lines(line + "\n")

    def write_lines(self, lines: str) -> None:
        """Write lines, each with its end, in one go. A disk that has room for some of them gets those."""
        data = lines.encode(errors="replace")
        self.write(data, data.count(b"\n"), lines=True)

    def write(self, piece: bytes, count: int = 1, *, lines: bool = False) -> bool:
        """Write a piece whole, `count` units in it, or keep it; False where it is dropped."""
        if self._end is None and self._room is not None and len(piece) > self._room:
            self._finish((EvidenceEnd.SIZE_LIMIT, ""))
        if self._end is not None:
            return False
        if self._trouble is not None:
            self._out.try_again()
            self._look()
        if self._missing or not self._out.has_room():
            self._lose(count)
            self._look()
            return False
        if self._room is not None:
            self._room -= len(piece)
        self._together.append((piece, count))
        self._together_bytes += len(piece)
        self._are_lines = lines
        if self._trouble is not None or self._together_bytes > TOGETHER_BYTES:
            self._put_together()
        elif len(self._together) == 1:
            self._later(self._put_together)
        return True

    def _put_together(self) -> None:
        """Write what has come in this turn, in one piece."""
        if not self._together:
            return
        piece, count = self._together[0]
        if len(self._together) > 1:
            piece = b"".join([one for one, _ in self._together])
            count = sum([its_count for _, its_count in self._together])
        self._together, self._together_bytes = [], 0
        self._out.put(piece, count, lines=self._are_lines)
        self._written += count
        if self._out.trouble is not None:
            self._look()

    def look_after(self) -> None:
        """Try again what could not be written, and look whether somebody has deleted the file: once a second or so."""
        self._put_together()
        if self._end is not None:
            return
        if self._out.was_deleted():
            self._look()
            self._lose(self._written)
            self._written = 0
        if self._out.trouble is not None or self._trouble is not None:
            self._out.try_again()
            self._look()

    def _lose(self, count: int) -> None:
        self._missing += count
        self._missing_in_all += count

    def _look(self) -> None:
        """See how it stands with the file, and say so where that is new."""
        trouble = self._out.trouble
        if trouble is None and not self._out.has_room():
            trouble = EvidenceEnd.UNREAD, str(writers.WAITING_BYTES)
        if trouble is not None and trouble[0] in FOR_GOOD:
            self._finish(trouble)
        elif trouble is not None:
            if self._trouble is None:
                self._trouble = self._last = trouble
                self._say(EvidenceEnded, *trouble)
        elif self._trouble is not None and self._out.is_clear():
            self._go_on(self._trouble)

    def _go_on(self, after: Trouble) -> None:
        lost, self._missing, self._trouble = self._missing, 0, None
        if lost and (said := self._remark(f"{missing(lost, self._unit)} here: {why_ended(*after)}")):
            self._out.put(said.encode(errors="replace"), 0, lines=True)
        self._say(EvidenceResumed, lost)

    def _finish(self, why: Trouble) -> None:
        self._end = why
        self._say(EvidenceEnded, *why)

    def _say(self, kind: type[Event], *details: object) -> None:
        if not self._is_over:
            self._tell(kind, *details)

    def end(self) -> None:
        """Take nothing more, and try a last time: the time for last words begins."""
        self._put_together()
        self._is_over = True
        self._out.try_again(now=True)
        if self._end is None:
            self._look()
        self._out.end()

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        left = self._out.close()
        self._missing_in_all += left
        if self._end is None and self._out.trouble is not None and self._out.trouble[0] in FOR_GOOD:
            self._end = self._out.trouble  # known only now
        if left and self._last is None:
            self._last = self._out.trouble or (EvidenceEnd.UNREAD, "")


def open_file(path: str, *, append: bool, private: bool) -> int:
    """Open a file to write at its end, whatever others do with it meanwhile; OSError.

    Without O_NONBLOCK a pipe that nobody reads yet would hold up the start, without a word.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    fd = os.open(path, flags if append else flags | os.O_TRUNC, 0o600 if private else 0o666)
    if private and not append and hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system that has no modes
            if is_regular(fd):
                os.fchmod(fd, 0o600)  # it may have been there before, for everybody to read
    return fd
