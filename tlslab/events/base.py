"""What every event has, whatever happened."""

from __future__ import annotations

from tlslab import types as t


@t.frozen_for_mypy
class Event:
    """What happened, when, on which connection and binding."""

    at: float
    connection: int
    binding: str
