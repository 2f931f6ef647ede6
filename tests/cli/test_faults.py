"""Everything at once, for a short while; `python -m bench.faults --minutes 30` is the same for longer, with more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
@pytest.mark.program
@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's")
def test_everything_at_once(home):
    """The lab lives, answers and ends; every line of its evidence parses, and tshark reads its capture."""
    words = ["--minutes", "0.2", "--fault-seconds", "0.8", "--clients", "20", "--speed", "30"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.faults", *words],
        cwd=ROOT,
        env={**os.environ, "TLSLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "fault no_descriptor" in done.stdout
    assert "uploads that were reset" in done.stdout
