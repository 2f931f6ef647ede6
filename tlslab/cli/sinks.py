"""Files that a lab writes while it runs: events, TLS secrets, and the sign that it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import stat
import sys
import threading
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

from tlslab.errors import LabError
from tlslab.events import Event

STANDARD_OUTPUT = "-"
WAITING_LINES = 65_536  # how many lines wait for a reader that does not read; about 15 MB of events
LAST_WORDS_SECONDS = 0.3  # Ctrl-C ends a lab within a second


class LineFile:
    """A file that gets whole lines, each at once; `-` is standard output.

    A full disk, a closed pipe or a reader that stopped reading ends the writing, never the lab: `failure` says so.
    Whatever can hold up its writer (a pipe, a terminal) is written by a thread of its own.
    """

    def __init__(self, path: str, what: str, *, append: bool = False, private: bool = False) -> None:
        self.failure = ""
        self._what = what
        self._is_stdout = path == STANDARD_OUTPUT
        self._fd = sys.stdout.fileno() if self._is_stdout else _open(path, what, append, private)
        self._lines: queue.Queue[bytes | None] = queue.Queue(WAITING_LINES)
        self._writer: threading.Thread | None = None
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self._writer = threading.Thread(target=self._write_all, daemon=True)
            self._writer.start()

    def write(self, line: str) -> None:
        """Write a line and its end."""
        if self.failure:
            return
        data = (line + "\n").encode()
        if self._writer is None:
            self._write(data)
            return
        try:
            self._lines.put_nowait(data)
        except queue.Full:
            self._end(f"its reader left {WAITING_LINES:,} lines unread")

    def _write_all(self) -> None:
        while (data := self._lines.get()) is not None and not self.failure:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._end(error.strerror or str(error))

    def _end(self, why: str) -> None:
        self.failure = f"{self._what} ends before the lab did: {why}"

    def __enter__(self) -> LineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(None)
            self._writer.join(LAST_WORDS_SECONDS)
            if self._writer.is_alive():
                if not self.failure:
                    self._end("its reader does not read")
                return  # the thread is in the middle of a write; the process takes the file along
        if not self._is_stdout:
            with contextlib.suppress(OSError):
                os.close(self._fd)


def _open(path: str, what: str, append: bool, private: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600 if private else 0o666)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot_write(what, path, error) from None


def _cannot_write(what: str, path: str | Path, error: Exception) -> LabError:
    reason = getattr(error, "strerror", None) or str(error)
    return LabError(f"cannot write {what} {path}: {reason}", "name a file in a folder that you may write to")


def event_json(event: Event) -> str:
    """An event as one JSON object with an `event` key; values that are not JSON's own are their text."""
    content: dict[str, Any] = {"event": type(event).__name__}
    content.update((field.name, getattr(event, field.name)) for field in fields(event))
    content["at"] = round(event.at, 6)
    return json.dumps(content, default=str)


def write_ready_file(path: Path, content: dict[str, Any]) -> None:
    """Write JSON so that whoever waits for the file never sees half of it.

    LabError: it cannot be written, or something that is no file (a device, a pipe) stands in its place.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "it is there, and no file")
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, path)
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            draft.unlink(missing_ok=True)
        raise _cannot_write("the ready file", path, error) from None
