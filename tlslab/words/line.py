"""A line of the timeline."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A sentence and its mark: `bad` is a failure, `odd` worth a look, `good` as it should be, "" plain."""

    text: str
    mark: str = ""
