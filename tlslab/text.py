"""The rules of text, once: how what the lab knows is written for people and for files."""

from __future__ import annotations

HostPort = tuple[str, int]
