"""Names that somebody typed, and which one was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONGEST = 64  # longer ones are no typing mistakes, and comparing them takes quadratic time
ALIKE, PART_ALIKE = 0.65, 0.75  # of difflib's ratio: for whole names, and for one of the parts a name is made of


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of the known names were probably meant, or list them all."""
    names = list(known)
    near = nearest(name, names)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "there are none"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Find at most three names that were probably meant, the nearest first; case does not matter."""
    typed = name.casefold()
    names = {one.casefold(): one for one in known}
    if typed in names or len(typed) > LONGEST:
        return [names[typed]] if typed in names else []
    near = difflib.get_close_matches(typed, names, n=3, cutoff=ALIKE)
    near = near or [one for one in names if len(typed) > 2 and typed in one]
    near = near or [one for one in names if difflib.get_close_matches(typed, re.split(r"\W|_", one), 1, PART_ALIKE)]
    return [names[one] for one in near[:3]]
