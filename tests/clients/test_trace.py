"""`tlslab trace` on captures that the lab did not write: dumpcap's, with tshark."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tlslab.capture.pcapng import ENHANCED_PACKET, whole_blocks
from tlslab.cli.trace import command
from tlslab.errors import LabError
from tlslab.events import ConnectionClosed
from tlslab.scenario.schema import Step
from tlslab.trace.report import as_json, explain
from tlslab.trace.tshark import read_trace

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, Labs

DATA = Path(__file__).parents[1] / "trace" / "data"
RENEGOTIATION, STALL, EMPTY = "renegotiation_after_request", "upload_stalled", "empty_certificate"
SHOWS = {  # what is found in the last connection, and whose turn the longest silence was
    "renegotiation": ([RENEGOTIATION], "client"),
    "empty-certificate": (["empty_certificate", RENEGOTIATION], "client"),
    "refused-renegotiation": (["renegotiation_refused"], "server"),
    "stalled-upload": ([STALL, RENEGOTIATION], "server"),
    "refused-upload": (["upload_refused"], "client"),
    "cut-issuer-list": (["issuer_list_near_limit", "empty_certificate", RENEGOTIATION], "client"),
    "new-session": (["session_not_honoured"], "server"),
    "refused-certificate": (["certificate_refused", RENEGOTIATION], "client"),
}
PATIENCE = 60.0
pytestmark = pytest.mark.usefixtures("tshark")


@pytest.fixture
def tshark(require_client: Callable[[str], str]) -> str:
    """The program that reads captures."""
    return require_client("tshark")


@pytest.fixture
def editcap(require_client: Callable[[str], str]) -> Callable[..., None]:
    """Return a function that runs editcap."""
    program = require_client("editcap")

    def run(*words: object) -> None:
        command = [program, *map(str, words)]
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)

    return run


def explained(capture: Path, keys: Path | None = None) -> dict[str, Any]:
    """The report of a capture as JSON."""
    return as_json(explain(read_trace(capture, keys), has_key_log=keys is not None))


def found(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What was recognised in the last connection, with its certainty."""
    return [(one["name"], one["certainty"]) for one in report["connections"][-1]["findings"]]


@pytest.mark.parametrize("name", SHOWS)
def test_what_a_capture_shows(name: str) -> None:
    """Each failure is recognised in a capture of real clients, decrypted by the keys inside, on whatever port."""
    report = explained(DATA / f"{name}.pcapng")
    findings, turn = SHOWS[name]
    last = report["connections"][-1]
    assert report["notes"] == []
    assert [finding for finding, _ in found(report)] == findings
    assert (last["decrypted"], last["silence"]["turn"]) == (True, turn)


def test_messages() -> None:
    """Handshake messages, requests and answers come in the order of the wire, from the right side."""
    [connection] = explained(DATA / "renegotiation.pcapng")["connections"]
    said = [(one["from"][0], one["name"]) for one in connection["messages"] if one["name"]]
    opening = [("c", "ClientKeyExchange"), ("c", "ChangeCipherSpec"), ("c", "Finished")]
    server = ["ServerHello", "Certificate", "ServerKeyExchange"]
    done, end = [("s", "ServerHelloDone")], [("s", "ChangeCipherSpec"), ("s", "Finished")]
    hello = [("c", "ClientHello"), *(("s", name) for name in server)]
    proof = [("c", "Certificate"), opening[0], ("c", "CertificateVerify"), *opening[1:]]
    assert said == [
        *(*hello, *done, *opening, *end),
        *(("c", "GET /protected"), ("s", "HelloRequest")),
        *(*hello, ("s", "CertificateRequest"), *done, *proof, *end, ("s", "200")),
        *(("c", "GET /nothere"), ("s", "404"), ("c", "close_notify"), ("s", "close_notify")),
    ]
    assert connection["end"] == {"how": "closed", "by": "client"}


def test_the_deadlock() -> None:
    """The stalled upload: both wait, the server could end it, and its certainty is all that keys give."""
    [connection] = explained(DATA / "stalled-upload.pcapng")["connections"]
    silence = connection["silence"]
    assert (silence["both_wait"], silence["certainty"], round(silence["seconds"])) == (True, "certain", 5)
    assert "stands behind the body" in silence["why"]
    assert connection["findings"][0]["scenarios"] == ["large-post-deadlock"]
    assert connection["failure"] == "POST /upload was never answered"


def test_heads_and_bodies_in_records_of_their_own() -> None:
    """A body without a line end is whole, a slow answer is the server's, and the next request is not taken for body."""
    [connection] = explained(DATA / "two-records.pcapng")["connections"]
    http = [
        one["name"] or one["kind"] for one in connection["messages"] if one["kind"] in ("request", "response", "body")
    ]
    assert http == ["POST /j", "body", "200", "body", "GET /a", "403"]
    silence, idle = connection["silence"], connection["idle"]
    assert (silence["turn"], silence["certainty"], round(silence["seconds"], 1)) == ("server", "certain", 2.5)
    assert (idle["turn"], round(idle["seconds"], 1), connection["failure"]) == ("nobody", 1.5, "the answer was 403")


