"""Command lines that can be copied and pasted, into bash and into cmd.exe alike."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable

from tlslab.text import escaped


def program() -> list[str]:
    """The words that start this program in the shell it was started from."""
    if shutil.which("tlslab"):
        return ["tlslab"]
    started_as_module = os.path.basename(sys.argv[0]) == "__main__.py"
    return [sys.executable, "-m", "tlslab"] if started_as_module else [sys.argv[0]]


def join(words: Iterable[str]) -> str:
    """Write arguments as a command line: in double quotes, which bash and cmd.exe share, as far as they will do."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if os.name != "nt" and escaped(word) != word:
        return _ansi_c(word)
    if (
        word
        and not word.endswith(":")
        and all(character.isalnum() or character in "-_./:@=,+%\\" for character in word)
    ):
        return word if os.name == "nt" or "\\" not in word else shlex.quote(word)
    if os.name == "nt" or not any(character in word for character in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def _ansi_c(word: str) -> str:
    r"""Quote a word that does not print as `$'...'`, which bash and zsh read: a file's name may hold any character."""
    quoted = word.replace("\\", r"\\").replace("'", r"\'")
    parts = (one if escaped(one) == one else "".join(rf"\x{byte:02x}" for byte in os.fsencode(one)) for one in quoted)
    return f"$'{''.join(parts)}'"
