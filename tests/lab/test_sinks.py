"""What a lab tells programs: events as JSON, and the ready file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
from enum import IntEnum
from operator import attrgetter
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab import events as e
from tlslab.errors import LabError
from tlslab.lab.sinks import event_lines, tell_ready, write_ready_file
from tlslab.types import HandshakeKind

posix = pytest.mark.skipif(os.name == "nt", reason="pipes with names, modes and /dev/full are POSIX")


def test_event_lines():
    """The type's name under `event`, then the fields; each event is a line."""
    event = e.CertificateRequested(1.23456789, 2, "site", HandshakeKind.FIRST, ("CN=a",), 9)
    first, second = event_lines([event, e.HelloRequestSent(2, 2, "site")]).splitlines(keepends=True)
    assert json.loads(first) == {
        "event": "CertificateRequested",
        "at": 1.234568,
        "connection": 2,
        "binding": "site",
        "during": "handshake",
        "issuers": ["CN=a"],
        "issuers_bytes": 9,
    }
    assert second == '{"event": "HelloRequestSent", "at": 2, "connection": 2, "binding": "site"}\n'
    assert event_lines([]) == ""


class Name(str):
    """A text that is more than one."""


class Number(IntEnum):
    """A number that has a name."""

    ONE = 1


STRANGE = [
    *("", "site", 'a"\\/\r\n\x00\x7f', "z\u00fc\u2028\ud800\U0001f600", Name('"'), HandshakeKind.FIRST),
    *(True, False, None, 0, 1, -1, 2**70, Number.ONE),
    *(0.0, -0.0, 0.1, 1e22, 5e-324, math.inf, -math.inf, math.nan),
    *((), ("CN=a", "CN=b"), (1, None, (True, 1.5)), ["a"], {"a": (1, "b"), 2: None}, {"event": "x"}),
    *(b"x", PurePosixPath("/a"), frozenset({1})),
]


@pytest.mark.parametrize("kind", sorted(e.ALL, key=attrgetter("__name__")))
def test_an_event_is_what_json_makes_of_it(kind):
    """Whatever stands in its fields: the quick way to its line and the standard library's agree in every byte."""
    names = [field.name for field in dataclasses.fields(kind)]
    ats = [0.0, 1, 1.23456789, 1e300, math.nan]
    for number, value in enumerate(STRANGE):
        at = ats[number % len(ats)]
        event = kind(at, *[value] * (len(names) - 1))
        content = {"event": kind.__name__} | dict.fromkeys(names, value) | {"at": round(at, 6)}
        assert event_lines([event]) == json.dumps(content, default=str) + "\n"


@given(st.floats(allow_nan=False) | st.floats(0, 1e10) | st.integers(0, 10**12).map(lambda count: count / 1e6))
def test_a_time_is_rounded_to_microseconds(at):
    """As `round` has it, and written as JSON has it."""
    line = event_lines([e.HelloRequestSent(at, 1, "")])
    assert line.partition('"at": ')[2].partition(",")[0] == json.dumps(round(at, 6))


def test_each_event_has_its_own_time():
    """Those of a step have one in common, but nothing rests on that."""
    times = [1.0, 2.0, 2.0, 1.0, 1]
    lines = event_lines([e.HelloRequestSent(at, 1, "") for at in times]).splitlines()
    assert [repr(json.loads(line)["at"]) for line in lines] == [repr(at) for at in times]


def test_ready_file(tmp_path):
    """It replaces what was there as a whole, and leaves nothing beside it."""
    path = tmp_path / "ready.json"
    path.write_text("of the last lab")
    write_ready_file(path, {"pid": 1})
    assert json.loads(path.read_text()) == {"pid": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_ready_on_standard_output(capsys):
    """One line, for whoever started it and reads."""
    tell_ready("-", {"pid": 1, "urls": ["a"]})
    assert capsys.readouterr().out == '{"pid": 1, "urls": ["a"]}\n'


@posix
def test_a_ready_file_with_a_token_is_its_owners(tmp_path):
    """Nobody else reads it; one without may be read as the umask says."""
    for content, mode in (({"pid": 1}, 0o644), ({"control": {"token": "x"}}, 0o600)):
        before = os.umask(0o022)
        tell_ready(str(tmp_path / "ready.json"), content)
        os.umask(before)
        assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == mode


@posix
def test_ready_file_follows_no_link(tmp_path):
    """A link that somebody has put where the file goes, or its draft by the process id, is not followed."""
    path, other = tmp_path / "ready.json", tmp_path / "other"
    other.write_text("untouched")
    path.symlink_to(other)
    (tmp_path / f".ready.json.{os.getpid()}").symlink_to(other)
    write_ready_file(path, {"pid": 1})
    assert (path.is_symlink(), json.loads(path.read_text())) == (False, {"pid": 1})
    assert other.read_text() == "untouched"


@posix
def test_ready_file_is_a_file(tmp_path):
    """A device or a pipe is not replaced."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(LabError, match="it is there, and no file"):
        write_ready_file(path, {})
    assert list(tmp_path.iterdir()) == [path]
