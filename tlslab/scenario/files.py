"""Reading a scenario file as text."""

from __future__ import annotations

from pathlib import Path

from tlslab.errors import Problem, ScenarioError, in_words
from tlslab.text import format_count

MAX_BYTES = 2**20
SHELLS = ("dev", "proc")  # where a shell puts the pipes of its own, /dev/stdin and <(...): they end with their writer


def read(path: Path) -> bytes:
    """Read a scenario file, and no more of it than shows that it is too large. LabError: it cannot be read."""
    with in_words(f"cannot read {path}", "tlslab list names the scenarios that come with it"):
        if path.is_fifo() and path.absolute().parts[1] not in SHELLS:
            raise OSError(0, "it is a pipe, and perhaps nobody writes to it")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)


def decode(raw: bytes, file: str) -> str:
    """Make text of the bytes of `file`. ScenarioError: they are too many, or not UTF-8."""
    if len(raw) > MAX_BYTES:
        raise ScenarioError([Problem(file, 1, 1, f"a scenario has at most {format_count(MAX_BYTES, 'byte')}")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = "this is not UTF-8 text: save the file as UTF-8"
        raise ScenarioError([Problem(file, line, column, message)]) from None
