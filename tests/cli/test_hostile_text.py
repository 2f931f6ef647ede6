"""Nothing from outside drives the terminal: every command, with hostile text in each place that somebody else fills."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from rich.table import Table
from rich.text import Text

from tlslab import events as e
from tlslab.cli import main, panel
from tlslab.cli.console import LabConsole, complain, prose
from tlslab.cli.show import _print as show_scenario
from tlslab.cli.timeline import Timeline
from tlslab.cli.trace import show as show_report
from tlslab.errors import LabError
from tlslab.lab.options import Options
from tlslab.scenario.load import load
from tlslab.text import SPACES
from tlslab.trace.frames import Frame, Piece, PieceKind
from tlslab.trace.report import explain
from tlslab.trace.tshark import Trace

READABLE = "Jürgen 山田\u3000\U0001f600"
# Every character that Unicode lets move, hide or turn something, and what rich would take for its own.
CONTROLS = "".join(map(chr, (*range(1, 10), *range(11, 32), *range(127, 160)))) + (
    "\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041"
)
HOSTILE = f"\x1b]0;title\x07\x1b[2J\x1b[31m\x9b31m{CONTROLS}[red]x[/red][link=http://x]:smile:{READABLE}"
FILE_NAME = os.fsdecode(os.fsencode("\x1b[31m\x9b\u202e\u2028[red]x\n\x07" + READABLE) + b"\xff")
STYLE = re.compile(r"\x1b\[[0-9;]*m")
posix = pytest.mark.skipif(os.name == "nt", reason="no such names of files")


def harmless(text: str, *, terminal: bool = False) -> bool:
    """Whether text does nothing to a terminal but fill lines; rich's own styling is allowed on one."""
    rest = STYLE.sub("", text) if terminal else text
    return all(one == "\n" or one.isprintable() or one in SPACES for one in rest)


def a_console(*, terminal: bool) -> tuple[LabConsole, io.StringIO]:
    """A console, and what was written to it."""
    file = io.StringIO()
    return LabConsole(
        patient=False, file=file, width=100, force_terminal=terminal, color_system="standard" if terminal else None
    ), file


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "say",
    [
        lambda out: out.print(HOSTILE),
        lambda out: out.print(f"a\n{HOSTILE}", style="bold"),
        lambda out: out.print(Text.assemble(("x", "bold"), HOSTILE)),
        lambda out: out.print(Text(HOSTILE, style="red"), end=""),
        lambda out: out.rule(Text(HOSTILE)),
        lambda out: out.print(_table(), soft_wrap=False),
        lambda out: prose(out, f"{HOSTILE}\n- {HOSTILE}", first=HOSTILE),
    ],
)
def test_the_console_itself(terminal, say):
    """Whoever prints, and however: what drives a terminal is an escape, and what people write is as they wrote it."""
    out, file = a_console(terminal=terminal)
    say(out)
    assert harmless(file.getvalue(), terminal=terminal)
    for shown in ("\\x1b]0;title", "\\x9b31m", "\\u202e", "[red]x[/red]", "[link=http://x]:smile:", "Jürgen", "山田"):
        assert shown in re.sub(r"\s+", "", STYLE.sub("", file.getvalue()))


def _table() -> Table:
    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    return table


def test_styles_are_still_styles():
    """On a terminal, the console's own."""
    out, file = a_console(terminal=True)
    out.print(Text("x", style="bold red"))
    assert file.getvalue() == "\x1b[1;31mx\x1b[0m\n"


def test_no_name_begins_a_line(capsys):
    """A line end in a file's name forges no second complaint."""
    complain(LabError("cannot read a\ntlslab: all is well", "try b\nc"))
    assert capsys.readouterr().err == "tlslab: cannot read a\\ntlslab: all is well\n  hint: try b\\nc\n"


