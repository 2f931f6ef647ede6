"""Command lines for real clients."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.errors import LabError
from tlslab.lab.curl import Curl, Destination, FilesIn, connections, shows_exactly
from tlslab.lab.shell import join
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Step
from tlslab.text import escaped

posix = pytest.mark.skipif(os.name == "nt", reason="shlex speaks of POSIX shells")
ALICE = IdentityFiles(Path("a.pem"), Path("a.key"), Path("a.p12"), "p")
INTERMEDIATE = ("leaf-only", "full-chain")
WHO = "--cert a.pem --key a.key"
SITE = "https://localhost:8443"


class Named(FilesIn):
    """Names the files, and makes none."""

    def __init__(self) -> None:
        super().__init__(Path())

    def upload(self, size):
        """As many bytes as its name says."""
        return Path(f"{size}.bin")

    def token(self, step):
        """As large a token as its name says."""
        return Path(f"token-{step.token}.txt")


@pytest.fixture
def curl() -> Curl:
    """Writes for a lab of two bindings, one of them a name that is not in DNS."""
    addresses = {
        None: Destination(SITE),
        "site": Destination(SITE),
        "upload": Destination("https://up.test:8443", "127.0.0.1:8443"),
        "v6": Destination("https://[::1]:8443"),
        "old": Destination(SITE, protocols=("TLS1.0", "TLS1.1")),
        "gone": Destination(SITE, protocols=()),
        "both": Destination(SITE, protocols=("TLS1.0", "TLS1.2")),
        "sts": Destination("https://sts.test:8443", "127.0.0.1:8443", by_address="127.0.0.1:8443"),
    }
    known = {"alice": ALICE, **{name: replace(ALICE, cert_file=Path(f"{name}.pem")) for name in INTERMEDIATE}}
    return Curl(Path("ca.pem"), known, addresses, Named())


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
        ([step("GET /x", headers={"Origin": "https://a"})], [f'{WHO} -H "Origin: https://a" {SITE}/x']),
        ([step("GET /x", token=9)], [f"{WHO} -H @token-9.txt {SITE}/x"]),
        ([step("GET /x", gives_up_after="2.5s")], [f"{WHO} -m 2.5 {SITE}/x"]),
        (
            [step("GET /x", binding="upload")],
            [f"--connect-to up.test:8443:127.0.0.1:8443 {WHO} https://up.test:8443/x"],
        ),
        ([step("GET /x", binding="v6")], [f'{WHO} "https://[::1]:8443/x"']),
        ([step("GET /x", binding="old")], [f"--tlsv1.0 --ciphers DEFAULT:@SECLEVEL=0 {WHO} {SITE}/x"]),
        ([step("GET /x", binding="gone")], [f"{WHO} {SITE}/x"]),
        ([step("GET /x", binding="both")], [f"{WHO} {SITE}/x"]),
        ([step("GET /x?a=1&b={c}")], [f'{WHO} --globoff "{SITE}/x?a=1&b={{c}}"']),
        ([step("GET /x", retries=2)], [f"{WHO} --retry 2 --retry-all-errors {SITE}/x"]),
        (
            [step("PUT /x", body=9, pace="64KiB")],
            [f'{WHO} -X PUT -H "Expect:" --data-binary @9.bin --limit-rate 65536 {SITE}/x'],
        ),
        (
            [step("GET /x", binding="sts", sni=False)],
            [f'-H "Host: sts.test:8443" {WHO} https://127.0.0.1:8443/x'],
        ),
        (
            [step("GET /x", binding="sts", sni="sts.test")],
            [f"--connect-to sts.test:8443:127.0.0.1:8443 {WHO} https://sts.test:8443/x"],
        ),
        (
            [step("GET /x", binding="sts", sni="b.test")],
            [
                f'--connect-to b.test:8443:127.0.0.1:8443 -H "Host: sts.test:8443" --insecure {WHO} '
                "https://b.test:8443/x"
            ],
        ),
        ([step("GET /x", identity="leaf-only", sends="all")], [f"--cert full-chain.pem --key a.key {SITE}/x"]),
        ([step("GET /x", identity="full-chain", sends="leaf")], [f"--cert leaf-only.pem --key a.key {SITE}/x"]),
        ([step("GET /x", sends="leaf")], [f"{WHO} {SITE}/x"]),
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


def test_waits(curl):
    """Between connections somebody waits; on one that stays open Python does, by the lab's clock."""
    first, later = step("GET /x"), step("POST /x", body=9, wait="4s")
    assert curl.lines([first, later])[1] == "sleep 4"
    [line] = replace(curl, speed=2).lines([first, later.model_copy(update={"same_connection": True})])
    program = shlex.split(line)[2]
    assert "print(r.status, len(r.read())); time.sleep(2); c.request('POST', '/x', bytes(9)); " in program
    compile(program, "line", "exec")


