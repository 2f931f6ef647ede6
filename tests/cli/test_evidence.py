"""The files that a lab writes while it runs: how they are asked for, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tlslab.capture.pcapng import ENHANCED_PACKET, SECTION_HEADER
from tlslab.lab.evidence import key_log_file

SERVE = ("serve", "-s", "large-post-deadlock", "--port", "0")
PATIENCE = 60
posix = pytest.mark.skipif(os.name == "nt", reason="pipes, modes, signals and /dev/full are POSIX")


def blocks(data: bytes) -> Counter[int]:
    """The blocks of a pcapng file by type: whole ones, and nothing else."""
    found: Counter[int] = Counter()
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert len(data) >= length == struct.unpack_from("<I", data, length - 4)[0]
        found[kind] += 1
        data = data[length:]
    return found


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--pcapng-limit", "1MiB"), 2, "--pcapng-limit without --pcapng\n  hint: name the capture's file"),
        (("--pcapng", "c", "--pcapng-limit", "much"), 2, "'much': expected a size such as 40KiB"),
        (("--pcapng", "c", "--pcapng-limit", "-1"), 2, "'-1': expected a size such as 40KiB"),
        (("--pcapng", "c", "--pcapng-limit", "1023"), 2, "1023 is less than 1 KiB"),
        (("--pcapng", "nowhere/c"), 1, "cannot write the capture nowhere/c: No such file"),
        (("--pcapng", "."), 1, "cannot write the capture .: "),
    ],
)
@pytest.mark.parametrize("command", [SERVE, ("demo",)], ids=["serve", "demo"])
def test_refused(run, tmp_path, monkeypatch, command, words, code, said):
    """What cannot be is said in a line, before anything has started."""
    monkeypatch.chdir(tmp_path)
    result = run(*command, *words)
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert "URL" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [SERVE, ("demo",)], ids=["serve", "demo"])
def test_secrets_are_not_for_standard_output(run, command):
    """A key log is a file: on standard output it would stand among what is meant for people, or spoil a capture."""
    result = run(*command, "--keylog", "-")
    assert (result.exit_code, "the key log cannot be standard output" in result.output) == (2, True), result.output
    result = run(*SERVE, SSLKEYLOGFILE="-")
    assert "the key log of SSLKEYLOGFILE cannot be standard output" in result.output


def test_one_standard_output(run):
    """Two files cannot both be standard output."""
    result = run(*SERVE, "--pcapng", "-", "--events", "-")
    assert (result.exit_code, "cannot both be standard output" in result.output) == (2, True)


def test_one_file_for_two(run, tmp_path):
    """Two of them in one file would spoil it, by whatever name."""
    result = run(*SERVE, "--events", str(tmp_path / "x"), "--pcapng", str(tmp_path / "." / "x"))
    assert (result.exit_code, "--events and --pcapng cannot both write" in result.output) == (2, True), result.output
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["TLSLAB_SSLKEYLOGFILE", "SSLKEYLOGFILE"])
def test_a_variable_is_named(run, name):
    """A key log that cannot be written is told by what asked for it."""
    result = run(*SERVE, **{name: "nowhere/k"})
    assert (result.exit_code, f"the key log of {name} nowhere/k: No such" in result.output) == (1, True), result.output
    assert "or unset the variable" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("option", "own", "general", "path"),
    [
        (None, None, None, None),
        (None, None, "g", "g"),
        (None, "o", None, "o"),
        (None, "o", "g", "o"),
        (None, "", "g", "g"),
        (None, "", "", None),
        ("k", "o", "g", "k"),
        ("k", None, None, "k"),
    ],
)
def test_key_log_file(option, own, general, path):
    """The option comes before the lab's own variable, and that before the one that a curl beside it heeds, too."""
    variables = {"TLSLAB_SSLKEYLOGFILE": own, "SSLKEYLOGFILE": general}
    given = {name: value for name, value in variables.items() if value is not None}
    assert key_log_file(option, given)[0] == path


def renegotiate(lab):
    """A request over two handshakes."""
    with lab.connect() as tls:
        tls.sendall(b"GET /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert tls.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.program
@posix
@pytest.mark.parametrize("names", [("TLSLAB_SSLKEYLOGFILE", "SSLKEYLOGFILE"), ("SSLKEYLOGFILE",)])
def test_one_line_for_each_handshake(serve, tmp_path, monkeypatch, names):
    """Two for a renegotiated connection, in one file alone, once, and for its owner only; in the capture as well."""
    capture = tmp_path / "c.pcapng"
    monkeypatch.delenv("TLSLAB_SSLKEYLOGFILE", raising=False)
    for name in names:
        monkeypatch.setenv(name, str(tmp_path / name))
    with serve("--pcapng", str(capture)) as lab:
        for name in names:
            monkeypatch.delenv(name)  # of this process, whose own TLS heeds one of them, too
        renegotiate(lab)
        assert lab.end(signal.SIGTERM)[0] == 0
    written, *unwritten = (tmp_path / name for name in names)
    lines = written.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["CLIENT_RANDOM"] * 2
    assert len({line.split()[1] for line in lines}) == 2
    assert not any(path.exists() for path in unwritten)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (written, capture)] == [0o600, 0o600]
    assert all(line.encode() + b"\n" in capture.read_bytes() for line in lines)


