"""`tlslab trace`: what a person sees of a report, and what is wrong with a command line. tshark is not needed here."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from tlslab.cli.console import LabConsole
from tlslab.cli.trace import show
from tlslab.trace.frames import Frame, Piece, PieceKind
from tlslab.trace.report import explain
from tlslab.trace.tshark import Trace

SERVER = ("192.0.2.2", 443)
HELLO = Piece(PieceKind.HANDSHAKE, "ClientHello")
BODY, PART = Piece(PieceKind.BODY, size=1000), Piece(PieceKind.PARTIAL, size=300)
POST = Piece(PieceKind.REQUEST, "POST /a", 80, content_length=50_000)


def stream(number, *lines):
    """Frames of one connection: (second, C or S, pieces, flags)."""
    client = ("192.0.2.1", 50000 + number)
    for count, (at, who, pieces, *flags) in enumerate(lines, 1):
        source, target = (client, SERVER) if who == "C" else (SERVER, client)
        own: dict[str, Any] = dict.fromkeys(flags, True)
        yield Frame(number * 100 + count, float(at), number, source, target, pieces=tuple(pieces), **own)


@pytest.fixture
def shown():
    """Return a function that gives what is printed for frames."""

    def show_frames(*frames, notes=()):
        file = io.StringIO()
        out = LabConsole(patient=False, file=file, width=100, soft_wrap=True, highlight=False, markup=False)
        show(explain(Trace(tuple(frames), notes)), out)
        return file.getvalue()

    return show_frames


def _said(text):
    """The lines of the ladder: frame, and what was said."""
    return [
        (int(line.split()[0]), line.partition(" -> ")[2][3:])
        for line in text.splitlines()
        if "  C -> S  " in line or "  S -> C  " in line
    ]


def test_a_ladder(shown):
    """One line for what a side sent in a frame, and one for a body over many."""
    finished = Piece(PieceKind.HANDSHAKE, "Finished")
    bodies = [(1, "C", [BODY])] * 3 + [(1, "C", [PART]), (1, "C", [BODY]), (1, "C", [PART])]
    lines = [
        (0, "C", [HELLO]),
        (0, "S", [Piece(PieceKind.CHANGE_CIPHER_SPEC), finished]),
        (1, "C", [POST, BODY]),
        *bodies,
    ]
    text = shown(*stream(0, *lines, (9, "S", [], "rst")))
    assert _said(text) == [
        (1, "ClientHello"),
        (2, "ChangeCipherSpec, Finished"),
        (3, "POST /a (body: 50,000 bytes), 1,000 bytes of the body"),
        (4, "... 4,000 bytes of the body in 6 frames, 300 bytes of a message that is not whole yet"),
        (10, "RST: resets the connection"),
    ]
    assert "8.0 s of silence, turn: client" in text
    assert "Longest silence: 8.0 s, between frame 9 and frame 10. It was the client's turn." in text
    assert "What went wrong: POST /a was never answered." in text


def test_a_body_with_a_pause(shown):
    """A body that pauses for more than a second is two lines."""
    text = shown(*stream(0, (0, "C", [HELLO]), (1, "C", [BODY]), (1, "C", [BODY]), (5, "C", [BODY])))
    assert [said for _, said in _said(text)] == [
        "ClientHello",
        "... 2,000 bytes of the body in 2 frames",
        "... 1,000 bytes of the body",
    ]
    assert "still open when the capture ends" in text


def test_the_order_of_the_wire(shown):
    """What stands behind a body is said behind it, and behind one over many frames on a line of its own."""
    alert = Piece(PieceKind.ALERT, "close_notify", fatal=False)
    answer = Piece(PieceKind.RESPONSE, "200", status=200)
    text = shown(
        *stream(0, (0, "C", [HELLO]), (1, "C", [BODY]), (1, "C", [BODY, HELLO]), (2, "S", [answer, BODY, alert]))
    )
    assert [said for _, said in _said(text)] == [
        "ClientHello",
        "... 2,000 bytes of the body in 2 frames",
        "ClientHello",
        "200, 1,000 bytes of the body, alert close_notify",
    ]


def test_parts_of_a_message(shown):
    """A message over several frames is one line, with the time of its first byte."""
    whole = Piece(PieceKind.HANDSHAKE, "ServerHello")
    text = shown(*stream(0, (0, "C", [HELLO]), (1, "S", [PART]), (1, "S", [PART]), (1, "S", [whole])))
    assert _said(text) == [(1, "ClientHello"), (2, "ServerHello")]


def test_the_deadlock(shown):
    """The silence stands in the ladder, both wait, and the scenario that shows it is named."""
    ask, again = Piece(PieceKind.HANDSHAKE, "HelloRequest"), (1, "C", [HELLO])
    text = shown(
        *stream(0, (0, "C", [HELLO]), (1, "C", [POST]), (1, "C", [BODY]), (1, "S", [ask]), again, (61, "S", [], "rst"))
    )
    assert "60.0 s of silence, turn: server (both wait)" in text
    assert "    tlslab show large-post-deadlock\n" in text


def _failing(number):
    answer = Piece(PieceKind.RESPONSE, "403" if number % 2 else "503", status=403 if number % 2 else 503)
    request = Piece(PieceKind.REQUEST, "GET /a")
    return stream(
        number, (0, "C", [HELLO]), (1, "C", [request]), (1, "S", [answer]), (2, "C", [], "fin"), (2, "S", [], "fin")
    )


def test_many(shown):
    """Many connections are a table, and one of each kind of failure in full."""
    text = shown(*(frame for number in range(20) for frame in _failing(number)))
    table = text.partition("\n\n")[0].splitlines()
    assert len(table) == 21
    row = "1 192.0.2.1:50001 2.0 s 403 1.0 s server closed by client the answer was 403"
    assert " ".join(table[2].split()) == row
    assert text.count("tcp.stream") == 2
    assert "18 more, message by message: tlslab trace FILE --stream N" in text


def _well(number):
    pieces = [Piece(PieceKind.REQUEST, "GET /a", ends=True)], [Piece(PieceKind.RESPONSE, "200", status=200, ends=True)]
    return stream(number, (0, "C", [HELLO]), (0.1, "C", pieces[0]), (0.2, "S", pieces[1]))


def test_many_good_ones(shown):
    """Where nothing failed none is shown in full, and that is said."""
    text = shown(*(frame for number in range(6) for frame in _well(number)))
    assert text.endswith("\nNothing failed. Any of them, message by message: tlslab trace FILE --stream N\n")


def test_a_narrow_terminal():
    """A table is cut and a ladder goes on below itself; a pipe gets both whole."""
    hello = [Piece(PieceKind.HANDSHAKE, name) for name in ("ServerHello", "Certificate", "ServerKeyExchange")]
    frames = [frame for number in range(6) for frame in _failing(number)]
    few = [*stream(0, (0, "C", [HELLO]), (0, "S", hello))]
    for is_terminal in (True, False):
        file = io.StringIO()
        options: dict[str, Any] = {
            "force_terminal": is_terminal,
            "color_system": None,
            "soft_wrap": True,
            "highlight": False,
        }
        out = LabConsole(patient=False, file=file, width=60, markup=False, **options)
        show(explain(Trace(tuple(frames))), out)
        show(explain(Trace(tuple(few))), out)
        assert (max(map(len, file.getvalue().splitlines())) <= 60) is is_terminal
        assert file.getvalue().count("the answer was 403") == 4


def test_short_silences(shown):
    """Milliseconds are no question, and nobody is blamed for them."""
    text = shown(*_well(0))
    assert "There was no silence of a second or more." in text
    assert "turn" not in text


@pytest.mark.parametrize(
    ("paused", "said"), [(True, "Longest other silence: 60.0 s"), (False, "Longest silence: 60.0 s")]
)
def test_what_cannot_be_seen(shown, paused, said):
    """A silence of which nobody knows whose it was is told as that."""
    data = [Piece(PieceKind.DATA, size=900, encrypted=True)]
    answered = 5 if paused else 0.1
    text = shown(*stream(0, (0, "C", [HELLO]), (0, "C", data), (answered, "S", data), (answered + 60, "C", data)))
    assert said in text
    assert "Whose turn it was cannot be seen. The server spoke last (encrypted)." in " ".join(text.split())


def test_few(shown):
    """Five are all shown in full, and no table."""
    text = shown(*(frame for number in range(5) for frame in _failing(number)))
    assert (text.count("tcp.stream"), "whose turn" in text) == (5, False)


def test_notes(shown):
    """What is to be known about the capture comes first."""
    assert shown(*stream(0, (0, "C", [HELLO])), notes=("the capture ends early",)).startswith(
        "Note: the capture ends early.\n"
    )


def test_no_tshark(run, tmp_path):
    """A machine without tshark is told what to install."""
    capture = tmp_path / "a.pcapng"
    capture.write_bytes(b"x")
    result = run("trace", str(capture), PATH=str(tmp_path), ProgramFiles=str(tmp_path), ProgramW6432=str(tmp_path))
    assert result.exit_code == 1
    assert "tshark is needed" in result.output
    assert "apt install tshark" in result.output


@pytest.mark.skipif(os.name == "nt", reason="Windows starts what its name says is a program")
def test_a_broken_tshark(run, tmp_path):
    """A tshark that cannot be started is named, in words."""
    for name, mode in (("a.pcapng", 0o644), ("tshark", 0o755)):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(mode)
    result = run("trace", str(tmp_path / "a.pcapng"), PATH=str(tmp_path))
    assert result.exit_code == 1
    assert f"cannot start {tmp_path / 'tshark'}: Exec format error" in result.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere.pcapng"], 1, "cannot read the capture nowhere.pcapng: No such file"),
        (["."], 1, "cannot read the capture .: "),
        (["empty"], 1, "the capture empty is empty"),
        (["-"], 2, "the capture cannot come from standard input"),
        ([""], 2, "the capture has no name"),
        (["some", "--keylog", ""], 2, "the key log has no name"),
        (["some", "--keylog", "nowhere"], 1, "cannot read the key log nowhere: No such file"),
        (["some", "--stream", "x"], 2, "'x' is not a valid integer"),
        ([], 2, "Missing argument 'FILE'"),
    ],
)
def test_mistakes(run, tmp_path, monkeypatch, words, code, said):
    """What can be mended is said in a line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "some").write_bytes(b"x")
    result = run("trace", *words)
    assert (result.exit_code, said in result.output) == (code, True), result.output
