"""Files that a lab writes while it runs."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tlslab import events as e
from tlslab.cli.sinks import LineFile, event_json, write_ready_file
from tlslab.errors import LabError

posix = pytest.mark.skipif(os.name == "nt", reason="pipes with names, modes and /dev/full are POSIX")


def test_lines_are_there_at_once(tmp_path):
    """Each line can be read as soon as it was written."""
    path = tmp_path / "events"
    with LineFile(str(path), "the events file") as file:
        file.write("one")
        assert path.read_text() == "one\n"
        file.write("zwei ü")
    assert path.read_text(encoding="utf-8") == "one\nzwei ü\n"


@pytest.mark.parametrize(("append", "content"), [(False, "new\n"), (True, "old\nnew\n")])
def test_what_was_there(tmp_path, append, content):
    """Events start anew; a key log goes on."""
    path = tmp_path / "file"
    path.write_text("old\n")
    with LineFile(str(path), "x", append=append) as file:
        file.write("new")
    assert path.read_text() == content


@posix
def test_private(tmp_path):
    """Secrets are for their owner."""
    with LineFile(str(tmp_path / "keys"), "the key log", private=True):
        assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", [".", "nowhere/file", "a\0b"])
def test_what_cannot_be_written(tmp_path, monkeypatch, path):
    """It is said at once, by name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="cannot write the events file"):
        LineFile(path, "the events file")


@posix
def test_a_full_disk():
    """It ends the file with a note, and nothing else."""
    with LineFile("/dev/full", "the events file") as file:
        file.write("one")
        file.write("two")
    assert file.failure == "the events file ends before the lab did: No space left on device"


@pytest.fixture
def pipe(tmp_path: Path) -> tuple[Path, int]:
    """A pipe by name, and its reading end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@posix
def test_a_pipe(pipe):
    """A pipe gets every line."""
    path, reader = pipe
    with LineFile(str(path), "x") as file:
        for number in range(1000):
            file.write(str(number))
    assert file.failure == ""
    with os.fdopen(reader) as lines:
        assert [int(line) for line in lines] == list(range(1000))


@posix
def test_a_closed_pipe(pipe):
    """A reader that has gone ends the file with a note."""
    path, reader = pipe
    with LineFile(str(path), "x") as file:
        os.close(reader)
        file.write("one")
    assert file.failure == "x ends before the lab did: Broken pipe"


@posix
def test_a_pipe_that_nobody_reads(pipe):
    """A reader that stopped reading holds up neither the lab nor its end."""
    path, reader = pipe
    with LineFile(str(path), "x") as file:
        for _ in range(10):
            file.write("x" * 65536)
    assert file.failure == "x ends before the lab did: its reader does not read"
    os.close(reader)


def test_event_json():
    """The type's name under `event`, then the fields."""
    event = e.CertificateRequested(1.23456789, 2, "site", "handshake", ("CN=a",), 9)
    assert json.loads(event_json(event)) == {
        "event": "CertificateRequested",
        "at": 1.234568,
        "connection": 2,
        "binding": "site",
        "during": "handshake",
        "issuers": ["CN=a"],
        "issuers_bytes": 9,
    }


def test_ready_file(tmp_path):
    """It replaces what was there as a whole, and leaves nothing beside it."""
    path = tmp_path / "ready.json"
    path.write_text("of the last lab")
    write_ready_file(path, {"pid": 1})
    assert json.loads(path.read_text()) == {"pid": 1}
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_ready_file_is_a_file(tmp_path):
    """A device or a pipe is not replaced."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(LabError, match="it is there, and no file"):
        write_ready_file(path, {})
    assert list(tmp_path.iterdir()) == [path]
