"""State machines are tables: what a state and a cause lead to. There is one way to look into such a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from tlslab.errors import LocalMisuse

S = TypeVar("S", bound=Enum)
C = TypeVar("C", bound=Enum)


class TableKey(Enum):
    """What a table is asked with: a state, or a cause."""

    # Each is there once. Enum would hash its name, in Python code, at each look into a table.
    __hash__ = object.__hash__


def after(table: Mapping[tuple[S, C], S], state: S, cause: C) -> S:
    """The state that follows. LocalMisuse: the table lacks the pair, which makes no sense."""
    following = table.get((state, cause))
    if following is None:
        raise LocalMisuse(f"{cause.name} makes no sense while it is {state.name}")
    return following
