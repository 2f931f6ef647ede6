"""How the lab speaks to a person."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.style import Style

from tlslab.cli.console import STYLES, LabConsole, PatientStream, console, prose
from tlslab.lab.shell import program


def written(text: str, width: int = 40, **options: str) -> list[str]:
    """What `prose` prints."""
    file = io.StringIO()
    prose(LabConsole(patient=False, file=file, width=width, soft_wrap=True), text, **options)
    return file.getvalue().splitlines()


def test_prose():
    """Lines are filled anew, paragraphs and entries of lists are kept, long words too."""
    text = "one two three\nfour five six seven eight\n\n- an entry that is longer than a line\n- and " + "x" * 50
    assert written(text, first="  ") == [
        "  one two three four five six seven",
        "  eight",
        "",
        "  - an entry that is longer than a line",
        "  - and",
        "    " + "x" * 50,
    ]


def test_prose_with_a_beginning():
    """What stands before the first line stands there alone."""
    assert written("Mind: one two three four five six seven eight", rest="      ") == [
        "Mind: one two three four five six seven",
        "      eight",
    ]


@pytest.mark.parametrize(
    ("on_path", "started_as", "words"),
    [
        (True, "/x/tlslab", ["tlslab"]),
        (False, ".venv/bin/tlslab", [".venv/bin/tlslab"]),
        (False, "/x/tlslab/__main__.py", [..., "-m", "tlslab"]),
    ],
)
def test_program(monkeypatch, tmp_path, on_path, started_as, words):
    """What is printed to be typed works in the shell from which the lab was started."""
    if on_path:
        name = tmp_path / ("tlslab.exe" if os.name == "nt" else "tlslab")
        name.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [started_as])
    assert program()[1:] == words[1:]
    assert words[0] in (..., program()[0])


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color(monkeypatch, variables, coloured):
    """NO_COLOR is respected."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = io.StringIO()
    out = LabConsole(patient=False, file=file, force_terminal=True)
    out.print("x", style="red")
    assert ("\x1b[31m" in file.getvalue()) is coloured


@pytest.mark.skipif(os.name == "nt", reason="no such device")
@pytest.mark.parametrize("how", [LabConsole.print, LabConsole.write])
@pytest.mark.parametrize("patient", [False, True])
def test_a_full_disk(patient, how):
    """A patient console goes on without what cannot be written; another one fails."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        out = LabConsole(patient=patient, file=full)
        if patient:
            how(out, "x")
            how(out, "y")
        else:
            with pytest.raises(OSError, match="No space left"):
                how(out, "x")
            out.fall_silent()
        assert out.quiet is not patient


@pytest.mark.parametrize(
    ("room", "written"),
    [
        (0, "tlslab: 3 lines are missing here: File too large\nfour\n"),
        (4, "one\ntlslab: 2 lines are missing here: File too large\nfour\n"),
        (6, "one\ntw\ntlslab: 2 lines are missing here: File too large\nfour\n"),
        (12, "one\ntwo\nthre\ntlslab: 1 line is missing here: File too large\nfour\n"),
        (14, "one\ntwo\nthree\nfour\n"),
    ],
)
def test_a_disk_that_has_room_again(tmp_path, room, written):
    """What was not shown is counted in its place, and no line runs into another."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open(tmp_path / "file", "w", encoding="utf-8") as file:
        out = LabConsole(patient=True, file=file)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            out.write("one\ntwo\n")
            out.write("three\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        out.write("four\n")
    assert (tmp_path / "file").read_text() == written


def test_a_standard_output_that_is_closed():
    """There is nothing to say, and nothing fails (`tlslab serve >&-`)."""
    stream = PatientStream(None)
    assert (stream.write("x"), stream.isatty()) == (1, False)


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", rb"J\xfcrgen \u5c71"), ("utf-8", "Jürgen 山".encode())])
def test_a_console_that_lacks_a_character(monkeypatch, encoding, shown):
    """What its encoding does not have is written as an escape; it is no reason to end."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    console().print("Jürgen 山")
    stream.flush()
    assert stream.buffer.getvalue().rstrip() == shown


def light(channel: int) -> float:
    """How much light a channel of sRGB gives (WCAG 2.2, relative luminance)."""
    part = channel / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("name", sorted(STYLES))
def test_colours_can_be_read_on_black_and_on_white(name):
    """Each contrast is at least 3.8 (4.58 is the most that both can have at once); yellow has 1.6 on white."""
    color = Style.parse(STYLES[name]).color
    if color is not None and color.number is not None:
        red, green, blue = color.get_truecolor()
        luminance = 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue)
        assert min((luminance + 0.05) / 0.05, 1.05 / (luminance + 0.05)) >= 3.8
        assert color.number > 15  # those below it are the terminal's own