def ended(events: Path) -> list[tuple[str, str, str]]:
    """The files that ended before the lab did, and why."""
    found = [json.loads(line) for line in events.read_text().splitlines()]
    return [(event["what"], event["why"], event["detail"]) for event in found if event["event"] == "EvidenceEnded"]


@pytest.mark.program
@posix
def test_a_limit(serve, tmp_path):
    """It bounds the capture, which ends with an event and between two blocks; the lab goes on."""
    capture, events = tmp_path / "c.pcapng", tmp_path / "events"
    with serve("--pcapng", str(capture), "--pcapng-limit", "8KiB", "--events", str(events)) as lab:
        for _ in range(6):
            renegotiate(lab)
        _, out, err = lab.end(signal.SIGTERM)
    why = "it has reached the size it may have"
    assert ended(events) == [("capture", "size_limit", "")]
    assert "6 connections; answers: 6 x 200" in " ".join(out.split())
    assert (f"the capture ends before the lab did: {why}" in " ".join(out.split()), err) == (True, "")
    assert "opens in Wireshark" in " ".join(out.split())
    assert 4096 < capture.stat().st_size <= 8192
    assert blocks(capture.read_bytes())[ENHANCED_PACKET] > 10


@pytest.mark.program
@posix
def test_a_full_disk(serve, tmp_path):
    """Nothing can be written, which is told by an event, and the lab goes on."""
    events = tmp_path / "events"
    with serve("--pcapng", "/dev/full", "--keylog", "/dev/full", "--events", str(events)) as lab:
        for _ in range(3):
            renegotiate(lab)
        _, out, err = lab.end(signal.SIGTERM)
    why = "/dev/full: No space left on device"
    assert sorted(ended(events)) == [("capture", "disk_full", why), ("key_log", "disk_full", why)]
    assert re.search(rf"the capture is not whole: \d+ packets are missing \({why}\)", " ".join(out.split()))
    assert f"the key log is not whole: 6 lines are missing ({why})" in " ".join(out.split())
    assert err == ""
    assert "opens in Wireshark" not in " ".join(out.split())  # there is nothing to open


@pytest.mark.program
@posix
def test_a_reader_that_has_gone(serve, tmp_path):
    """A closed pipe ends the capture with an event; the panel was on standard error, and the lab goes on."""
    events = tmp_path / "events"
    reader, writer = os.pipe()
    os.close(reader)
    with serve("--pcapng", "-", "--events", str(events), stdout=writer) as lab:
        os.close(writer)
        for _ in range(3):
            renegotiate(lab)
        code, _, err = lab.end(signal.SIGINT)
    assert ended(events) == [("capture", "reader_gone", "standard output: Broken pipe")]
    said = " ".join(err.split())
    assert "URL https://" in said
    assert "the capture ends before the lab did: its reader has gone (standard output: Broken pipe)" in said
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.program
@posix
def test_demo(home, tmp_path, require_client):
    """Its capture has both acts, one section each, and with - nothing else is on standard output."""
    require_client("curl")
    tshark = require_client("tshark")
    file, keys, standard_output = (tmp_path / name for name in ("c.pcapng", "keys", "stdout.pcapng"))
    command = [sys.executable, "-m", "tlslab", "demo", "--speed", "60", "--pcapng"]
    environment = {**os.environ, "TLSLAB_HOME": str(home)}
    with standard_output.open("wb") as output:
        piped = subprocess.Popen([*command, "-"], env=environment, stdout=output, stderr=subprocess.PIPE)
        with piped:
            words = [*command, str(file), "--keylog", str(keys)]
            done = subprocess.run(words, env=environment, capture_output=True, timeout=PATIENCE, check=True)
            assert piped.stderr is not None
            story = piped.stderr.read()
    assert piped.returncode == 0
    assert b"Frozen for 120 s" in done.stdout
    assert b"Frozen for 120 s" in story
    assert [len(line.split()) for line in keys.read_text().splitlines()] == [3, 3]
    for capture in (file, standard_output):
        assert blocks(capture.read_bytes())[SECTION_HEADER] == 2
        first, second = endings(tshark, capture)
        assert ("RST" in first, "200" in first, "RST" in second, "200" in second) == (True, False, False, True)


def endings(tshark: str, capture: Path) -> list[set[str]]:
    """For each connection of a capture: whether there was a reset, and the answers."""
    words = [tshark, "-n", "-2", "-r", str(capture), "-T", "fields", "-e", "tcp.stream"]
    words += ["-e", "tcp.flags.reset", "-e", "http.response.code"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    found: dict[int, set[str]] = {}
    for line in done.stdout.splitlines():
        stream, reset, code = line.split("\t")
        found.setdefault(int(stream), set()).update({code} if code else {"RST"} if reset == "1" else ())
    return [found[stream] for stream in sorted(found)]
