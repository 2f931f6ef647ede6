"""Captures made by hand, without a lab, as Wireshark's programs see them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tlslab.capture.files import OutputFile
from tlslab.capture.recording import Capture
from tlslab.capture.segments import MAX_PAYLOAD
from tlslab.events import EntityBodyStalled, HelloRequestSent, ResponseSent, TimerExpired

EPOCH = 1_766_000_000.25
LAB = ("127.0.0.1", 8443)
LAB6 = ("fe80::1%lo", 8443)
Fields = list[dict[str, str]]
# What dissectors make of the payload is not looked at here, so no port may mean anything to them.
CHECKED = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "--disable-heuristic", "tls_tcp"]


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Capture]:
    """A capture in the file `capture.pcapng`."""
    with OutputFile(str(tmp_path / "capture.pcapng"), "the capture") as file:
        yield Capture(file, EPOCH, "tlslab 1.2", "scenario large-post-deadlock, fixes: none")


@pytest.fixture
def run(require_client: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a program where the capture is, and gives what it printed; it must succeed."""

    def go(program: str, *words: str) -> str:
        command = [require_client(program), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60.0, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return go


@pytest.fixture
def tshark(run: Callable[..., str]) -> Callable[..., Fields]:
    """Return a function that reads fields of every frame."""

    def read(*fields: str, file: str = "capture.pcapng") -> Fields:
        wanted = [word for field in fields for word in ("-e", field)]
        lines = run("tshark", "-2", "-r", file, *CHECKED, "-T", "fields", "-E", "separator=/t", *wanted).splitlines()
        return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]

    return read


