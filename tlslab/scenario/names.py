"""Names that somebody typed, and which one was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 64  # longer ones are no typing mistakes, and comparing them takes quadratic time


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of the known names were probably meant, or list them all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.65) if len(name) <= LONGEST else []
    near = near or [one for one in names if len(name) > 2 and name in one]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "there are none"
