"""The README's commands run, its transcript is what the lab says, and what it names exists."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tlslab.client.identities import People
from tlslab.pki.store import open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.scenario.schema import WritingStyle
from tlslab.verify.memory import World
from tlslab.words.timeline import say

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Every block marked `sh test` ends by itself. The others serve until Ctrl-C, or call make, which would run these tests.
RUNNABLE = re.findall(r"^```sh test\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TRANSCRIPT = re.findall(r"^ +\d+\.\d{3}  #1   (.+)$", README, re.MULTILINE)
RUN_SECONDS = 60


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `tlslab` is this checkout, with a home of its own."""
    if os.name == "nt" or shutil.which("sh") is None:
        pytest.skip("the README's blocks are for a POSIX shell")
    command = tmp_path / "bin" / "tlslab"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tlslab "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TLSLAB_HOME": str(tmp_path / "home")}


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, marks=pytest.mark.client if "curl --" in block else pytest.mark.program)
        for block in RUNNABLE
    ],
    ids=[block.splitlines()[0] for block in RUNNABLE],
)
def test_a_marked_block_runs(
    block: str, require_client: Callable[[str], str], shell: dict[str, str], tmp_path: Path
) -> None:
    """Each block marked `sh test` runs from its first line to its last, and no line of it fails."""
    if "curl " in block:
        require_client("curl")
    status, output = _run(block, shell, tmp_path)
    assert status == 0, output
    if "403.7" in block:
        assert '"status": "403.7"' in output


def _run(block: str, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run a block in a shell of its own session, so that a lab it leaves behind ends with it."""
    printed = folder / "printed"
    with printed.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-euc", block],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(RUN_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return status, printed.read_text(encoding="utf-8")


def test_there_are_blocks_to_run() -> None:
    """The marks are still understood: a README without them would pass every test above."""
    assert len(RUNNABLE) == README.count("```sh test") >= 2


def test_the_two_commands_are_on_the_first_screen() -> None:
    """A newcomer finds `make demo` and `make test` without scrolling."""
    first_screen = "\n".join(README.splitlines()[:24])
    assert re.search(r"^make demo\b", first_screen, re.MULTILINE)
    assert re.search(r"^make test\b", first_screen, re.MULTILINE)


def test_every_scenario_is_listed() -> None:
    """The README's table names every scenario that comes with the lab."""
    listed = re.findall(r"^\| `([a-z0-9][a-z0-9-]*)` \|", README, re.MULTILINE)
    assert sorted(listed) == catalogue.names()


def test_the_transcript_is_what_the_lab_says(tmp_path: Path) -> None:
    """Each line of the transcript is, but for its numbers, one that the lab says today; `...` stands for the rest."""
    said = [_shape(line) for fixes in ((), ("negotiate-on-binding",)) for line in _timeline(fixes, tmp_path)]
    assert len(TRANSCRIPT) > 15
    for line in map(_shape, TRANSCRIPT):
        start = line.removesuffix("...")
        assert line in said or (start != line and any(one.startswith(start) for one in said)), line


def _timeline(fixes: tuple[str, ...], home: Path) -> list[str]:
    loaded = load("large-post-deadlock")
    pki = open_pki(home, datetime.now(UTC))
    world = World(build(loaded, fixes, {}, pki), People(pki), WritingStyle.READS_WHILE_WRITING)
    seen = world.walk(loaded.scenario.symptom.client or ())
    return [line.text for event in seen.events if (line := say(event)) is not None]


def _shape(line: str) -> str:
    line = re.sub(r"(tlslab Client CA) [0-9a-f]{8}", r"\1 X", line)
    return re.sub(r"\b\d[\d.,:]*( (ms|s)\b)?", "N", re.sub(r"\(ECDHE[^)]*\)", "(CIPHER)", line))
