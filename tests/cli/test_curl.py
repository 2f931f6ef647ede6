"""Command lines for real clients."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.cli.curl import Address, Curl, connections, join, upload_file
from tlslab.errors import LabError
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Step

posix = pytest.mark.skipif(os.name == "nt", reason="shlex speaks of POSIX shells")
ALICE = IdentityFiles(Path("a.pem"), Path("a.key"), Path("a.p12"), "p")
WHO = "--cert a.pem --key a.key"
SITE = "https://localhost:8443"


@pytest.fixture
def curl() -> Curl:
    """Writes for a lab of two bindings, one of them a name that is not in DNS."""
    addresses = {
        None: Address(SITE),
        "site": Address(SITE),
        "upload": Address("https://up.test:8443", "127.0.0.1:8443"),
        "v6": Address("https://[::1]:8443"),
    }
    return Curl(Path("ca.pem"), {"alice": ALICE}, addresses, lambda size: Path(f"{size}.bin"))


def step(request: str, **given: object) -> Step:
    """A step of a scenario."""
    return Step.model_validate({"request": request, **given})


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([step("GET /x")], [f"{WHO} {SITE}/x"]),
        ([step("GET /x", identity="none")], [f"{SITE}/x"]),
        ([step("HEAD /x")], [f"{WHO} -I {SITE}/x"]),
        ([step("POST /x")], [f'{WHO} -d "" {SITE}/x']),
        ([step("PUT /x")], [f'{WHO} -X PUT -d "" {SITE}/x']),
        ([step("DELETE /x")], [f"{WHO} -X DELETE {SITE}/x"]),
        ([step("POST /x", body=9)], [f'{WHO} -H "Expect:" --data-binary @9.bin {SITE}/x']),
        ([step("PUT /x", body=9)], [f'{WHO} -X PUT -H "Expect:" --data-binary @9.bin {SITE}/x']),
        (
            [step("POST /x", body=9, chunked=True)],
            [f'{WHO} -H "Expect:" -H "Transfer-Encoding: chunked" --data-binary @9.bin {SITE}/x'],
        ),
        (
            [step("POST /x", body=9, expect_100="1s")],
            [f'{WHO} -H "Expect: 100-continue" --data-binary @9.bin {SITE}/x'],
        ),
        ([step("GET /x", gives_up_after="2.5s")], [f"{WHO} -m 2.5 {SITE}/x"]),
        (
            [step("GET /x", binding="upload")],
            [f"--connect-to up.test:8443:127.0.0.1:8443 {WHO} https://up.test:8443/x"],
        ),
        ([step("GET /x", binding="v6")], [f'{WHO} "https://[::1]:8443/x"']),
        ([step("GET /x?a=1&b={c}")], [f'{WHO} --globoff "{SITE}/x?a=1&b={{c}}"']),
        (
            [step("GET /x"), step("HEAD /y", same_connection=True)],
            [f"{WHO} {SITE}/x --next --cacert ca.pem {WHO} -I {SITE}/y"],
        ),
        ([step("GET /x"), step("GET /y")], [f"{WHO} {SITE}/x", f"{WHO} {SITE}/y"]),
    ],
)
def test_lines(curl, steps, lines):
    """Each connection is one line, with what its steps ask for."""
    assert curl.lines(steps) == [f"curl --cacert ca.pem {line}" for line in lines]


def test_refusing(curl):
    """A client that refuses to renegotiate is openssl, for curl cannot."""
    (line,) = curl.lines([step("GET /x%41", renegotiation="refuse", binding="upload")])
    request, program = line.split(" | ")
    assert request == r"printf 'GET /x%%41 HTTP/1.1\r\nHost: up.test:8443\r\nConnection: close\r\n\r\n'"
    assert program == (
        "openssl s_client -connect 127.0.0.1:8443 -servername up.test -CAfile ca.pem -cert a.pem -key a.key "
        "-no_renegotiation -quiet"
    )


def test_connections():
    """A step stays on its connection or takes another; the first one has none to stay on."""
    steps = [step("GET /1", same_connection=True), step("GET /2", same_connection=True), step("GET /3")]
    assert [[one.target for one in connection] for connection in connections(steps)] == [["/1", "/2"], ["/3"]]


@posix
@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"))))
def test_join(words):
    """A shell takes a line apart into the words it was made of."""
    assert shlex.split(join(words)) == words


@pytest.mark.parametrize(
    ("word", "written"),
    [("/a/b.pem", "/a/b.pem"), ("Expect:", '"Expect:"'), ("a b", '"a b"'), ("", '""'), ("@/ü/x.bin", "@/ü/x.bin")],
)
def test_join_reads_the_same_in_cmd(word, written):
    """Double quotes where they will do, for cmd.exe knows no others."""
    assert join([word]) == written


def test_upload_file(tmp_path):
    """A file of the size, named by it, made once and made again when it has another size."""
    path = upload_file(tmp_path / "uploads", 2**20)
    assert (path.name, path.stat().st_size) == ("1MiB.bin", 2**20)
    path.write_bytes(b"short")
    assert upload_file(tmp_path / "uploads", 2**20).stat().st_size == 2**20
    assert upload_file(tmp_path / "uploads", 1500).name == "1500bytes.bin"


def test_upload_file_cannot_be_made(tmp_path):
    """A folder that cannot be is said with the way out."""
    (tmp_path / "uploads").touch()
    with pytest.raises(LabError, match="cannot make") as caught:
        upload_file(tmp_path / "uploads", 1)
    assert "TLSLAB_HOME" in caught.value.hint