@pytest.mark.parametrize(
    ("name", "findings"),
    [
        ("renegotiation", [(RENEGOTIATION, "probable")]),
        ("refused-upload", []),
        ("cut-issuer-list", [(RENEGOTIATION, "probable")]),
        ("new-session", [("session_not_honoured", "certain")]),
    ],
)
def test_without_keys(editcap: Callable[..., None], tmp_path: Path, name: str, findings: list[tuple[str, str]]) -> None:
    """What can be told without keys is told as probable, and how to get the keys is said."""
    dark = tmp_path / "dark.pcapng"
    editcap("--discard-all-secrets", DATA / f"{name}.pcapng", dark)
    report = explained(dark)
    assert found(report) == findings
    assert "SSLKEYLOGFILE" in report["notes"][0]


def _keys(capture: Path) -> bytes:
    """The secrets inside a capture: the lines of its Decryption Secrets Block."""
    data = capture.read_bytes()
    return data[data.index(b"CLIENT_RANDOM ") : data.index(b"\n", data.rindex(b"CLIENT_RANDOM ")) + 1]


@pytest.mark.parametrize("name", ["keys", "two words, a comma.txt", "a:b 'c' \"d\"", "ü%s"])
def test_a_key_log(editcap: Callable[..., None], tmp_path: Path, name: str) -> None:
    """A key log beside the capture does what one inside does, whatever its name; a wrong one is said to be wrong."""
    capture, dark, keys = DATA / "renegotiation.pcapng", tmp_path / "dark.pcapng", tmp_path / name
    editcap("--discard-all-secrets", capture, dark)
    keys.write_bytes(_keys(capture))
    assert explained(dark, keys) == explained(capture)
    keys.write_bytes(b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"0" * 96 + b"\n")
    assert "does not have the right keys" in explained(dark, keys)["notes"][0]
    keys.write_bytes(b"")
    assert "is empty: SSLKEYLOGFILE was perhaps not set" in explained(dark, keys)["notes"][0]


def test_another_format(editcap: Callable[..., None], tmp_path: Path) -> None:
    """pcap, which has no room for keys, works with a key log: nothing that only pcapng has is needed."""
    capture, keys = DATA / "stalled-upload.pcapng", tmp_path / "keys"
    keys.write_bytes(_keys(capture))
    editcap("--discard-all-secrets", "-F", "pcap", capture, tmp_path / "old.pcap")
    assert [one["name"] for one in explained(tmp_path / "old.pcap", keys)["connections"][0]["findings"]] == [
        STALL,
        RENEGOTIATION,
    ]


def test_a_capture_cut_short(tmp_path: Path) -> None:
    """What is readable is read, and the cut is said."""
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes((DATA / "stalled-upload.pcapng").read_bytes()[:4000])
    report = explained(cut)
    assert "the capture ends in the middle of a packet" in report["notes"][0]
    assert report["connections"][0]["end"] is None


def test_packets_cut_short(editcap: Callable[..., None], tmp_path: Path) -> None:
    """A snapshot length is said to be the reason why less can be seen."""
    editcap("-F", "pcap", "--discard-all-secrets", "-s", 200, DATA / "renegotiation.pcapng", tmp_path / "cut")
    assert "a snapshot length was set" in explained(tmp_path / "cut")["notes"][0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(range(256)) * 20, "is not a capture"),
        (b"hello\n", "is not a capture"),
        ((DATA / "renegotiation.pcapng").read_bytes()[:300], "there is no TCP packet"),
    ],
    ids=["nonsense", "text", "the beginning of a capture"],
)
def test_nothing_to_read(tmp_path: Path, content: bytes, said: str) -> None:
    """A file without anything to explain is one clear line."""
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(LabError, match=said):
        explained(file)


def test_no_tls(editcap: Callable[..., None], tmp_path: Path) -> None:
    """TCP without TLS is told from no capture at all."""
    editcap("-F", "pcap", "--discard-all-secrets", "-r", DATA / "renegotiation.pcapng", tmp_path / "file", "1-3")
    with pytest.raises(LabError, match="there is no TLS handshake"):
        explained(tmp_path / "file")


def test_settings_of_the_user_do_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person's own Wireshark settings and language change nothing."""
    (tmp_path / "preferences").write_text("tls.desegment_ssl_records: FALSE\ntcp.desegment_tcp_streams: FALSE\n")
    (tmp_path / "disabled_protos").write_text("tls\nhttp\n")
    expected = explained(DATA / "cut-issuer-list.pcapng")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert explained(DATA / "cut-issuer-list.pcapng") == expected


def test_the_command() -> None:
    """The command itself: for people, for programs, and for one connection only."""
    words = [sys.executable, "-m", "tlslab", "trace", str(DATA / "new-session.pcapng")]
    text, data, one, none = (
        subprocess.run([*words, *more], capture_output=True, text=True, timeout=PATIENCE, check=False)
        for more in ([], ["--json"], ["--stream", "1"], ["--stream", "9"])
    )
    assert (text.returncode, text.stderr) == (0, "")
    assert "tlslab show session-idle-purge" in text.stdout
    assert len(json.loads(data.stdout)["connections"]) == 2
    assert ("tcp.stream 1" in one.stdout, "tcp.stream 0" in one.stdout) == (True, False)
    assert (none.returncode, none.stderr) == (2, "tlslab: there is no TLS in stream 9\n  hint: those with TLS: 0, 1\n")


