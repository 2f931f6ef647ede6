"""Errors that a person can mend say what and where."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tlslab.errors import (
    LabError,
    LocalMisuse,
    Problem,
    ScenarioError,
    UsageProblem,
    WireError,
    hint_of,
    in_words,
    reason_of,
    reason_with_file,
    shortage_of,
)


def test_a_lab_error_has_a_hint():
    """The message is its text; the hint stands beside it and may be missing."""
    error = LabError("port 8443 is in use", "try --port 0")
    assert (str(error), error.hint, LabError("x").hint) == ("port 8443 is in use", "try --port 0", "")


def test_a_scenario_error_tells_every_problem_with_its_place():
    """One line each, as editors and CI read them."""
    error = ScenarioError([Problem("a.yaml", 3, 5, "no such key"), Problem("a.yaml", 9, 1, "not a size")])
    assert str(error) == "a.yaml:3:5: no such key\na.yaml:9:1: not a size"
    assert len(error.problems) == 2


@pytest.mark.parametrize(
    ("kind", "is_lab_error"), [(UsageProblem, True), (ScenarioError, True), (LocalMisuse, False), (WireError, False)]
)
def test_only_what_a_person_can_mend_is_a_lab_error(kind, is_lab_error):
    """The command line catches LabError alone: a defect of ours must not look like the user's fault."""
    assert issubclass(kind, LabError) is is_lab_error


@pytest.mark.parametrize(
    ("error", "reason", "with_file"),
    [
        (OSError(errno.ENOENT, "No such file or directory"), "No such file or directory", "No such file or directory"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), "Is a directory", "/a: Is a directory"),
        (OSError("no number"), "no number", "no number"),
        (TimeoutError(), "TimeoutError", "TimeoutError"),
    ],
)
def test_the_reason_of_an_error(error, reason, with_file):
    """It is words, never a number in brackets."""
    assert (reason_of(error), reason_with_file(error)) == (reason, with_file)


NO_HINT, BUSY = ("", "another hint"), ("somebody has it", "wait")


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a"), "cannot write /a: No space left on device", "a hint"),
        (OSError(errno.EACCES, "Permission denied"), "cannot write /a: Permission denied", "another hint"),
        (OSError(errno.EBUSY, "Device or resource busy"), "cannot write /a: somebody has it", "wait"),
        (ValueError("embedded null byte"), "cannot write /a: embedded null byte", "a hint"),
    ],
)
def test_an_error_in_words(error, said, hint):
    """What failed, why, and what to try; some errors have words or a hint of their own."""
    with (
        pytest.raises(LabError) as caught,
        in_words("cannot write /a", "a hint", {errno.EACCES: NO_HINT, errno.EBUSY: BUSY}),
    ):
        raise error
    assert (str(caught.value), caught.value.hint, caught.value.__cause__) == (said, hint, error)


def test_what_is_no_error_of_the_system():
    """What is in words already stays so, and a defect stays one."""
    for error in (UsageProblem("no such name"), KeyError("defect")):
        with pytest.raises(type(error)) as caught, in_words("cannot write /a"):
            raise error
        assert caught.value is error
    with in_words("cannot write /a"):
        pass


@pytest.mark.parametrize("path", [".", "nowhere/file", "a\0b", "x" * 5000])
def test_real_errors(path, tmp_path, monkeypatch):
    """Nothing that the system says of a path shows its number."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError) as caught, in_words("cannot read it"):
        Path(path).read_bytes()
    assert str(caught.value).startswith("cannot read it: ")
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (OSError(errno.EMFILE, "Too many open files"), True),
        (ImportError("/x/termios.so: cannot open shared object file: Too many open files", path="/x"), True),
        (ImportError("no module named x"), False),
        (ValueError("Too many open files"), False),
    ],
)
def test_shortage_of(error, is_one):
    """What the system refused is told from a defect, in whatever words it came."""
    shortage = shortage_of(error)
    assert (shortage is not None) is is_one
    assert shortage is None or (hint_of(shortage), reason_of(shortage)) == (
        "let it open more files: ulimit -n 4096",
        "Too many open files",
    )


def test_every_refusal_has_a_hint():
    """One that nobody knows better, too; and a hint that somebody does know stays."""
    for given, hint in (("", "make room on that disk, or name a file on another"), ("do this", "do this")):
        with pytest.raises(LabError) as caught, in_words("cannot write x", given):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert caught.value.hint == hint
    assert hint_of(OSError(errno.EXDEV, "x"))
