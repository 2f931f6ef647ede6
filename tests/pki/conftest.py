"""A home with certificates, a copy to damage, and what is said of one that is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tlslab.errors import LabError
from tlslab.pki.store import open_pki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that nobody changes."""
    home = tmp_path_factory.mktemp("made")
    open_pki(home, NOW)
    return home


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The same home for one test to damage: to make one anew takes ten times as long."""
    return shutil.copytree(made, tmp_path / "copied")


@pytest.fixture(scope="session")
def refusal() -> Callable[..., LabError]:
    """Open a home in which something is wrong, and give the error."""

    def refused(home: Path, now: datetime = NOW) -> LabError:
        with pytest.raises(LabError) as caught:
            open_pki(home, now)
        return caught.value

    return refused
