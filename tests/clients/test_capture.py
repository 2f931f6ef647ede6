"""That the capture of a running lab is true, and that Wireshark's programs read it without any help."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tlslab.events import EntityBodyStalled

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

FREEZES = "large-post-deadlock"
PATIENCE = 60.0
MANY = 200
MIB = 1024 * 1024
LARGE = 10_000_000
GIVES_UP = ["-m", "1"]  # seconds
OWN = Path(__file__).with_name("capture_lab.yaml")
KINDS = list(yaml.safe_load(OWN.read_text("utf-8"))["bindings"])
CHECKED = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
# What a person would call wrong with a packet: the last is set for whatever Wireshark's analysis of TCP notes at all.
# A closed receive window is what a freeze earns; every other remark on TCP would be the capture's own fault.
UNEARNED = "(tcp.analysis.flags && !tcp.analysis.zero_window)"
# A merged packet has a partial checksum (capture/segments.py), which Wireshark knows since 4.2.
AMISS = f"_ws.malformed || (!(tcp.checksum.status == 1) && tcp.len <= 1460) || ip.checksum.status == 0 || {UNEARNED}"
FIN, SYN, RST = 0x01, 0x02, 0x04
# Wireshark goes by a port that it knows before it looks at the bytes: of these it knows none (tshark -G decodes).
LOCAL_PORTS = ["--local-port", "49152-56999"]
Row = dict[str, str]
Wait = Callable[[Callable[[], bool], Callable[[], str]], None]


class Wireshark:
    """Its programs, as on the first day: without any preferences, and without a key file."""

    def __init__(self, find: Callable[[str], str], folder: Path) -> None:
        self._find = find
        environment = {**os.environ, "HOME": str(folder), "WIRESHARK_CONFIG_DIR": str(folder)}
        for name in ("SSLKEYLOGFILE", "XDG_CONFIG_HOME"):
            environment.pop(name, None)
        self._environment = environment

    def start(self, program: str, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start one of them."""
        return subprocess.Popen([self._find(program), *words], env=self._environment, **how)

    def run(self, program: str, *words: str) -> str:
        """Run one of them to its end, and give what it printed; it must succeed, and without a complaint."""
        done = subprocess.run(
            [self._find(program), *words], capture_output=True, text=True, env=self._environment, timeout=PATIENCE
        )
        said = [line for line in done.stderr.splitlines() if line and "Running as user" not in line]
        assert (done.returncode, said) == (0, []), done.stderr
        return done.stdout

    def rows(self, capture: Path, *fields: str, only: str = "", more: Sequence[str] = ()) -> list[Row]:
        """Fields of each frame."""
        words = [
            "-2",
            *(["-R", only] if only else []),
            *more,
            "-T",
            "fields",
            "-E",
            "separator=/t",
            "-E",
            "aggregator=|",
        ]
        words += [word for name in fields for word in ("-e", name)]
        lines = self.run("tshark", "-n", "-r", str(capture), *words).splitlines()
        return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def wireshark(require_client: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Wireshark:
    """The installed Wireshark."""
    for program in ("tshark", "capinfos", "editcap"):
        require_client(program)
    return Wireshark(require_client, tmp_path_factory.mktemp("preferences"))


def curl(lab: LabProcess, target: str, *more: str, binding: int = 0) -> list[str]:
    """The arguments of a curl with alice's certificate."""
    host, port = lab.ready["bindings"][binding]["host"], lab.ready["bindings"][binding]["port"]
    cert, key = lab.alice
    words = ["-q", "-sS", "--noproxy", "*", "--cacert", lab.ca_file, "--cert", cert, "--key", key, *LOCAL_PORTS, *more]
    return [*words, f"https://[{host}]:{port}{target}" if ":" in host else f"https://{host}:{port}{target}"]


def upload(lab: LabProcess, target: str, folder: Path, size: int, *more: str) -> list[str]:
    """The arguments of a curl that writes a body without a pause."""
    file = folder / f"{size}.bin"
    file.write_bytes(os.urandom(size))
    return curl(lab, target, "-H", "Expect:", "--data-binary", f"@{file}", *more)


def run_all(path: str, commands: Iterable[list[str]]) -> list[int]:
    """Run curls at the same time, and give their exit codes."""
    processes = [
        subprocess.Popen([path, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for words in commands
    ]
    return [process.wait(PATIENCE) for process in processes]


def walk_out(lab: LabProcess, *, reset: bool) -> None:
    """Upload what the socket's buffers take, and leave at once: with a reset, or with a FIN that a reset follows."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", lab.port)), server_hostname="localhost") as tls:
        if reset:
            tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tls.sendall(b"POST /freezes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000))


# --- beside a capture of the kernel's ---------------------------------------------------------------------------------


@dataclass
class Conversation:
    """What a capture has of one connection: what each side sent, and who ended it how."""

    client: bytearray = field(default_factory=bytearray)
    server: bytearray = field(default_factory=bytearray)
    first: dict[str, int] = field(default_factory=dict, compare=False)
    ends: set[tuple[str, str]] = field(default_factory=set)

    def add(self, side: str, row: Row) -> None:
        """Put a packet's payload where its sequence number says; one that was sent twice is the same twice."""
        flags, sequence = int(row["tcp.flags"], 16), int(row["tcp.seq_raw"])
        if flags & SYN:
            self.first[side] = sequence + 1
        self.ends |= {(side, name) for bit, name in ((FIN, "FIN"), (RST, "RST")) if flags & bit}
        payload = bytes.fromhex(row["tcp.payload"])
        if payload:
            sent: bytearray = getattr(self, side)
            place = (sequence - self.first[side]) % 2**32
            assert place <= len(sent), "a hole"
            sent[place : place + len(payload)] = payload


def conversations(wireshark: Wireshark, capture: Path, server: int) -> dict[str, Conversation]:
    """All of a capture, by the client's port."""
    names = ["tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.payload"]
    found: dict[str, Conversation] = {}
    for row in wireshark.rows(capture, *names, only="tcp", more=["--disable-protocol", "tls"]):
        side, port = ("server", "tcp.dstport") if int(row["tcp.srcport"]) == server else ("client", "tcp.srcport")
        found.setdefault(row[port], Conversation()).add(side, row)
    return found


@contextmanager
def beside(wireshark: Wireshark, file: Path, port: int, wait_until: Wait) -> Iterator[None]:
    """Let the kernel capture a port, while the `with` lasts; skips the test where that is not to be had."""
    said = file.with_suffix(".txt")
    words = ["-i", "lo", "-f", f"port {port}", "-B", "64", "-w", str(file)]
    if shutil.which("dumpcap") is None:
        pytest.skip("dumpcap is not installed (Debian: apt-get install wireshark-common)")
    with said.open("wb") as output, wireshark.start("dumpcap", *words, stdout=output, stderr=output) as process:
        wait_until(lambda: "File:" in said.read_text() or process.poll() is not None, said.read_text)
        if process.poll() is not None:
            pytest.skip(f"dumpcap may not capture here: {said.read_text().strip()}")
        try:
            yield
            # Whatever came before this datagram, to which nobody listens, is in the file once this is.
            last_words = os.urandom(16)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(last_words, ("127.0.0.1", port))
            wait_until(lambda: last_words in file.read_bytes(), said.read_text)
        finally:
            process.send_signal(signal.SIGINT)
    assert "/0 (" in said.read_text()  # packets received, and those that were dropped


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback device is called lo on Linux alone")
def test_it_is_what_the_kernel_saw(
    labs: Labs, wireshark: Wireshark, require_client: Callable[[str], str], wait_until: Wait, tmp_path: Path
) -> None:
    """Byte for byte the same streams, and the same side ended each of them in the same way.

    A renegotiation, frozen uploads of 1 MiB and 10 MB (with which the window is full), clients that give up
    while they are frozen or just before it, a freeze that ends by itself, a 413 with much behind it.
    """
    capture, truth = tmp_path / "lab.pcapng", tmp_path / "kernel.pcapng"
    lab = labs(str(OWN), speed=48.0, more=("--pcapng", str(capture)))
    seen = lab.watch()
    uploads: list[tuple[str, int, list[str], set[int]]] = [
        ("/thaws", MIB, [], {0}),
        ("/refuses", LARGE, [], {0}),
        ("/freezes", MIB, [], {55, 56}),  # reset while it wrote, or while it read
        ("/freezes", LARGE, [], {55, 56}),
        ("/freezes", MIB, GIVES_UP, {28}),
        ("/freezes", LARGE, GIVES_UP, {28}),
    ]
    with beside(wireshark, truth, lab.port, wait_until):
        for reset in (True, False):
            walk_out(lab, reset=reset)
        words = [upload(lab, target, tmp_path, size, *more) for target, size, more, _codes in uploads]
        first, *codes = run_all(require_client("curl"), [curl(lab, "/protected"), *words])
        assert seen.settled()
    assert first == 0
    assert all(code in wanted for code, (*_upload, wanted) in zip(codes, uploads, strict=True)), codes
    expected, found = (conversations(wireshark, file, lab.port) for file in (truth, capture))
    assert len(expected) == len(uploads) + 3
    assert described(found) == described(expected)
    assert found == expected


def described(found: Mapping[str, Conversation]) -> dict[str, tuple[int, int, list[tuple[str, str]]]]:
    """What a failing test can show."""
    return {port: (len(one.client), len(one.server), sorted(one.ends)) for port, one in found.items()}


# --- as anybody opens it ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(own_lab: Labs, require_client: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capture of a request over each version of TLS and of IP, and then of 200 at once over one of them."""
    capture, path = tmp_path_factory.mktemp("recorded") / "lab.pcapng", require_client("curl")
    lab = own_lab(str(OWN), more=("--pcapng", str(capture)))
    seen = lab.watch()
    for number, kind in enumerate(KINDS):
        version = f"1.{kind[5]}"
        words = [f"--tlsv{version}", "--tls-max", version, "--ciphers", "DEFAULT:@SECLEVEL=0"]
        assert outcomes(path, curl(lab, "/protected", *words, binding=number)) == ["200"]
    words = [
        "--parallel",
        "--parallel-immediate",
        "--parallel-max",
        str(MANY),
        "--no-sessionid",
        "-H",
        "Connection: close",
    ]
    crowd = curl(lab, f"/protected?[1-{MANY}]", *words)
    assert outcomes(path, crowd) == ["200"] * MANY
    assert seen.settled()
    assert lab.stop() == 0
    return capture


def outcomes(path: str, words: list[str]) -> list[str]:
    """The statuses that a curl got."""
    words = [path, *words, "-o", os.devnull, "-w", "%{http_code}\n"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("kind", KINDS)
def test_it_decrypts_itself(recorded: Path, wireshark: Wireshark, kind: str) -> None:
    """Request, question and answer are there to be read, without a preference and without a key file."""
    only = f"tcp.stream eq {KINDS.index(kind)}"
    rows = wireshark.rows(recorded, "ip.version", "_ws.col.Info", "json.key", only=only)
    assert {row["ip.version"] for row in rows} == {kind[-1]}
    infos = [row["_ws.col.Info"] for row in rows]
    asked = infos.index("GET /protected HTTP/1.1 ")
    answered = next(place for place, info in enumerate(infos) if info.startswith("HTTP/1.1 200 OK"))
    assert "client_certificate" in rows[answered]["json.key"]
    messages = ", ".join(info for info in infos[asked:answered] if "[ACK]" not in info).split(", ")
    asks = ["Certificate Request"] if "13" in kind else ["Hello Request", "Client Hello", "Certificate Request"]
    assert [message for message in messages if message in asks] == asks
    assert {"Certificate", "Certificate Verify"} <= set(messages[messages.index(asks[-1]) :])


def test_nothing_is_amiss(recorded: Path, wireshark: Wireshark, tmp_path: Path) -> None:
    """No malformed frame, no wrong checksum and nothing that Wireshark's analysis of TCP would note; it looks."""
    assert wireshark.rows(recorded, "frame.number", only=AMISS, more=CHECKED) == []
    damaged = tmp_path / "damaged.pcapng"
    data = bytearray(recorded.read_bytes())
    data[data.index(b"\x16\x03") + 100] ^= 1  # in the first ClientHello
    damaged.write_bytes(data)
    assert len(wireshark.rows(damaged, "frame.number", only=AMISS, more=CHECKED)) == 1


def test_many_at_once(recorded: Path, wireshark: Wireshark) -> None:
    """200 connections at once decode, each of them whole."""
    fields = ["tcp.stream", "tcp.flags", "tcp.srcport", "_ws.col.Info"]
    streams: dict[int, list[Row]] = {}
    open_ones = [0.0]
    for row in wireshark.rows(recorded, *fields, only=f"tcp.stream ge {len(KINDS)}"):
        flags = int(row["tcp.flags"], 16)
        open_ones.append(open_ones[-1] + (flags == SYN) - bool(flags & FIN) / 2)
        streams.setdefault(int(row["tcp.stream"]), []).append(row)
    assert len(streams) == MANY
    targets = set()
    for rows in streams.values():
        infos = [row["_ws.col.Info"] for row in rows]
        targets |= {info for info in infos if info.startswith("GET /protected?")}
        counts = [sum(what in info for info in infos) for what in ("[SYN]", "GET /", "Hello Request", "200 OK")]
        assert counts == [1, 1, 1, 1], infos
        finished = [row["tcp.srcport"] for row in rows if int(row["tcp.flags"], 16) & FIN]
        assert len(finished) == len(set(finished)) == 2, infos
    assert len(targets) == MANY
    assert max(open_ones) > MANY / 2  # all of them, where the machine is not busy


def test_other_programs_read_it(recorded: Path, wireshark: Wireshark, tmp_path: Path) -> None:
    """Others accept it, too; and without the secrets in it there is nothing to be read."""
    facts = wireshark.run("capinfos", str(recorded))
    assert "Strict time order:   True" in facts
    copy = tmp_path / "copy.pcapng"
    wireshark.run("editcap", str(recorded), str(copy))
    fields = ["frame.number", "frame.time_epoch", "frame.comment", "_ws.col.Info"]
    assert wireshark.rows(copy, *fields) == wireshark.rows(recorded, *fields)
    wireshark.run("editcap", "--discard-all-secrets", str(recorded), str(copy))
    assert wireshark.rows(copy, "frame.number", only="http") == []
    assert len(wireshark.rows(recorded, "frame.number", only="http.request")) == len(KINDS) + MANY


# --- of a freeze ------------------------------------------------------------------------------------------------------

BUFFERED = "HelloRequest sent; 40,960 bytes of body buffered, "
# Wireshark shows the line of a request when its body is whole, which a frozen one never is; this it can be told.
AT_ONCE = ["-o", "http.desegment_body:FALSE"]


def test_a_freeze_in_lab_time(
    own_lab: Labs, wireshark: Wireshark, require_client: Callable[[str], str], tmp_path: Path
) -> None:
    """Two seconds on the wall's clock are two minutes in the capture, and it says by itself what froze, and where."""
    capture = tmp_path / "lab.pcapng"
    lab = own_lab(FREEZES, speed=60.0, more=("--set", "timers.drain_entity_body=20s", "--pcapng", str(capture)))
    run_all(require_client("curl"), [upload(lab, "/upload", tmp_path, MIB)])
    assert lab.stop() == 0
    rows = wireshark.rows(capture, "frame.time_relative", "tcp.flags", "frame.comment", "_ws.col.Info")
    assert wireshark.rows(capture, "frame.number", only=AMISS, more=CHECKED) == []
    [asked] = [row for row in rows if row["_ws.col.Info"] == "Hello Request"]
    [reset] = [row for row in rows if int(row["tcp.flags"], 16) & RST]
    assert float(reset["frame.time_relative"]) - float(asked["frame.time_relative"]) == pytest.approx(
        120,
        abs=0.05 * 60,  # a machine may be busy
    )
    [about_it] = [comment for comment in asked["frame.comment"].split("|") if comment.startswith(BUFFERED)]
    assert re.fullmatch(r"[\d,]+ waiting in the socket( and [\d,]+ in TLS)?", about_it.removeprefix(BUFFERED))
    assert reset["frame.comment"].split("|")[-1] == "HTTPERR: Timer_SslRenegotiation"
    facts = wireshark.run("capinfos", str(capture))
    for fact in ("Capture application: tlslab", f"scenario {FREEZES}; no fix; --set timers", "60 times as fast"):
        assert fact in facts


def test_a_lab_that_is_killed(
    own_lab: Labs, wireshark: Wireshark, require_client: Callable[[str], str], wait_until: Wait, tmp_path: Path
) -> None:
    """The capture opens without a complaint, and what was asked before the freeze can be read in it."""
    capture = tmp_path / "lab.pcapng"
    lab = own_lab(FREEZES, more=("--pcapng", str(capture)))
    seen = lab.watch()
    words = [require_client("curl"), *upload(lab, "/upload", tmp_path, MIB), "-o", os.devnull]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as client:
        seen.wait_for(EntityBodyStalled)
        # A step is written once it has been told.
        wait_until(lambda: b"HelloRequest sent" in capture.read_bytes(), lambda: "the step is not in the capture")
        lab.process.kill()
        lab.process.wait(PATIENCE)
        client.kill()
    infos = [row["_ws.col.Info"] for row in wireshark.rows(capture, "_ws.col.Info", more=AT_ONCE)]
    assert [info for info in infos if "POST /upload" in info or "Hello" in info] == [
        "Client Hello",
        "Server Hello, Certificate, Server Key Exchange, Server Hello Done",
        "POST /upload HTTP/1.1 ",
        "Hello Request",
    ]
    assert wireshark.rows(capture, "frame.number", only=AMISS, more=CHECKED) == []


def test_live_into_wireshark(
    own_lab: Labs, wireshark: Wireshark, require_client: Callable[[str], str], wait_until: Wait, tmp_path: Path
) -> None:
    """`--pcapng - | tshark -i -` shows a request while the lab goes on; Wireshark's own `-k -i -` is the same."""
    path, shown, said = require_client("curl"), tmp_path / "shown.txt", tmp_path / "said.txt"
    require_client("dumpcap")  # which tshark and Wireshark let read for them
    with shown.open("wb") as out, said.open("wb") as err:
        reader = wireshark.start("tshark", "-n", "-l", "-i", "-", stdin=subprocess.PIPE, stdout=out, stderr=err)
        with reader:
            lab = own_lab(FREEZES, more=("--fix", "negotiate-on-binding", "--pcapng", "-"), stdout=reader.stdin)
            assert reader.stdin is not None
            reader.stdin.close()
            assert run_all(path, [curl(lab, "/upload")]) == [0]
            wait_until(lambda: "200 OK" in shown.read_text(), said.read_text)
            assert lab.process.poll() is None
            assert lab.stop() == 0
    assert "GET /upload HTTP/1.1" in shown.read_text()
    assert "URL" in lab.output()  # the panel, on standard error
