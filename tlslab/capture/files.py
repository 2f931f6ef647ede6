"""Files that a lab writes while it runs. None that fails ends it, and no reader that does not read holds it up."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from tlslab.errors import in_words, reason_of
from tlslab.types import LAST_WORDS_SECONDS, EvidenceEnd
from tlslab.words.values import why_ended

STANDARD_OUTPUT = "-"
OnEnd = Callable[[EvidenceEnd, str], None]
NAME_A_FILE = "name a file in a folder that you may write to"
NO_READER = {errno.ENXIO: ("nobody reads this pipe", "start its reader first")}
WAITING_BYTES = 16 * 1024 * 1024  # chosen: how much waits for a reader that does not read


class OutputFile:
    """A file that gets each piece whole and at once; `-` is standard output.

    A full disk, a closed pipe, a reader that stopped reading or `limit_bytes` ends the writing, never the lab:
    `failure` says so, and `on_end` is told why, with the system's word for it, once, by the next call of `write`.
    Whatever can hold up its writer (a pipe, a terminal) is written by a thread of its own. A regular file is not, so
    that what happened is in it whatever happens next. The price: a disk that hangs holds up the lab.
    LabError: it cannot be opened.
    """

    def __init__(
        self,
        path: str,
        what: str,
        *,
        append: bool = False,
        private: bool = False,
        limit_bytes: int | None = None,
        last_words_seconds: float = LAST_WORDS_SECONDS,
        on_end: OnEnd = lambda _why, _detail: None,
    ) -> None:
        self._what = what
        self._end: tuple[EvidenceEnd, str] | None = None  # and the system's word for it
        self._told = False
        self._on_end = on_end
        self._room = limit_bytes
        self._last_words_seconds = last_words_seconds
        self._last_words_until: float | None = None
        self._is_stdout = path == STANDARD_OUTPUT
        self._fd = sys.stdout.fileno() if self._is_stdout else _open(path, what, append, private)
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self._writer = threading.Thread(target=self._write_all, daemon=True)
            self._writer.start()

    @property
    def failure(self) -> str:
        """How the file ended before the lab did, or ""."""
        return f"{self._what} ends before the lab did: {why_ended(*self._end)}" if self._end else ""

    def write_line(self, line: str) -> None:
        """Write a line and its end."""
        self.write((line + "\n").encode())

    def write_lines(self, lines: str) -> None:
        """Write lines, each with its end, in one go. A disk that has room for some of them gets those."""
        self.write(lines.encode(), lines=True)

    def write(self, data: bytes, *, lines: bool = False) -> None:
        """Write a piece whole, or nothing of it where it would pass the limit; of `lines` a disk may take some."""
        if self._end is None and (self._room is None or self._has_room(len(data))):
            if self._writer is None:
                self._write(data, lines)
            else:
                self._hand_over(data)
        if self._end is not None and not self._told:
            self._told = True
            self._on_end(*self._end)

    def _has_room(self, count: int) -> bool:
        room = (self._room or 0) - count
        if room < 0:
            self._end = EvidenceEnd.SIZE_LIMIT, ""
        else:
            self._room = room
        return room >= 0

    def _hand_over(self, data: bytes) -> None:
        if self._waiting > WAITING_BYTES:
            self._end = EvidenceEnd.UNREAD, str(WAITING_BYTES)
        else:
            self._count(len(data))
            self._pieces.put(data)

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change

    def _write_all(self) -> None:
        while (data := self._pieces.get()) is not None and self._end is None:
            self._write(data)
            self._count(-len(data))

    def _write(self, data: bytes, lines: bool = False) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self._take_back(written - (data.rfind(b"\n", 0, written) + 1 if lines else 0))
            self._end = EvidenceEnd.FAILED, reason_of(error)

    def _take_back(self, count: int) -> None:
        """A full disk may have taken a part of a piece: the file ends before it."""
        if count and self._writer is None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR) - count)

    def end(self) -> None:
        """Take nothing more: the time for last words begins. Files that are ended together share it."""
        if self._writer is not None and self._last_words_until is None:
            self._last_words_until = time.monotonic() + self._last_words_seconds
            self._pieces.put(None)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._writer is not None and self._last_words_until is not None:
            self._writer.join(max(0.0, self._last_words_until - time.monotonic()))
            if self._writer.is_alive():
                self._end = self._end or (EvidenceEnd.UNREAD, "")
                return  # the thread is in the middle of a write; the process takes the file along
        if not self._is_stdout:
            with contextlib.suppress(OSError):
                os.close(self._fd)


def _open(path: str, what: str, append: bool, private: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
    with in_words(f"cannot write {what} {path}", NAME_A_FILE, NO_READER):
        # Without O_NONBLOCK a pipe that nobody reads yet would hold up the start, without a word.
        fd = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600 if private else 0o666)
    if hasattr(os, "set_blocking"):
        os.set_blocking(fd, True)
    if private and not append and stat.S_ISREG(os.fstat(fd).st_mode) and hasattr(os, "fchmod"):
        os.fchmod(fd, 0o600)  # it may have been there before, for everybody to read
    return fd