def test_a_pace_is_by_the_clock_of_the_lab(curl):
    """A lab that runs fast is sent to as fast."""
    [line] = replace(curl, speed=24).lines([step("PUT /x", body=9, pace=1000)])
    assert "--limit-rate 24000 " in line


@pytest.mark.parametrize(("sni", "name"), [(False, "-noservername"), ("b.test", "-servername b.test")])
def test_a_name_for_openssl(curl, sni, name):
    """It says the name of the step, or none."""
    [line] = curl.lines([step("GET /x", renegotiation="refuse", binding="sts", sni=sni)])
    assert f"-connect 127.0.0.1:8443 {name} -CAfile" in line


@pytest.mark.parametrize(
    ("given", "exactly"),
    [
        ({}, True),
        ({"sends": "all"}, True),
        ({"sends": "leaf"}, False),
        ({"sends": "leaf", "identity": "full-chain"}, True),
        ({"sends": "all", "identity": "leaf-only"}, True),
        ({"sends": "chain", "identity": "leaf-only"}, False),
    ],
)
def test_a_file_holds_what_a_step_sends(given, exactly):
    """There are files with the whole chain, and one with a leaf alone."""
    assert shows_exactly(step("GET /x", **given)) is exactly


def test_refusing(curl):
    """A client that refuses to renegotiate is openssl, for curl cannot."""
    (line,) = curl.lines([step("GET /x%41", renegotiation="refuse", binding="upload")])
    request, program = line.split(" | ")
    assert request == r"printf 'GET /x%%41 HTTP/1.1\r\nHost: up.test:8443\r\nConnection: close\r\n\r\n'"
    assert program == (
        "openssl s_client -connect 127.0.0.1:8443 -servername up.test -CAfile ca.pem -cert a.pem -key a.key "
        "-no_renegotiation -quiet"
    )


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([step("GET /x", filters_by_issuer=True)], f"--certificate a.pem --private-key a.key {SITE}/x"),
        ([step("GET /x", filters_by_issuer=True, identity="none")], f"{SITE}/x"),
        (
            [step("GET /x", filters_by_issuer=True), step("GET /y", filters_by_issuer=True, same_connection=True)],
            f"--certificate a.pem --private-key a.key {SITE}/x {SITE}/y",
        ),
        (
            [step("PUT /x", filters_by_issuer=True, body=9, identity="none")],
            f"--method PUT --body-file 9.bin {SITE}/x",
        ),
    ],
)
def test_filtering(curl, steps, line):
    """A client that chooses by the server's list of issuers is wget, for curl does not look at it."""
    assert curl.lines(steps) == [f"wget -q -O - --tries 1 --content-on-error --ca-certificate ca.pem {line}"]


def test_who_cannot_be_asked_later(curl):
    """Curl always offers post-handshake authentication, s_client unless it is told to does not."""
    [line] = curl.lines([step("GET /x", post_handshake_auth=False)])
    assert line.endswith("-key a.key -quiet -ignore_unexpected_eof")
    assert "-enable_pha" not in line


VISIT = r"printf 'GET /x HTTP/1.1\r\nHost: localhost:8443\r\nConnection: close\r\n\r\n' | "
S_CLIENT = "openssl s_client -connect localhost:8443 -servername localhost"
KEEP = "-CAfile ca.pem -cert a.pem -key a.key -tls1_2 -no_ticket -sess_out session.pem"
END = "-ign_eof -ignore_unexpected_eof -verify_quiet | grep -E '^(New|Reused),'"


