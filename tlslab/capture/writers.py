"""How pieces of evidence come into a file, or through a pipe: whole, in order, and later where they cannot now.

Theory of operation. A `Writer` takes pieces. What it cannot write it keeps, up to a bound (`has_room`), and tries
again, at most every few seconds and without waiting for anything; `trouble` is what the system said meanwhile. Two
kinds:

- A regular file is written at once by whoever calls, and that is before the lab waits: so what happened is in it,
  whatever happens next. The price: a disk that hangs holds up the lab. What a full disk took of a piece is taken back,
  so that whoever reads the file finds whole lines, or whole blocks.
- Whatever can hold up its writer (a pipe, a terminal) is written by a thread of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tlslab.errors import reason_of
from tlslab.types import EvidenceEnd

KEPT_BYTES = 4 * 1024 * 1024  # chosen: how much waits for a disk
WAITING_BYTES = 16 * 1024 * 1024  # chosen: how much waits for a reader that does not read
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 3.0  # chosen; of the wall, and doubled in between
WHY = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), EvidenceEnd.DISK_FULL),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), EvidenceEnd.NO_DESCRIPTORS),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, getattr(errno, "ESTALE", errno.ENOENT)), EvidenceEnd.NOT_THERE),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), EvidenceEnd.NOT_ALLOWED),
    errno.EPIPE: EvidenceEnd.READER_GONE,
}
Trouble = tuple[EvidenceEnd, str]  # why, and the system's word for it


def trouble_of(error: OSError | ValueError, path: str) -> Trouble:
    """Say why a file cannot be written, and which."""
    why = WHY.get(getattr(error, "errno", None) or 0, EvidenceEnd.FAILED)
    return why, f"{path}: {reason_of(error)}"


class Writer(Protocol):
    """What a file's pieces go through. None of this waits, but for `close`."""

    trouble: Trouble | None  # why the last attempt failed; None once one did not

    def put(self, piece: bytes, count: int, *, lines: bool) -> None:
        """Take a piece whole, of `count` units; of `lines` a disk may take some earlier than others."""

    def has_room(self) -> bool:
        """Whether to take another one."""

    def is_clear(self) -> bool:
        """Whether what was kept has gone, or enough of it."""

    def try_again(self, *, now: bool = False) -> None:
        """Try to write what was kept, if it is time or `now`."""

    def was_deleted(self) -> bool:
        """Whether somebody has deleted the file since the last look: it is made again when it can be."""

    def end(self) -> None:
        """Take nothing more."""

    def close(self) -> int:
        """Close it, and say how many units were not written."""


class Backoff:
    """When to try again: soon, and less and less often for as long as it fails."""

    def __init__(self) -> None:
        self._wait = FIRST_WAIT_SECONDS
        self._last = self._due = 0.0

    def failed(self) -> float:
        """It failed now; how long to wait. What fails again at once after a success was none."""
        now = time.monotonic()
        again = now - self._last < 2 * self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS) if again else FIRST_WAIT_SECONDS
        self._last, self._due = now, now + self._wait
        return self._wait

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due


