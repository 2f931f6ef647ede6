"""The exceptions of the lab. A peer's fault is never one of them outside `wire`: it is an event."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


class LabError(Exception):
    """Something a person can mend: `str()` says what and where, `hint` what to try."""

    def __init__(self, message: str, hint: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.reason = reason or message  # why alone, where the message also says what failed


class UsageProblem(LabError):
    """A name or value on the command line that there is no such thing for."""


def reason_of(error: OSError | ValueError) -> str:
    """Say in the system's words why a file or a socket could not be used, without number and path: `Is a directory`."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def reason_with_file(error: OSError) -> str:
    """Say the same, and first the file, if the error names one: `FILE: Is a directory`."""
    return reason_of(error) if error.filename is None else f"{error.filename}: {reason_of(error)}"


NO_DESCRIPTOR = "Too many open files"
_HINTS = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "let it open more files: ulimit -n 4096"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room on that disk, or name a file on another"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a file or folder that you may use"),
    errno.EISDIR: "name a file",
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "see whether it is there, and its folder"),
    errno.ENOMEM: "end other programs: there is no memory left",
}


def hint_of(error: OSError) -> str:
    """What to try where nobody knows better: by the error's number."""
    return _HINTS.get(error.errno or 0, "try again; if it stays so, see what is wrong with the disk or the system")


def shortage_of(error: BaseException) -> OSError | None:
    """What the system refused; an import without a free descriptor is the same in other words. None: it is neither."""
    if isinstance(error, ImportError) and str(error).endswith(NO_DESCRIPTOR):
        return OSError(errno.EMFILE, NO_DESCRIPTOR, error.path)
    return error if isinstance(error, OSError) else None


@contextmanager
def in_words(failed: str, hint: str = "", known: Mapping[int, tuple[str, str]] | None = None) -> Iterator[None]:
    """Turn an OSError of what is done in the `with` into a LabError: what failed, why, and what to try.

    `failed` is such as `cannot read FILE`; without a hint the error's own is taken. For the error numbers in `known`
    there is another reason ("" keeps the system's) and another hint. A ValueError is turned too: Python raises it for a
    path with a NUL.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError) and "null" not in str(error):
            raise
        known_reason, hint = (known or {}).get(getattr(error, "errno", 0), ("", hint))
        reason = known_reason or reason_of(error)
        if not hint and isinstance(error, OSError):
            hint = hint_of(error)
        raise LabError(f"{failed}: {reason}", hint, reason) from error


class LocalMisuse(Exception):
    """The program called the core in an order that makes no sense. A defect of tlslab, never of a peer or a user."""


class WireError(ValueError):
    """Bytes of a peer that do not parse. Raised by `wire` alone, and by every parser there.

    `alert` is the code of the TLS alert that belongs to it; None where there is none, or the peer speaks no TLS.
    """

    def __init__(self, message: str, alert: int | None = None) -> None:
        super().__init__(message)
        self.alert = alert


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: line and column count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ScenarioError(LabError):
    """A scenario that cannot be used; every problem at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
