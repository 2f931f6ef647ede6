"""`tlslab probe --url`, as its user types it."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tlslab import open_lab
from tlslab.cli.looking import is_loopback
from tlslab.scenario.load import load

pytestmark = pytest.mark.program


@pytest.fixture
def says():
    """Serve a text to whoever connects; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def start(text: bytes) -> int:
            threading.Thread(target=serve, args=(text,), daemon=True).start()
            port: int = sock.getsockname()[1]
            return port

        def serve(text: bytes) -> None:
            connection, _ = sock.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(text)

        yield start


def test_a_lab(run, tmp_path, monkeypatch, home):
    """The report fits its terminal, the JSON says how each thing was seen, and what is written can be served."""
    monkeypatch.setenv("TLSLAB_HOME", str(home))
    written = tmp_path / "written.yaml"
    with open_lab("large-post-deadlock") as lab:
        words = ["probe", "--url", lab.target_url, "--identity", "alice", "--quick", "--write-scenario", str(written)]
        done = run(*words, COLUMNS="80")
        found = json.loads(run(*words, "--json").stdout)
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    for said in (
        "asks for a certificate after the request, by a renegotiation",
        "without a certificate 403.7, with it 200",
        "large-post-deadlock: inferred: it asks after the request",
        "Fix: Ask for the certificate when the connection opens (negotiate-on-binding)",
        "uploads not looked at: --upload sends some",
    ):
        assert said in text
    assert max(len(line) for line in done.stdout.splitlines() if str(written) not in line) <= 80
    assert {"subject", "what", "how", "certainty"} == found["findings"][0].keys()
    assert load(str(written)).scenario.bindings["site"].client_cert_negotiation == "disable"


@pytest.mark.parametrize(
    ("text", "said"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks no TLS"), (b"", "ended the handshake")]
)
def test_no_tls(run, says, text, said):
    """Plain HTTP, and somebody who hangs up."""
    done = run("probe", "--url", f"https://127.0.0.1:{says(text)}/")
    assert done.exit_code == 1
    assert said in done.stderr


def test_nobody_there(run):
    """Refused, in the words of a person."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        done = run("probe", "--url", f"https://127.0.0.1:{sock.getsockname()[1]}/")
    assert done.exit_code == 1
    assert "connection refused" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "http://localhost/"], "is no https URL"),
        (["--url", "https://localhost:99999/"], "is no URL"),
        (["--url", "https://192.0.2.1/"], "is not this computer"),  # RFC 5737: nobody; and nothing is sent
        (["--url", "https://localhost/", "--fix", "x"], "--fix goes with --scenario alone"),
        (["--scenario", "x", "--upload"], "--upload goes with --url alone"),
        (["--scenario", "x", "--url", "https://localhost/"], "not both"),
        (["--url", "https://localhost/", "--cert", "x"], "belong together"),
        (["--url", "https://localhost/", "--identity", "alcie"], "no identity"),
        (["--url", "https://localhost/", "--quick", "--long"], "cannot both be"),
    ],
)
def test_what_cannot_be_meant(run, words, said):
    """One line, and nothing is connected to."""
    done = run("probe", *words)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("host", "is_this_computer"),
    [("localhost", True), ("a.localhost", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False)],
)
def test_loopback(host, is_this_computer):
    """By its spelling: no resolver is asked before somebody said yes."""
    assert is_loopback(host) is is_this_computer
