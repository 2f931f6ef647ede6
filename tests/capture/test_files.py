"""Files that a lab writes while it runs, and how they end before it."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from tlslab.capture.files import OutputFile
from tlslab.errors import LabError
from tlslab.types import EvidenceEnd

posix = pytest.mark.skipif(os.name == "nt", reason="pipes with names, modes and /dev/full are POSIX")


def test_lines_are_there_at_once(tmp_path):
    """Each line can be read as soon as it was written."""
    path = tmp_path / "events"
    with OutputFile(str(path), "the events file") as file:
        file.write_line("one")
        assert path.read_text() == "one\n"
        file.write_line("zwei ü")
    assert path.read_text(encoding="utf-8") == "one\nzwei ü\n"


@pytest.mark.parametrize(("append", "content"), [(False, "new\n"), (True, "old\nnew\n")])
def test_what_was_there(tmp_path, append, content):
    """Events start anew; a key log goes on."""
    path = tmp_path / "file"
    path.write_text("old\n")
    with OutputFile(str(path), "x", append=append) as file:
        file.write_line("new")
    assert path.read_text() == content


@posix
def test_private(tmp_path):
    """Secrets are for their owner, and a file that begins anew becomes so."""
    (tmp_path / "old").touch(0o644)
    for name in ("new", "old"):
        with OutputFile(str(tmp_path / name), "the capture", private=True):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("path", [".", "nowhere/file", "a\0b"])
def test_what_cannot_be_written(tmp_path, monkeypatch, path):
    """It is said at once, by name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="cannot write the events file"):
        OutputFile(path, "the events file")


@posix
def test_a_full_disk():
    """It ends the file with a note, and nothing else."""
    with OutputFile("/dev/full", "the events file") as file:
        file.write_line("one")
        file.write_line("two")
    assert file.failure == "the events file ends before the lab did: No space left on device"


@pytest.fixture
def pipe(tmp_path: Path) -> tuple[Path, int]:
    """A pipe by name, and its reading end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@posix
def test_a_pipe_that_nobody_has_opened(tmp_path):
    """It is said at once; waiting for a reader would look like a lab that does not start."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LabError, match="nobody reads this pipe"):
        OutputFile(str(tmp_path / "pipe"), "the capture")


@posix
def test_a_pipe(pipe):
    """A pipe gets every line."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        for number in range(1000):
            file.write_line(str(number))
    assert file.failure == ""
    with os.fdopen(reader) as lines:
        assert [int(line) for line in lines] == list(range(1000))


@posix
def test_a_closed_pipe(pipe):
    """A reader that has gone ends the file with a note."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        os.close(reader)
        file.write_line("one")
    assert file.failure == "x ends before the lab did: Broken pipe"


@posix
def test_a_pipe_that_nobody_reads(pipe):
    """A reader that stopped reading holds up neither the lab nor its end."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        for _ in range(10):
            file.write_line("x" * 65536)
    assert file.failure == "x ends before the lab did: its reader does not read"
    os.close(reader)


@posix
def test_the_time_for_last_words_begins_once(pipe):
    """It runs from `end`, not from when the file is closed in its turn: several stuck readers cost what one does."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        for _ in range(10):
            file.write_line("x" * 65536)
        file.end()
        until = file._last_words_until
    assert until is not None
    assert file._last_words_until == until
    assert file.failure == "x ends before the lab did: its reader does not read"
    os.close(reader)


def test_a_limit(tmp_path):
    """What would pass the limit is left out whole, and so is all that comes after it; it is told once."""
    path = tmp_path / "file"
    told: list[tuple[EvidenceEnd, str]] = []
    with OutputFile(str(path), "the capture", limit_bytes=10, on_end=lambda *end: told.append(end)) as file:
        for piece in (b"12345", b"67890123", b"1"):
            file.write(piece)
    assert path.read_bytes() == b"12345"
    assert told == [(EvidenceEnd.SIZE_LIMIT, "")]
    assert file.failure == "the capture ends before the lab did: it has reached the size it may have"


@pytest.mark.parametrize(
    ("room", "written", "content"),
    [
        (8, partial(OutputFile.write, data=b"half\nof\nthis"), "whole"),
        (12, partial(OutputFile.write_lines, lines="a\nbc\ndef\n"), "wholea\nbc\n"),
        (6, partial(OutputFile.write_lines, lines="abc\n"), "whole"),
    ],
)
def test_a_disk_that_takes_half(tmp_path, room, written, content):
    """The file ends before a piece that was cut, which of several lines is the first that has no room."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "file"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with OutputFile(str(path), "the file") as file:
        file.write(b"whole")
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            written(file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == content
    assert file.failure
