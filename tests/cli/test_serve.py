"""`tlslab serve` in a process of its own, with real sockets, pipes and signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlslab.lab.sinks import EVENTS_VERSION
from tlslab.pki.identities import IDENTITIES

SCENARIO = "large-post-deadlock"
pytestmark = [
    pytest.mark.program,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that a test could send"),
]


def test_ready_file(lab, home):
    """Its fields, and nothing else; every file is there."""
    ready = lab.ready
    port = ready["bindings"][0]["port"]
    folders = {name: home / "pki" / ("" if name == "alice" else "identities") for name in IDENTITIES}
    assert ready == {
        "scenario": "large-post-deadlock",
        "fixes": [],
        "pid": lab.process.pid,
        "speed": 1.0,
        "events_version": EVENTS_VERSION,
        "target_url": f"https://localhost:{port}/upload",
        "bindings": [
            {
                "name": name,
                "url": f"https://{host}:{port}/",
                "host": "127.0.0.1",
                "port": port,
                "hostname": host,
                "protocols": ["TLS1.2"],
            }
            for name, host in (("site", "localhost"), ("upload", "upload.localhost"))
        ],
        "ca_file": str(home / "pki" / "server-ca.pem"),
        "identities": {
            name: {
                "cert_file": str(folder / f"{name}.pem"),
                "key_file": str(folder / f"{name}-key.pem"),
                "pkcs12_file": str(folder / f"{name}.p12"),
                "pkcs12_password": "tlslab",
            }
            for name, folder in folders.items()
        },
    }
    for files in ready["identities"].values():
        assert all(os.path.isfile(files[name]) for name in ("cert_file", "key_file", "pkcs12_file"))


def test_two_bindings_share_a_port(lab):
    """The name decides, and each is served under the lab's certificate for it."""
    for hostname, binding in (("localhost", "site"), ("upload.localhost", "upload")):
        assert lab.get(hostname).startswith(b"HTTP/1.1 200 ")
        assert json.loads(lab.line('"BindingChosen"'))["binding"] == binding


def test_events_come_at_once(lab):
    """With --events - standard output has JSON alone, each event as soon as it happened."""
    with lab.freeze():
        stalled = json.loads(lab.line('"EntityBodyStalled"'))
    assert (stalled["body_buffered"], stalled["waiting_for"]) == (40960, "ClientHello")
    assert json.loads(lab.line('"ConnectionClosed"'))["connection"] == stalled["connection"]


def test_keylog(lab):
    """The secrets of a connection are there when it is answered."""
    lab.get()
    command = lab.process.args
    lines = Path(command[command.index("--keylog") + 1]).read_text().splitlines()
    assert all(line.startswith("CLIENT_RANDOM ") for line in lines)
    assert lines


@pytest.mark.parametrize(("by", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signals(serve, by, exit_code):
    """Ctrl-C and SIGTERM end a lab with frozen uploads, with a summary and their exit code."""
    with serve("--speed", "2") as lab, lab.freeze():
        assert "Ctrl-C ends it" in lab.line("Ctrl-C")
        lab.line("STUCK")
        assert lab.ready["speed"] == 2.0
        code, out, err = lab.end(by)
    assert (code, err) == (exit_code, "")
    assert "1 connection; answers: none; 1 freeze; HTTPERR:" in " ".join(out.split())


@pytest.fixture
def stuck() -> Iterator[int]:
    """The writing end of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


def test_control(serve):
    """The lab of the terminal is known to the API, says on its timeline what was changed, and ends both in time."""
    with serve("--control", "0") as lab:
        control = lab.ready["control"]
        headers = {"Authorization": f"Bearer {control['token']}", "Content-Type": "application/json"}
        body = json.dumps({"fixes": ["negotiate-on-binding"], "set": {"EventLogging": 7}}).encode()
        request = urllib.request.Request(f"{control['url']}/labs/{SCENARIO}", body, headers, method="PATCH")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            changed = json.load(answer)
        assert changed == {
            "from_connection": 1,
            "fixes": ["negotiate-on-binding"],
            "set": {"schannel.event_logging": 7},
        }
        assert "from connection #1 on" in lab.line("from connection #1")
        assert lab.end(signal.SIGTERM)[0] == 0


def test_control_without_a_lab(home, tmp_path):
    """It serves the API alone, says so on standard output where it is asked to, and ends at a signal."""
    command = [sys.executable, "-m", "tlslab", "serve", "--control", "0", "--ready-file", "-"]
    environment = {**os.environ, "TLSLAB_HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{ready['control']['url']}/health"
        ) as it:
            assert json.load(it) == {"status": "ok", "labs": 0}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, "Traceback" in err.decode()) == (130, b"", False)


@pytest.mark.parametrize("words", [(), ("-v", "--events", "-")])
def test_a_reader_that_stopped(serve, stuck, words):
    """The lab goes on serving, and ends."""
    with serve(*words, stdout=stuck) as lab:
        for _ in range(3):
            assert lab.get().startswith(b"HTTP/1.1 200 ")
        code, _, err = lab.end(signal.SIGINT)
    assert (code, "Traceback" in err) == (130, False)
    assert ("its reader does not read" in " ".join(err.split())) is bool(words)


@pytest.mark.parametrize("words", [(), ("--events", "-")])
def test_a_reader_that_has_gone(serve, words):
    """The lab goes on serving, and ends without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with serve(*words, stdout=writer) as lab:
        os.close(writer)
        assert lab.get().startswith(b"HTTP/1.1 200 ")
        code, _, err = lab.end(signal.SIGINT)
    assert (code, "Traceback" in err) == (130, False)
    assert (
        "the events file ends before the lab did: its reader has gone (standard output: Broken pipe)"
        in " ".join(err.split())
    ) is bool(words)


def test_events_on_a_full_disk(serve):
    """The lab goes on, and says how much is missing."""
    with serve("--events", "/dev/full") as lab:
        assert lab.get().startswith(b"HTTP/1.1 200 ")
        _, out, err = lab.end(signal.SIGTERM)
    assert re.search(
        r"the events file is not whole: \d+ lines are missing \(/dev/full: No space left on device\)",
        " ".join(out.split()),
    )
    assert err == ""
