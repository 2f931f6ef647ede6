"""A pipe, a device or a folder in the place of any file that a command reads or writes: told, and nothing hangs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlslab.lab.curl import FilesIn

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
SERVE = ("serve", "-s", "session-lifetime", "--port", "0")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that nobody writes to and nobody reads."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("validate", "{}"), "cannot read {}: it is a pipe, and perhaps nobody writes to it"),
        (("show", "{}"), "cannot read {}: it is a pipe"),
        (("serve", "-s", "{}"), "cannot read {}: it is a pipe"),
        (("trace", "{}"), "the capture {} is no file"),
        (("trace", __file__, "--keylog", "{}"), "the key log {} is no file"),
        ((*SERVE, "--events", "{}"), "cannot write the events file {}: nobody reads this pipe"),
        ((*SERVE, "--pcapng", "{}"), "cannot write the capture {}: nobody reads this pipe"),
        ((*SERVE, "--keylog", "{}"), "cannot write the key log {}: nobody reads this pipe"),
        ((*SERVE, "--logs", "{}"), "{}"),
        (("demo", "--pcapng", "{}"), "nobody reads this pipe"),
        (("pki", "export", "{}"), "cannot write to {}: File exists"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_pipe(run, pipe, words, said):
    """In the place of each file."""
    result = run(*[word.format(pipe) for word in words])
    assert result.exit_code
    assert said.format(pipe) in " ".join(result.output.split())
    assert "Errno" not in result.output


@pytest.mark.parametrize("words", [("validate", "/dev/zero"), ("trace", "/dev/zero"), ("show", "/"), ("trace", "/")])
def test_devices_and_folders(run, words):
    """They have no end, or no content."""
    result = run(*words)
    assert result.exit_code == 1
    assert "Errno" not in result.output


def test_a_pipe_of_the_shell_is_read(home):
    """Its writer is there: `generate | tlslab validate /dev/stdin`."""
    command = [sys.executable, "-m", "tlslab", "validate", "/dev/stdin"]
    scenario = Path(__file__).parents[2] / "scenarios" / "session-lifetime.yaml"
    done = subprocess.run(
        command,
        input=scenario.read_bytes(),
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "TLSLAB_HOME": str(home)},
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout.startswith(b"/dev/stdin: good")) == (0, True), done.stderr


def test_a_pipe_among_the_uploads(tmp_path):
    """The file to upload takes its place."""
    os.mkfifo(tmp_path / "1KiB.bin")
    assert FilesIn(tmp_path).upload(1024).read_bytes() == bytes(1024)
    assert [path.name for path in tmp_path.iterdir()] == ["1KiB.bin"]


def test_nobodys_home(run):
    """A `~` that leads nowhere, in the variable and on the command line."""
    for result in (
        run("pki", "show", TLSLAB_HOME="~nobody-of-this-name/x"),
        run("pki", "export", "~nobody-of-this-name"),
    ):
        assert result.exit_code == 2
        assert "there is no home folder for ~nobody-of-this-name" in result.output


def test_many_problems(run, tmp_path):
    """A file with thousands of problems fills no scrollback."""
    (tmp_path / "x.yaml").write_text("".join(f"key{number}: 1\n" for number in range(3000)))
    lines = run("validate", str(tmp_path / "x.yaml")).output.splitlines()
    assert len(lines) == 101
    assert re.fullmatch(r"\.\.\. and 2,9\d\d more", lines[-1])