class DiskWriter:
    """A regular file. `open_file` opens the one of a name, for more to be written behind what is there; None: never.

    With `follows_name` it is the file that has the name now: another is begun where somebody has moved or deleted the
    one that was written. `head` gives what a new file begins with.
    """

    def __init__(
        self, path: str, fd: int | None, open_file: Callable[[str], int] | None, *, follows_name: bool = False
    ) -> None:
        self.trouble: Trouble | None = None
        self.head: Callable[[], bytes] = bytes
        self._path = path
        self._fd = fd
        self._open_file = open_file
        self._follows_name = follows_name
        self._kept: deque[tuple[bytes, int, bool]] = deque()
        self._kept_bytes = 0
        self._torn_at: int | None = None  # where the file should end, if what a full disk took is still in it
        self._backoff = Backoff()

    def turn_to(self, path: str, head: Callable[[], bytes]) -> None:
        """Go on in the file of that name, which begins with `head`."""
        self._path, self.head = path, head

    def put(self, piece: bytes, count: int, *, lines: bool) -> None:
        """Write it now, or keep what could not be written."""
        left = piece if self._kept else self._write(piece, lines)
        if left:
            self._kept.append((left, _counted(left, count, lines), lines))
            self._kept_bytes += len(left)

    def has_room(self) -> bool:
        """Whether little enough is kept."""
        return self._kept_bytes < KEPT_BYTES

    def is_clear(self) -> bool:
        """Whether nothing is."""
        return not self._kept

    def try_again(self, *, now: bool = False) -> None:
        """Write what was kept, as far as that goes; where that is nothing, see whether it would go."""
        if not (now or self._backoff.is_due):
            return
        if self.trouble is not None and not self._kept:
            self.put(b"", 0, lines=True)
        while self._kept:
            piece, count, lines = self._kept[0]
            left = self._write(piece, lines)
            self._kept_bytes += len(left) - len(piece)
            if left:
                self._kept[0] = left, _counted(left, count, lines), lines
                return
            self._kept.popleft()

    def was_deleted(self) -> bool:
        """Whether the file has no name any more; then a new one is opened when something is to be written."""
        if self._follows_name or self._open_file is None or self._fd is None:
            return False
        try:
            if os.fstat(self._fd).st_nlink:
                return False
        except OSError:
            return False
        self._close()
        self.trouble = EvidenceEnd.DELETED, self._path
        return True

    def end(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> int:
        """Close the file."""
        self._close()
        return sum(count for _, count, _ in self._kept)

    def _close(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None

    def _write(self, piece: bytes, lines: bool) -> bytes:
        """Write a piece, and return what of it is still to be written: none, all, or the lines that are left."""
        written = 0
        try:
            fd, head = self._make_ready()
            piece = head + piece
            while written < len(piece):
                written += os.write(fd, piece[written:] if written else piece)
        except (OSError, ValueError) as error:
            whole = piece.rfind(b"\n", 0, written) + 1 if lines else 0
            self.trouble = trouble_of(error, self._path)
            self._backoff.failed()
            if written > whole:
                self._take_back(written - whole)
            return piece[whole:]
        self.trouble = None
        return b""

    def _make_ready(self) -> tuple[int, bytes]:
        """Have the right file open, and no torn piece at its end; returns it, and what has to be written first."""
        fd, head = self._fd, b""
        if fd is None or (self._follows_name and not self._has_name(fd)):
            fd, head = self._reopen()
        if self._torn_at is not None:
            self._cut(fd, self._torn_at)
        return fd, head

    def _has_name(self, fd: int) -> bool:
        """Whether the file that is open is the one of the name."""
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        here = os.fstat(fd)
        return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)

    def _reopen(self) -> tuple[int, bytes]:
        """Open the file of the name, and give its head; one that was only moved goes on while there is no other."""
        assert self._open_file is not None
        try:
            fd = self._open_file(self._path)
        except OSError:
            if self._fd is not None and os.fstat(self._fd).st_nlink:
                return self._fd, b""
            raise
        self._close()
        self._fd, self._torn_at = fd, None
        return fd, self.head()

    def _take_back(self, count: int) -> None:
        """The file ends before a piece of which a full disk took a part; where that cannot be, at the next attempt."""
        fd = self._fd
        with contextlib.suppress(OSError):
            if fd is not None and os.fstat(fd).st_size == (end := os.lseek(fd, 0, os.SEEK_CUR)):  # nobody else wrote
                self._torn_at = end - count
                self._cut(fd, self._torn_at)

    def _cut(self, fd: int, at: int) -> None:
        os.ftruncate(fd, at)
        os.lseek(fd, at, os.SEEK_SET)  # a standard output was perhaps not opened to append
        self._torn_at = None


def _counted(left: bytes, count: int, lines: bool) -> int:
    """How many of a piece's units are left: not those of a head, which stands in front."""
    return min(count, left.count(b"\n")) if lines else count


class StreamWriter:
    """A pipe, a terminal or a device: a thread writes, and what it has not written yet waits in memory.

    `own` says whether to close it. A piece that went in part is gone on with, for nothing can be taken back.
    """

    def __init__(self, path: str, fd: int, *, own: bool, last_words_seconds: float) -> None:
        self.trouble: Trouble | None = None
        self._path = path
        self._fd = fd
        self._own = own
        self._last_words_seconds = last_words_seconds
        self._until: float | None = None
        self._pieces: queue.SimpleQueue[tuple[bytes, int] | None] = queue.SimpleQueue()
        self._waiting = self._waiting_units = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def put(self, piece: bytes, count: int, *, lines: bool) -> None:
        """Hand it over."""
        self._count(len(piece), count)
        self._pieces.put((piece, count))

    def has_room(self) -> bool:
        """Whether little enough waits."""
        return self._waiting <= WAITING_BYTES

    def is_clear(self) -> bool:
        """Whether the reader reads again."""
        return self._waiting <= WAITING_BYTES // 2

    def try_again(self, *, now: bool = False) -> None:
        """The thread does, by itself."""

    def was_deleted(self) -> bool:
        """There is nothing to make again."""
        return False

    def end(self) -> None:
        """The time for last words begins. Files that are ended together share it."""
        if self._until is None:
            self._until = time.monotonic() + self._last_words_seconds
            self._pieces.put(None)

    def close(self) -> int:
        """Wait until everything is written, as long as last words may take."""
        self.end()
        self._thread.join(max(0.0, (self._until or 0.0) - time.monotonic()))
        self._over.set()
        if self._thread.is_alive():
            return self._waiting_units  # the thread is in the middle of a write; the process takes the file along
        if self._own:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        return self._waiting_units

    def _count(self, size: int, units: int) -> None:
        with self._lock:
            self._waiting += size
            self._waiting_units += units

    def _write_all(self) -> None:
        backoff = Backoff()
        while (taken := self._pieces.get()) is not None:
            piece, count = taken
            written = 0
            while written < len(piece):
                try:
                    written += os.write(self._fd, piece[written:] if written else piece)
                    self.trouble = None
                except OSError as error:
                    self.trouble = trouble_of(error, self._path)
                    if self.trouble[0] == EvidenceEnd.READER_GONE or self._over.wait(backoff.failed()):
                        return
            self._count(-len(piece), -count)


def is_regular(fd: int) -> bool:
    """Whether an open file is one that holds nobody up."""
    return stat.S_ISREG(os.fstat(fd).st_mode)