@pytest.mark.parametrize(
    "words",
    [
        ["HOSTILE"],
        ["--HOSTILE"],
        ["list", "HOSTILE"],
        ["list", "--symptom", "HOSTILE"],
        ["list", "--symptom", "HOSTILE", "--json"],
        ["show", "HOSTILE"],
        ["show", "/HOSTILE.yaml"],
        ["show", "session-lifetime", "--json=HOSTILE"],
        ["show", "large-post-deadlock", "--commands=HOSTILE"],
        ["validate", "HOSTILE", "/HOSTILE.yaml"],
        ["profiles", "HOSTILE"],
        ["schema", "HOSTILE"],
        ["trace", "HOSTILE"],
        ["trace", "x", "--keylog", "HOSTILE", "--stream", "HOSTILE"],
        ["pki", "HOSTILE"],
        ["pki", "export", "/dev/null/HOSTILE"],
        ["pki", "export", "x", "--identity", "HOSTILE"],
        ["pki", "export", "x", "--format", "HOSTILE"],
        ["demo", "--speed", "HOSTILE"],
        ["demo", "--keylog", "/dev/null/HOSTILE"],
        ["demo", "--logs", "/dev/null/HOSTILE"],
        ["demo", "--pcapng", "/dev/null/HOSTILE"],
        ["serve", "HOSTILE"],
        ["serve", "-s", "HOSTILE"],
        *(
            ["serve", "-s", "session-lifetime", "--port", "0", option, value]
            for option, value in (
                ("--fix", "HOSTILE"),
                ("--set", "HOSTILE"),
                ("--set", "timers.HOSTILE=1"),
                ("--set", "timers.ssl_renegotiation=HOSTILE"),
                ("--set", "timers.ssl_renegotiation=[HOSTILE"),
                ("--speed", "HOSTILE"),
                ("--host", "HOSTILE"),
                ("--san", "HOSTILE"),
                ("--port", "HOSTILE"),
                ("--events", "/dev/null/HOSTILE"),
                ("--keylog", "/dev/null/HOSTILE"),
                ("--logs", "/dev/null/HOSTILE"),
                ("--pcapng", "/dev/null/HOSTILE"),
                ("--pcapng-limit", "HOSTILE"),
                ("--ready-file", "/dev/null/HOSTILE"),
            )
        ),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "hostile", [HOSTILE, pytest.param(FILE_NAME, marks=[posix, pytest.mark.soak])], ids=["controls", "file name"]
)
def test_what_was_typed(run, words, hostile):
    """Each argument of each command comes back in a complaint, if at all, as text that does nothing."""
    result = run(*[word.replace("HOSTILE", hostile) for word in words])
    assert harmless(result.output)
    assert result.exit_code or words[:1] == ["list"]


@posix
@pytest.mark.parametrize("words", [["pki", "show"], ["pki", "show", "--json"], ["pki", "export", "{}/out"]])
def test_names_of_folders(run, home, tmp_path, words):
    """The lab's home and the folder of an export may have any name."""
    strange = tmp_path / FILE_NAME
    strange.symlink_to(home)
    result = run(*[word.format(tmp_path / f"2{FILE_NAME}") for word in words], TLSLAB_HOME=str(strange))
    assert result.exit_code == 0
    assert harmless(result.output)


@pytest.mark.parametrize("columns", ["\u00b2", HOSTILE, "0", "-1", "9" * 20, "9" * 5000, ""])
def test_the_width_of_the_environment(run, columns):
    """What no terminal has is no width: no traceback, and no line of gigabytes."""
    result = run("show", "session-lifetime", COLUMNS=columns, LINES=columns)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) < 400


@pytest.mark.parametrize("name", ["SSLKEYLOGFILE", "TLSLAB_SSLKEYLOGFILE", "TLSLAB_HOME"])
def test_files_of_the_environment(run, name):
    """A variable that names no file is told of, harmlessly."""
    result = run("serve", "-s", "session-lifetime", "--port", "0", **{name: f"/dev/null/{HOSTILE}"})
    assert result.exit_code == 1
    assert harmless(result.output)
    assert "/dev/null/\\x1b]0;title" in result.output


