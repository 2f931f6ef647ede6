"""The wheel: an installed copy has what it needs and finds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlslab.scenario import catalogue

pytestmark = pytest.mark.program


def test_the_scenarios_are_found(installed):
    """An installed copy lists the scenarios that came with it."""
    code = (
        "from tlslab.scenario import catalogue; from tlslab.cli import main; "
        "print(catalogue.folder()); main(['list', '--json'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, env=environment, capture_output=True, text=True, check=True
    )
    folder, _, listed = done.stdout.partition("\n")
    assert Path(folder) == installed / "tlslab" / "_scenarios"
    assert [entry["name"] for entry in json.loads(listed)] == catalogue.names()


def test_the_command(installed):
    """The wheel brings the command `tlslab` and says that it is typed."""
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "tlslab = tlslab.cli:main" in entry_points.read_text()
    assert (installed / "tlslab" / "py.typed").is_file()