def converse(capture: Capture, number: int, client: tuple[str, int], lab: tuple[str, int], ending: str) -> None:
    """One connection: pieces of all sizes, some of them seen before they are read; it ends in one of four ways."""
    wire = capture.open(number, client, lab, number)
    wire.settle()
    for step, size in enumerate((1, 1459, 1460, 1461, 40_000, 70_001, 700)):
        wire.received(bytes(range(256)) * (size // 256) + bytes(size % 256), number + step / 20)
        wire.sent(b"\xff" * size, number + step / 20)
        wire.sent(b"\x01", number + step / 20)
        wire.settle()
    wire.waiting(bytes(100_000), number + 0.3)
    wire.settle()
    wire.waiting(bytes(150_000), number + 0.4)
    wire.settle()
    if ending == "client":
        wire.received(bytes(150_000), number + 0.5)
        wire.peer_ended(number + 0.5, reset=False)
        wire.settle()
        wire.sent(b"late", number + 0.6)
        wire.ended(number + 0.6, reset=False)
    elif ending == "lab":
        wire.ended(number + 0.5, reset=False)
        wire.received(bytes(150_000 + 10), number + 0.5)
        wire.settle()
        wire.peer_ended(number + 0.6, reset=False)
    elif ending == "client resets":
        wire.peer_ended(number + 0.5, reset=True)
    else:
        wire.ended(number + 0.5, reset=True)
    wire.settle()


ENDINGS = {"client": "A", "lab": "A", "client resets": "RA", "lab resets": "RA"}


def test_nothing_is_wrong_with_a_packet(capture: Capture, tshark: Callable[..., Fields]) -> None:
    """Both versions of IP, all endings: no malformed frame, no wrong checksum, nothing odd to TCP's analysis."""
    for number, ending in enumerate(ENDINGS, 1):
        converse(capture, number, ("127.0.0.1", 50_000 + number), LAB, ending)
        converse(capture, 10 + number, ("fe80::2%lo", 50_000 + number), LAB6, ending)
    odd = ["tcp.analysis.flags", "_ws.malformed"]
    frames = tshark("ip.version", "ip.checksum.status", "tcp.checksum.status", "tcp.len", "_ws.expert.message", *odd)
    assert not [frame for frame in frames if any(frame[name] for name in odd)]
    frames = [frame for frame in frames if int(frame["tcp.len"]) <= MAX_PAYLOAD]  # merged: a partial checksum
    good = {tuple(frame.values())[:3] for frame in frames}
    assert good == {("4", "1", "1"), ("6", "", "1")}  # IPv6 has no checksum of its own
    messages = {word.split(" (")[0] for frame in frames for word in frame["_ws.expert.message"].split(",") if word}
    assert messages == {
        "Connection establish request",
        "Connection establish acknowledge",
        "This frame initiates the connection closing",
        "This frame undergoes the connection closing",
        "Connection finish",
        "Connection reset",
    }


def test_streams_are_complete(capture: Capture, tshark: Callable[..., Fields]) -> None:
    """Wireshark sees each connection whole: opened, spoken on, closed by both or reset."""
    for number, ending in enumerate(ENDINGS, 1):
        converse(capture, number, ("127.0.0.1", 50_000 + number), LAB, ending)
    frames = tshark("tcp.stream", "tcp.completeness")
    by_stream = {frame["tcp.stream"]: int(frame["tcp.completeness"]) for frame in frames}
    opened_and_spoken, fin, rst = 0b1111, 0b10000, 0b100000
    ends = [fin, fin, rst, rst]
    assert list(by_stream.values()) == [opened_and_spoken | end for end in ends]


def test_a_reused_port(capture: Capture, tshark: Callable[..., Fields]) -> None:
    """The second connection is one of its own; Wireshark notes the port, and nothing else."""
    for number in (1, 2):
        converse(capture, number, ("127.0.0.1", 50_000), LAB, "client")
    frames = tshark("tcp.stream", "tcp.flags.str", "tcp.analysis.flags", "tcp.analysis.reused_ports")
    assert {frame["tcp.stream"] for frame in frames} == {"0", "1"}
    flagged = [frame for frame in frames if frame["tcp.analysis.flags"]]
    assert len(flagged) == 1
    assert flagged[0]["tcp.analysis.reused_ports"]


def test_comments_are_shown(capture: Capture, tshark: Callable[..., Fields]) -> None:
    """Each on its frame, after editcap too."""
    wire = capture.open(1, ("127.0.0.1", 50_000), LAB, 0.0)
    wire.settle()
    wire.received(b"question", 1.0)
    wire.sent(b"please", 1.0)
    wire.waiting(bytes(3000), 1.0)
    capture.note(HelloRequestSent(1.0, 1, "site"))
    capture.note(EntityBodyStalled(1.0, 1, "site", 40960, None, 0, 61440, "ClientHello"))
    capture.note(ResponseSent(1.0, 1, "site", 404, 0, "GET", "/ü\x1b", None, None, 0.0))
    wire.settle()
    capture.note(TimerExpired(121.0, 1, "site", "ssl_renegotiation", 120.0))
    wire.settle()
    wire.ended(121.0, reset=True)
    wire.settle()
    frames = tshark("frame.number", "tcp.len", "tcp.flags.reset", "frame.time_epoch", "frame.comment")
    first = "HelloRequest sent; 40,960 bytes of body buffered, 61,440 waiting in the socket"
    second = "404 for GET /ü\\x1b (no client certificate)"
    assert [(frame["tcp.len"], frame["frame.comment"]) for frame in frames if frame["frame.comment"]] == [
        ("6", f"{first},{second}"),
        ("0", "timer ssl_renegotiation ran out after 120 s"),
    ]
    assert frames[-1]["tcp.flags.reset"] == "1"
    assert float(frames[-1]["frame.time_epoch"]) == EPOCH + 121


def test_capinfos_and_editcap(capture: Capture, run: Callable[..., str], tshark: Callable[..., Fields]) -> None:
    """Both read the file: its head says what it is, and a copy has every packet."""
    capture.secrets(f"CLIENT_RANDOM {'00' * 32} {'11' * 48}")
    converse(capture, 1, ("127.0.0.1", 50_000), LAB, "client")
    facts = run("capinfos", "capture.pcapng")
    for fact in (
        "pcapng",
        "Raw IP",
        "tlslab 1.2",
        "scenario large-post-deadlock",
        "Strict time order:   True",
        "secrets in file: 1",
    ):
        assert fact in facts
    run("editcap", "capture.pcapng", "copy.pcapng")
    assert tshark("frame.len", "tcp.seq") == tshark("frame.len", "tcp.seq", file="copy.pcapng")


def test_a_capture_that_is_cut(capture: Capture, tshark: Callable[..., Fields], tmp_path: Path) -> None:
    """What was written is whole at every moment, so a lab that is killed leaves a file that opens."""
    path = tmp_path / "capture.pcapng"
    wire = capture.open(1, ("127.0.0.1", 50_000), LAB, 0.0)
    wire.settle()
    seen = [len(tshark("frame.number"))]
    for moment in (1.0, 2.0):
        wire.received(bytes(2000), moment)
        wire.settle()
        (tmp_path / "killed.pcapng").write_bytes(path.read_bytes())
        seen.append(len(tshark("frame.number", file="killed.pcapng")))
    assert seen == [3, 6, 9]
