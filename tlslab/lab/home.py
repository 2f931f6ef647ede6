"""Where the lab keeps its keys between two runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from tlslab.errors import UsageProblem
from tlslab.pki.store import Pki, open_pki


def home() -> Path:
    """`TLSLAB_HOME`, else the platform's folder for a user's data."""
    chosen = os.environ.get("TLSLAB_HOME")
    return expanded(Path(chosen)) if chosen else platformdirs.user_data_path("tlslab", appauthor=False)


def expanded(path: Path) -> Path:
    """Make a path absolute, with a person's folder for `~` and `~NAME`. UsageProblem: there is nobody of that name."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise UsageProblem(f"there is no home folder for {path}", "write the whole path") from None


def open_home() -> Pki:
    """Open the lab's PKI, made on first use."""
    return open_pki(home(), datetime.now(UTC))