def test_coming_back(curl):
    """A session is kept in a file; others are a loop, waits are slept."""
    steps = [step("GET /x"), step("GET /x", resumes=True, others=20, wait="6min"), step("GET /x", wait="1s")]
    assert curl.lines(steps) == [
        f"{VISIT}{S_CLIENT} {KEEP} {END}",
        f"for i in $(seq 20); do {S_CLIENT} -tls1_2 -no_ticket < /dev/null > /dev/null 2>&1; done",
        "sleep 360",
        f"{VISIT}{S_CLIENT} {KEEP} -sess_in session.pem {END}",
        "sleep 1",
        f"{VISIT}{S_CLIENT} {KEEP} {END}",
    ]


@pytest.mark.parametrize(("speed", "slept"), [(1, "36000"), (60, "600"), (3600, "10"), (7, "5142.858"), (0.5, "72000")])
def test_waits_pass_by_the_clock_of_the_lab(curl, speed, slept):
    """Never too short, in your seconds."""
    assert replace(curl, speed=speed).lines([step("GET /x", wait="10h")])[0] == f"sleep {slept}"


def test_coming_back_on_one_connection(curl):
    """What stays on a connection is said one after the other, and its last request ends it."""
    steps = [step("GET /x"), step("POST /y", body=9, same_connection=True, wait="4s"), step("GET /x", resumes=True)]
    (first, second) = curl.lines(steps)
    assert first.startswith(
        r"(printf 'GET /x HTTP/1.1\r\nHost: localhost:8443\r\n\r\n'; sleep 4; printf 'POST /y HTTP/1.1\r\n"
        r"Host: localhost:8443\r\nContent-Length: 9\r\nConnection: close\r\n\r\n'; head -c 9 /dev/zero) | openssl "
    )
    assert second.startswith(VISIT)


def test_nothing_to_come_back_with(curl):
    """A first step has no session to offer, whatever it says."""
    (line,) = curl.lines([step("GET /x", resumes=True)])
    assert "-sess_in" not in line


def test_connections():
    """A step stays on its connection or takes another; the first one has none to stay on."""
    steps = [step("GET /1", same_connection=True), step("GET /2", same_connection=True), step("GET /3")]
    assert [[one.target for one in connection] for connection in connections(steps)] == [["/1", "/2"], ["/3"]]


@posix
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126))))
def test_join(words):
    """A shell takes a line apart into the words it was made of."""
    assert shlex.split(join(words)) == words


@posix
def test_join_of_what_does_not_print(require_client):
    """A line that is copied from a terminal does nothing to it, and means the very bytes of a file's name."""
    words = ["a\x1b[31m1\n'b'\t\\", "\udcff\u202e\u2028", "Jürgen 山\u3000$x", "\x7f\x9b"]
    line = join(words)
    assert escaped(line) == line
    done = subprocess.run([require_client("bash"), "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


@pytest.mark.parametrize(
    ("word", "written"),
    [("/a/b.pem", "/a/b.pem"), ("Expect:", '"Expect:"'), ("a b", '"a b"'), ("", '""'), ("@/ü/x.bin", "@/ü/x.bin")],
)
def test_join_reads_the_same_in_cmd(word, written):
    """Double quotes where they will do, for cmd.exe knows no others."""
    assert join([word]) == written


def test_upload_file(tmp_path):
    """A file of the size, named by it, made once and made again when it has another size."""
    path = FilesIn(tmp_path / "uploads").upload(2**20)
    assert (path.name, path.stat().st_size) == ("1MiB.bin", 2**20)
    path.write_bytes(b"short")
    assert FilesIn(tmp_path / "uploads").upload(2**20).stat().st_size == 2**20
    assert FilesIn(tmp_path / "uploads").upload(1500).name == "1500bytes.bin"


def test_upload_file_cannot_be_made(tmp_path):
    """A folder that cannot be is said with the way out."""
    (tmp_path / "uploads").touch()
    with pytest.raises(LabError, match="cannot make") as caught:
        FilesIn(tmp_path / "uploads").upload(1)
    assert "TLSLAB_HOME" in caught.value.hint
