"""The programs of docs/any-language.md run as they stand there, and fail where the lab does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "docs" / "any-language"
RUN_SECONDS = 120
Runs = Callable[..., subprocess.CompletedProcess[str]]
EVERY_LANGUAGE = pytest.mark.parametrize(
    "command",
    [
        ("node", "--test", "freeze.test.mjs"),
        ("go", "test", "freeze_test.go"),
        ("java", "Freeze.java"),
        ("sh", "freeze.sh"),
    ],
    ids=lambda command: command[0],
)


@pytest.fixture
def run(require_client: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Runs:
    """Run a command where the programs are; `tlslab` is this checkout, which serves with `more` words."""

    def run(command: tuple[str, ...], more: str = "") -> subprocess.CompletedProcess[str]:
        require_client("curl" if command[0] == "sh" else command[0])
        lab = tmp_path / "bin" / "tlslab"
        lab.parent.mkdir()
        lab.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tlslab "$@" {more}\n')
        lab.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(lab.parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(ROOT),
            "TLSLAB_HOME": str(tmp_path_factory.getbasetemp() / "any-language-home"),
            "GOFLAGS": "-count=1",  # Go would remember that it passed
        }
        return subprocess.run(
            command, cwd=PROGRAMS, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )

    return run


@EVERY_LANGUAGE
def test_it_passes_against_the_lab(run, command):
    """It sees the freeze, asks the lab, applies the fix, and is served; and the lab ends well."""
    done = run(command)
    assert done.returncode == 0, done.stdout + done.stderr


@EVERY_LANGUAGE
def test_it_fails_where_nothing_freezes(run, command):
    """It would notice a lab that does not show the failure."""
    done = run(command, "--fix negotiate-on-binding")
    assert done.returncode != 0
    assert any(words in done.stdout for words in ("did not freeze", "Missing expected rejection")) or (
        "did not freeze" in done.stderr
    ), done.stdout + done.stderr