def test_a_large_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long says so, and not where a program reads."""
    monkeypatch.setattr("tlslab.cli.trace.LARGE", 0)
    result = CliRunner().invoke(command, [str(DATA / "two-records.pcapng"), "--json"])
    assert result.stderr.startswith("Reading 0 MB,")
    assert json.loads(result.stdout)["format"] == 1


# --- a lab that runs ------------------------------------------------------------------------------------------


@pytest.fixture
def dumpcap(require_client: Callable[[str], str], tmp_path: Path) -> Any:
    """Return a function that captures a port on loopback into a file; skips where that is not allowed."""
    program = require_client("dumpcap")
    running: list[subprocess.Popen[str]] = []

    def start(port: int) -> tuple[Path, subprocess.Popen[str]]:
        file = tmp_path / "lo.pcapng"
        interface = "lo" if sys.platform == "linux" else "lo0"
        words = [program, "-q", "-i", interface, "-f", f"tcp port {port}", "-w", str(file)]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("File:"):
                return file, process
        pytest.skip("capturing on loopback is not allowed here")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def explained_once_over(capture: Path, keys: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    """The report of a capture that is still being written, when the end of its connection is in it."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)  # dumpcap writes several times a second
        with contextlib.suppress(LabError):  # nothing is in it yet
            report = explained(capture, keys)
            if report["connections"][0]["end"] is not None:
                return report
    pytest.fail(f"no end in {capture}")


def test_a_real_upload_that_stalls(labs: Labs, curl: CurlClient, dumpcap: Any) -> None:
    """1 MiB of curl's, captured by dumpcap on a random port: the server's window closes, and the server is named."""
    lab = labs("large-post-deadlock", speed=60.0)
    seen = lab.watch()
    capture, process = dumpcap(lab.port)
    curl.walk(lab, [Step(request="POST /upload", body=2**20)])
    seen.wait_for(ConnectionClosed)
    report = explained_once_over(capture, lab.key_log, process)
    [connection] = report["connections"]
    assert found(report) == [(STALL, "certain"), (RENEGOTIATION, "certain")]
    assert (connection["silence"]["turn"], connection["silence"]["both_wait"]) == ("server", True)
    assert connection["end"] == {"how": "reset", "by": "server"}


SAME = [
    ("large-post-deadlock", Step(request="POST /upload", body=2**20), 24.0, [(STALL, "certain")]),
    ("post-request-renegotiation", Step(request="GET /protected", identity="none"), 1.0, [(EMPTY, "certain")]),
    ("upload-read-ahead-413", Step(request="POST /upload", body=100_000), 1.0, [("upload_refused", "probable")]),
]


@pytest.mark.parametrize(("scenario", "step", "speed", "first"), SAME, ids=[scenario for scenario, *_ in SAME])
def test_the_same_answer(
    labs: Labs, curl: CurlClient, dumpcap: Any, tmp_path: Path, scenario: str, step: Step, speed: float, first: Any
) -> None:
    """To the lab's own capture, to the same without a comment, and to dumpcap's of the same run."""
    own, bare = tmp_path / "lab.pcapng", tmp_path / "bare.pcapng"
    lab = labs(scenario, speed=speed, more=("--pcapng", str(own)))
    seen = lab.watch()
    kernels, process = dumpcap(lab.port)
    curl.walk(lab, [step])
    seen.wait_for(ConnectionClosed)
    foreign = explained_once_over(kernels, lab.key_log, process)
    assert lab.stop() == 0
    bare.write_bytes(b"".join(map(without_comments, whole_blocks(own.read_bytes()))))
    assert (b"client certificate" in own.read_bytes(), b"client certificate" in bare.read_bytes()) == (True, False)
    assert explained(bare) == explained(own)
    assert gist(explained(own)) == gist(foreign)
    assert found(foreign)[:1] == first


def without_comments(block: bytes) -> bytes:
    """A packet's block without its options, as `editcap --discard-packet-comments` (Wireshark 4.2 and later) has it."""
    kind, _total, length = struct.unpack_from("<II12xI", block)
    if kind != ENHANCED_PACKET:
        return block
    kept = block[8 : 28 + length + -length % 4]
    total = struct.pack("<I", len(kept) + 12)
    return block[:4] + total + kept + total


def gist(report: dict[str, Any]) -> list[Any]:
    """What matters of an answer, without moments: who says FIN first may differ by where one looks from."""
    gists = []
    for one in report["connections"]:
        silence = one["silence"]
        turn = (silence["turn"], silence["both_wait"]) if silence and silence["seconds"] >= 1 else None
        end = one["end"]["how"], one["end"]["by"] if one["end"]["how"] == "reset" else None
        gists.append((end, one["failure"], one["bytes"], turn, found(report)))
    return gists
