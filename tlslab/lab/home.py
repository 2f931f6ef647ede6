"""Where the lab keeps its keys between two runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from tlslab.pki.store import Pki, open_pki


def home() -> Path:
    """`TLSLAB_HOME`, else the platform's folder for a user's data."""
    chosen = os.environ.get("TLSLAB_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("tlslab", appauthor=False)


def open_home() -> Pki:
    """Open the lab's PKI, made on first use."""
    return open_pki(home(), datetime.now(UTC))