def test_a_defect(monkeypatch):
    """A traceback quotes whatever went wrong."""

    def fail() -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr("tlslab.scenario.catalogue.listed", fail)
    result = CliRunner().invoke(main, ["list"], prog_name="tlslab")
    assert result.exit_code == 1
    assert harmless(result.output)
    assert "Traceback" in result.stderr
    assert "a defect of tlslab; please report it" in result.stderr


# --- scenario files ---------------------------------------------------------------------------------------------


def scenario_text(text: str) -> str:
    """A sound scenario with this text in its title, story, symptoms, sources, a fix and its title."""
    quoted = json.loads(json.dumps(load("large-post-deadlock").data))
    quoted |= {"title": text, "story": f"{text}\n\n{text}", "symptoms": [text], "sources": [text], "teach": text}
    quoted["fixes"]["negotiate-on-binding"] |= {"title": text, "says": text, "costs": text}
    return yaml.safe_dump(quoted)


def test_a_scenario_file_that_says_much(run, tmp_path):
    """What YAML lets through is refused with its place where it is a control; the rest is shown, and does nothing."""
    place = tmp_path / "x.yaml"
    for control in ("\x1b[31m", "\x07", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028"):
        place.write_text(scenario_text(f"a{control}"), encoding="utf-8")
        result = run("validate", str(place))
        assert result.exit_code == 1
        assert re.search(r"x\.yaml:\d+:\d+: the character '\\\w+' has no place in a text", result.output)
        assert harmless(result.output)
    place.write_text(scenario_text(f"\u200b\ufeff[red]x[/red][link=http://x]{READABLE}"), encoding="utf-8")
    assert run("validate", str(place)).exit_code == 0
    for words in (["show", str(place)], ["show", str(place), "--json"], ["show", str(place), "--fixes"]):
        assert harmless(run(*words).output)
    assert "\\u200b\\ufeff[red]x[/red][link=http://x]Jürgen 山田" in run("show", str(place)).output


@pytest.mark.parametrize(
    "content",
    [
        "# \x1b[31m comment\ntitle: [\n",
        "title: !\x9bx y\n",
        "a\u202e: &\u2066 *\u2066\n? [x]\n: 1\n",
        '"\\e[31m": 1\n"\\e[31m": 2\n',
        "format_version: '\u202e'\nprofile: \u2066\nfixes: {\u202e: {\u2066: 1}}\nsites: [{path: '\u2028'}]\n",
        f"{READABLE}: [red]\n",
    ],
)
@pytest.mark.parametrize("name", ["x", pytest.param(FILE_NAME, marks=posix)])
def test_a_scenario_file_that_is_wrong(run, tmp_path, content, name):
    """Excerpts, keys, values and the file's name, in one line each."""
    place = tmp_path / f"{name}.yaml"
    place.write_text(content, encoding="utf-8")
    for words in (["validate", str(place)], ["show", str(place)], ["serve", "-s", str(place)]):
        result = run(*words)
        assert result.exit_code == 1
        assert harmless(result.output)
        assert all(re.search(r"\.yaml:\d+:\d+: ", line) for line in result.output.splitlines())


@pytest.mark.parametrize("terminal", [False, True])
def test_the_panel_and_show(running, terminal):
    """A title, a story, a fix and the name of a file, whatever was let through."""
    loaded = load("large-post-deadlock")
    fixes = {
        name: fix.model_copy(update={"title": HOSTILE, "says": HOSTILE}) for name, fix in loaded.scenario.fixes.items()
    }
    texts = {"title": HOSTILE, "story": HOSTILE, "symptoms": (HOSTILE,), "fixes": fixes}
    hostile = replace(loaded, scenario=loaded.scenario.model_copy(update=texts))
    one = running(Options("large-post-deadlock", port=0))
    strange = replace(
        one,
        loaded=hostile,
        plan=replace(one.plan, scenario=FILE_NAME),
        pki=replace(one.pki, folder=Path(FILE_NAME)),
        options=replace(one.options, settings=(HOSTILE,), scenario=FILE_NAME),
        home=Path(one.home),
    )
    out, file = a_console(terminal=terminal)
    panel.compose(strange)(out)
    show_scenario(hostile, FILE_NAME, out)
    assert harmless(file.getvalue(), terminal=terminal)
    assert "Jürgen" in file.getvalue()


# --- what peers send --------------------------------------------------------------------------------------------


def hostile_event(kind: type[e.Event]) -> e.Event:
    """An event with hostile text wherever a text can be."""
    values: dict[str, Any] = {}
    for one in fields(kind):
        kinds = str(one.type)
        number = 1.0 if "float" in kinds else 1
        values[one.name] = (
            HOSTILE if "str" in kinds and "tuple" not in kinds else (HOSTILE,) if "tuple" in kinds else number
        )
    return kind(**values)


TEXTS = [
    kind for kind in sorted(e.ALL, key=lambda kind: kind.__name__) if any("str" in str(f.type) for f in fields(kind))
]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
def test_the_timeline(terminal, verbose):
    """Requests, certificates, alerts and faults, whatever they say; one line each, but for the lines of a defect."""
    seen = 0
    for kind in TEXTS:
        out, file = a_console(terminal=terminal)
        try:
            Timeline(out, verbose).show([hostile_event(kind)])
        except (KeyError, AttributeError, TypeError, ValueError):
            continue  # a value of an enumeration, which no peer chooses
        text = file.getvalue()
        seen += bool(text)
        assert harmless(text, terminal=terminal), kind
        assert terminal or text.count("\n") <= 1 + (kind is e.InternalFault), kind
    assert seen > 5


def test_events_for_programs(monkeypatch, tmp_path):
    """JSON stays JSON, and prints."""
    from tlslab.lab.sinks import event_lines, write_ready_file

    event = e.RequestReceived(0.5, 1, "site", HOSTILE, HOSTILE, "1.1", 0, False, HOSTILE, HOSTILE)
    line = event_lines([event])
    assert harmless(line)
    assert json.loads(line)["target"] == HOSTILE
    write_ready_file(tmp_path / "ready", {"x": HOSTILE})
    assert harmless((tmp_path / "ready").read_text())
    assert json.loads((tmp_path / "ready").read_text()) == {"x": HOSTILE}


@pytest.mark.parametrize("terminal", [False, True])
def test_a_capture(terminal):
    """Messages, addresses and notes of somebody else's capture."""
    ends = ((HOSTILE, 1), (HOSTILE, 443))
    pieces = (
        Piece(PieceKind.HANDSHAKE, "ClientHello", session_id=HOSTILE),
        Piece(PieceKind.REQUEST, f"GET /{HOSTILE}", content_length=5),
        Piece(PieceKind.RESPONSE, HOSTILE, status=403),
        Piece(PieceKind.ALERT, HOSTILE, fatal=True),
        Piece(PieceKind.HANDSHAKE, HOSTILE),
    )
    frames = tuple(Frame(number, number * 2.0, 0, *ends, pieces=(piece,)) for number, piece in enumerate(pieces))
    out, file = a_console(terminal=terminal)
    show_report(explain(Trace(frames, (HOSTILE,))), out)
    assert harmless(file.getvalue(), terminal=terminal)
    assert "GET /" in file.getvalue()


TSHARK = """#!{python}
import os, sys
sys.stderr.buffer.write(b"tshark: \\x1b[31m\\xff\\x9b damage\\n")
sys.exit(2)
"""


@posix
@pytest.mark.parametrize("name", ["x", FILE_NAME])
def test_what_tshark_complains_of(run, tmp_path, name):
    """Its standard error comes back in the lab's own words, and does nothing."""
    program = tmp_path / "bin" / "tshark"
    program.parent.mkdir()
    program.write_text(TSHARK.format(python=sys.executable))
    program.chmod(0o700)
    capture = tmp_path / name
    capture.write_bytes(b"\x0a\x0d\x0d\x0a")
    result = run("trace", str(capture), PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert result.exit_code == 1
    assert "tshark cannot read" in result.output
    assert harmless(result.output)
