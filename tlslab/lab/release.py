"""Which tlslab this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """`tlslab` and its version, as `--version` and captures say it."""
    try:
        return f"tlslab {version('tlslab')}"
    except PackageNotFoundError:
        return "tlslab (not installed, run from its source)"
