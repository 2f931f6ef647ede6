"""Files that a lab writes while it runs, and how they end before it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tlslab.capture import writers
from tlslab.capture.files import TOGETHER_BYTES, OutputFile, remark
from tlslab.errors import LabError
from tlslab.events import EvidenceEnded, EvidenceResumed
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


def test_what_belongs_together_is_one_write(tmp_path):
    """Where somebody says when to write, pieces wait for that, whole and in order; the last ones for the end."""
    acts, path = list[Callable[[], None]](), tmp_path / "file"
    with OutputFile(str(path), "x", later=acts.append) as file:
        file.write_line("one")
        file.write_line("two")
        assert path.read_text() == ""
        [write] = acts
        write()
        assert path.read_text() == "one\ntwo\n"
        file.write_line("x" * TOGETHER_BYTES)  # nor does much of it wait at all
        assert path.stat().st_size == TOGETHER_BYTES + 9
        file.write_line("three")
    assert path.read_text().endswith("x\nthree\n")


def test_a_line_that_waits_stays_in_its_file(tmp_path):
    """One that goes on under another name has written what belongs under the first."""
    with OutputFile("", "the file", follows_name=True, later=lambda _act: None) as file:
        for name in ("one", "two"):
            file.turn_to(str(tmp_path / name), f"{name}:\n".encode)
            file.write_line(name)
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == ["one:\none\n", "two:\ntwo\n"]


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
def test_a_full_disk(told):
    """It ends nothing: what is missing is told, and counted at the end."""
    with OutputFile("/dev/full", "the events file", tell=told) as file:
        for line in ("one", "two"):
            file.write_line(line)
        while not told.what:
            file.look_after()
    assert told.what == [(EvidenceEnded, EvidenceEnd.DISK_FULL, "/dev/full: No space left on device")]
    assert file.failure == "the events file is not whole: 2 lines are missing (/dev/full: No space left on device)"


class Told:
    """What a file told of itself."""

    def __init__(self) -> None:
        self.what: list[tuple[object, ...]] = []

    def __call__(self, *what: object) -> None:
        """Hear it."""
        self.what.append(what)


@pytest.fixture
def told() -> Told:
    """Hears what a file tells of itself."""
    return Told()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again whenever there is an occasion."""
    monkeypatch.setattr(writers, "LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(writers, "FIRST_WAIT_SECONDS", 0.0)


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
    assert file.failure == f"x ends before the lab did: its reader has gone ({path}: Broken pipe)"


@posix
def test_a_pipe_that_nobody_reads(pipe):
    """A reader that stopped reading holds up neither the lab nor its end."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        for _ in range(10):
            file.write_line("x" * 65536)
    assert re.fullmatch(r"x is not whole: \d+ lines are missing \(its reader does not read\)", file.failure)
    os.close(reader)


@posix
def test_a_reader_that_reads_on(pipe, told, monkeypatch):
    """What it has left beyond the bound is dropped in whole lines and counted; then it gets what comes."""
    monkeypatch.setattr(writers, "WAITING_BYTES", 1_000_000)
    path, reader = pipe
    with OutputFile(str(path), "x", tell=told, remark=remark) as file, os.fdopen(reader, "rb") as got:
        sent = dropped = 0
        while not dropped:
            sent += 1
            dropped += not file.write(b"%d%s\n" % (sent, b" " * 65536), lines=True)
        dropped += not file.write(b"y\n", lines=True)
        os.set_blocking(reader, True)
        lines = [got.readline() for _ in range(sent - 1)]
        while EvidenceResumed not in [kind for kind, *_ in told.what]:
            file.look_after()
        file.write_line("on")
        assert [int(line) for line in lines] == list(range(1, sent))
        assert got.readline() == b"#Remark: tlslab: 2 lines are missing here: its reader left 1,000,000 bytes unread\n"
        assert got.readline() == b"on\n"
    assert [kind for kind, *_ in told.what] == [EvidenceEnded, EvidenceResumed]
    assert file.failure == "x is not whole: 2 lines are missing (its reader left 1,000,000 bytes unread)"


@posix
def test_the_time_for_last_words_begins_once(pipe):
    """It runs from `end`, not from when the file is closed in its turn: several stuck readers cost what one does."""
    path, reader = pipe
    with OutputFile(str(path), "x") as file:
        for _ in range(10):
            file.write_line("x" * 65536)
        file.end()
        until = file._out._until  # type: ignore[attr-defined]
    assert until is not None
    assert file._out._until == until  # type: ignore[attr-defined]
    assert "its reader does not read" in file.failure
    os.close(reader)


def test_a_limit(tmp_path):
    """What would pass the limit is left out whole, and so is all that comes after it; it is told once."""
    path = tmp_path / "file"
    told: list[tuple[object, ...]] = []
    with OutputFile(
        str(path), "the capture", unit="packet", limit_bytes=10, tell=lambda *what: told.append(what)
    ) as file:
        for piece in (b"12345", b"67890123", b"1"):
            file.write(piece)
    assert path.read_bytes() == b"12345"
    assert told == [(EvidenceEnded, EvidenceEnd.SIZE_LIMIT, "")]
    assert file.failure == "the capture ends before the lab did: it has reached the size it may have"


# --- a disk that is full for a while ------------------------------------------------------------------------------


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", range(5, 20))
@pytest.mark.parametrize("append", [False, True])
def test_a_disk_that_takes_half(tmp_path, told, room, append):
    """Wherever it ends, the file has whole lines and whole pieces; and all of them once there is room again."""
    path = tmp_path / "file"
    content = "whole\na\nbc\ndef\n"
    with OutputFile(str(path), "the file", append=append, tell=told) as file, room_for(room):
        file.write_line("whole")
        file.write_lines("a\nbc\ndef\n")
        assert path.read_text() == content[: content[:room].rfind("\n") + 1]
        file.write(b"a\npiece")
        assert path.read_text() == content[: content[:room].rfind("\n") + 1]
    assert path.read_text() == content + "a\npiece"
    assert told.what == [(EvidenceEnded, EvidenceEnd.DISK_FULL, f"{path}: File too large")]
    assert file.failure == ""


def test_what_there_is_no_room_for(tmp_path, told, at_once, monkeypatch):
    """It is dropped and counted, its place says so; what was kept is there, and what comes then."""
    monkeypatch.setattr(writers, "KEPT_BYTES", 8)
    path = tmp_path / "file"
    with OutputFile(str(path), "the file", tell=told, remark=remark) as file:
        for _ in range(2):
            with room_for(path.stat().st_size):
                for line in ("kept1", "kept2", "lost1", "lost2"):
                    file.write_line(line)
            file.look_after()
            file.write_line("on")
    hole = f"kept1\nkept2\n#Remark: tlslab: 2 lines are missing here: {path}: File too large\non\n"
    assert path.read_text() == hole * 2
    assert told.what == [(EvidenceEnded, EvidenceEnd.DISK_FULL, f"{path}: File too large"), (EvidenceResumed, 2)] * 2
    assert file.failure == f"the file is not whole: 4 lines are missing ({path}: File too large)"


def test_it_is_not_tried_all_the_time(tmp_path, monkeypatch):
    """A disk that stays full costs a try now and then, whatever comes meanwhile; the waits grow up to a bound."""
    tries: list[object] = []
    now = [10.0]
    monkeypatch.setattr(os, "write", failing(errno.EIO, tries.append))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with OutputFile(str(tmp_path / "file"), "the file") as file:
        for _ in range(2000):
            now[0] += 0.01
            before = len(tries)
            file.write_line("x")
            assert len(tries) <= before + 1
        assert 8 <= len(tries) <= 14
        monkeypatch.undo()
    assert (tmp_path / "file").read_text() == "x\n" * 2000


def failing(number: int, note: Callable[[object], None] = lambda _: None) -> Callable[..., Any]:
    """What the system answers with that error, whatever it is asked."""

    def fail(*arguments: object, **_more: object) -> Any:
        note(arguments)
        raise OSError(number, os.strerror(number))

    return fail


def test_what_cannot_be_taken_back_at_once(tmp_path, told, at_once, monkeypatch):
    """Half a piece is taken back when it can be, before anything else is written."""
    path = tmp_path / "file"
    with OutputFile(str(path), "the file", tell=told) as file:
        with monkeypatch.context() as patched:
            patched.setattr(os, "ftruncate", failing(errno.EIO))
            with room_for(2):
                file.write(b"piece")
            assert path.read_bytes() == b"pi"
            file.write(b"next")
            assert path.read_bytes() == b"pi"
        file.look_after()
        assert path.read_bytes() == b"piecenext"


# --- and a file that is taken away ---------------------------------------------------------------------------------


@posix
def test_a_file_that_is_deleted(tmp_path, told, at_once):
    """It begins anew, with what a file begins with, and says what is gone; also where its folder went first."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    with OutputFile(str(path), "the file", tell=told, remark=remark) as file:
        file.begin_with(b"head\n")
        file.write_line("one")
        file.look_after()
        assert told.what == []
        path.unlink()
        file.look_after()
        file.write_line("two")
        hole = f"head\n#Remark: tlslab: %s missing here: somebody has deleted {path}\n"
        assert path.read_text() == hole % "1 line is" + "two\n"
        shutil.rmtree(path.parent)
        file.look_after()
        file.write_line("three")
        path.parent.mkdir()
        file.look_after()
        file.write_line("four")
        assert path.read_text() == hole % "2 lines are" + "four\n"
    assert [kind for kind, *_ in told.what] == [EvidenceEnded, EvidenceResumed] * 2


@posix
def test_a_folder_that_is_put_back(tmp_path, told, at_once):
    """What is written meanwhile is in the file, wherever that is; where there is none yet, it waits for the folder."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    with (
        OutputFile(str(here / "one"), "one", follows_name=True, tell=told) as one,
        OutputFile(str(here / "two"), "two", follows_name=True, tell=told) as two,
    ):
        one.write_line("1")
        here.rename(there)
        one.write_line("2")
        assert told.what == []
        two.write_line("1")
        assert told.what == [(EvidenceEnded, EvidenceEnd.NOT_THERE, f"{here / 'two'}: No such file or directory")]
        there.rename(here)
        one.write_line("3")
        two.look_after()
        assert told.what[1:] == [(EvidenceResumed, 0)]
    assert (here / "one").read_text() == "1\n2\n3\n"
    assert (here / "two").read_text() == "1\n"


def test_a_head_is_nothing_that_is_missing(tmp_path):
    """What a file begins with waits with the first line for a full disk, and does not count."""
    path = tmp_path / "file"
    with room_for(3), OutputFile("", "the file", follows_name=True) as file:
        file.turn_to(str(path), lambda: b"#head\n")
        file.write_line("x")
    assert path.read_text() == ""
    assert file.failure == f"the file is not whole: 1 line is missing ({path}: File too large)"


@posix
def test_a_torn_file_that_is_moved(tmp_path, at_once, monkeypatch):
    """Half a piece is taken back there, too, before more is written."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    with OutputFile(str(here / "file"), "the file", follows_name=True) as file:
        with monkeypatch.context() as patched, room_for(2):
            patched.setattr(os, "ftruncate", failing(errno.EIO))
            file.write(b"piece")
        here.rename(there)
        file.write(b"next")
    assert (there / "file").read_bytes() == b"piecenext"
