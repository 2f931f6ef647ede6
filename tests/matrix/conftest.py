"""What the tests of the matrix share."""

from __future__ import annotations

import pytest


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the labs' keys away from the user's."""
    monkeypatch.setenv("TLSLAB_HOME", str(tmp_path_factory.getbasetemp() / "lab-home"))
