"""What `serve` prints when it is ready."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from tlslab.cli.serve import command as serve
from tlslab.lab.options import Options
from tlslab.scenario import catalogue

OTHER_PORTS = "it will have other ports"  # of a fix, where the system chose more than one port
COMMAND = re.compile(r"^  (for .*|sleep .*|curl .*|printf .*|wget .*|.* serve --scenario .*)$", re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The panel's text by the name of the fix; the rest under the empty name."""
    first, *fixes = re.split(r"^Fix ", text.partition("\nMind:")[0], flags=re.MULTILINE)
    return {"": first} | {fix.split("\n")[0].removesuffix(" (on)"): fix for fix in fixes}


@pytest.mark.parametrize("name", catalogue.names())
@pytest.mark.parametrize("width", [60, 200])
def test_command_lines(panel_text, home, name, width):
    """The failure and each fix have lines to copy, unbroken at any width, that name files which are there."""
    for section in sections(panel_text(name, width=width)).values():
        clients = [line for line in COMMAND.findall(section) if line.startswith(("curl ", "printf ", "wget "))]
        assert clients or OTHER_PORTS in " ".join(section.split())
        for line in clients:
            words = shlex.split(line)
            written = {after for before, after in pairwise(words) if before in ("-sess_in", "-sess_out")}
            assert all(Path(file).parent.is_dir() for file in written)
            files = [word.removeprefix("@") for word in words if word.removeprefix("@").startswith(str(home))]
            files = [file for file in files if file not in written]
            assert len(files) >= (3 if {"--cert", "-cert", "--certificate"} & set(words) else 1)
            assert all(Path(file).is_file() for file in files)


def test_lines_of_a_client_that_comes_back(panel_text):
    """One line for each thing that happens; waits by the lab's clock, the end by what openssl prints."""
    see, fix = sections(panel_text("session-idle-purge", width=200, speed=24.0)).values()
    assert [line.split()[0] for line in COMMAND.findall(see)] == ["printf", "sleep", "printf"]
    assert "\n  sleep 15\n" in see
    words = " ".join(see.split())
    assert "They wait for 360 s of the lab's time, 15 s on your watch." in words
    assert "Expected: the answer is 200, and the last line says New." in words
    assert "With it, the last line says Reused." in " ".join(fix.split())
    see, fix = sections(panel_text("session-fifo-eviction", width=200)).values()
    assert [line.split()[0] for line in COMMAND.findall(see)] == ["printf", "printf", "for", "printf"]
    assert "wait" not in see
    words = " ".join(panel_text("session-lifetime", width=200).split())
    assert "They wait for 10 h; a lab with --speed 60 needs 600 s." in words


@pytest.mark.parametrize("name", catalogue.names())
def test_server_lines(panel_text, shipped, name):
    """A fix on the server's side is a line that starts the lab with it, at the same port; a client's says so.

    Several ports that the system chose cannot be asked for again.
    """
    fixes = shipped(name).scenario.fixes
    text = panel_text(name, speed=24.0)
    ports = set(re.findall(r"^URL +https://[^ ]+:(\d+)/$", text, re.MULTILINE))
    port = int(*ports) if len(ports) == 1 else 0
    assert (OTHER_PORTS in " ".join(text.split())) is (port == 0)
    assert list(sections(text)) == ["", *fixes]
    for fix, section in list(sections(text).items())[1:]:
        starts = [line for line in COMMAND.findall(section) if " serve " in line]
        says_so = "This changes nothing on the server" in " ".join(section.split())
        assert (len(starts), says_so) == ((1, False) if fixes[fix].set else (0, True))
        for line in starts:
            words = shlex.split(line)
            given = serve.make_context("serve", words[words.index("serve") + 1 :]).params
            assert (given["fixes"], given["port"], given["speed"]) == ((fix,), port, 24.0)


def test_prose_keeps_to_the_width(panel_text, home):
    """Only what is copied is longer than a line."""
    lines = panel_text(width=60, speed=100.0).splitlines()
    assert not [line for line in lines if len(line) > 60 and not COMMAND.match(line) and str(home) not in line]


def test_a_client_that_filters(panel_text):
    """The panel says why it is not curl that shows this failure."""
    text = " ".join(panel_text("ca-list-truncation").split())
    assert "curl sends what it has" in text
    assert "See it fail" in text
    assert " wget -q " in text


def test_facts(panel_text, home):
    """Every URL, the CA file, the identity in both forms, the password."""
    text = panel_text()
    assert re.search(r"^URL +https://localhost:\d+/$", text, re.MULTILINE)
    assert re.search(r"^URL +https://upload\.localhost:\d+/$", text, re.MULTILINE)
    for file in ("server-ca.pem", "alice.pem", "alice-key.pem", "alice.p12"):
        assert re.search(rf"^\S.*|^  \S.* {re.escape(str(home / 'pki' / file))}$", text, re.MULTILINE)
        assert str(home / "pki" / file) in text
    assert "password tlslab" in text
    assert f"the same three files each, in {home / 'pki' / 'identities'}" in text
    assert re.search(r"^ +403\.16: wrong-ca, wrong-eku\?, leaf-only\?$", text, re.MULTILINE)
    assert re.search(r"^ +\?: an assumption, no document names the status$", text, re.MULTILINE)
    assert re.search(r"^ +403\.17: expired, not-yet-valid$", text, re.MULTILINE)
    assert "Mind:" not in text


def test_a_binding_without_its_certificate(panel_text):
    """It says so of that binding alone, and curl goes there all the same; with the fix it says nothing."""
    text = panel_text("stale-binding", width=200)
    assert (
        len(re.findall("^ +site, 127.0.0.1, clientcertnegotiation=disable, its certificate is deleted$", text, re.M))
        == 1
    )
    assert re.search("^ +other, 127.0.0.1, clientcertnegotiation=disable$", text, re.M)
    assert "Expected: the connection is reset." in text
    [line] = [line for line in COMMAND.findall(sections(text)[""]) if line.startswith("curl ")]
    assert re.fullmatch(r"curl .*--cacert [^ ]+ https://localhost:\d+/public", line)
    assert "--tlsv1.0" not in line
    assert "its certificate is deleted" not in panel_text("stale-binding", fixes=("bind-again",))


def test_with_a_fix(panel_text):
    """With a fix of the server in place, the failure is what happens without it."""
    text = panel_text(fixes=("negotiate-on-binding",))
    assert "What fails without negotiate-on-binding" in text
    assert "See it fail" not in text
    assert "Fix negotiate-on-binding (on)" in text
    assert "clientcertnegotiation=enable" in text


def test_with_a_fix_of_the_client(panel_text):
    """A fix on the client's side leaves the failure as it was."""
    assert "See it fail" in panel_text(fixes=("prime-with-get",))


def test_what_to_expect(panel_text):
    """How the failure ends is said in lab time and on the watch, and not where --set may have changed it."""
    assert "nothing for 120 s, then the connection is reset" in panel_text(width=200)
    assert "nothing for 120 s (5 s on your watch), then" in panel_text(width=200, speed=24.0)
    changed = panel_text(settings=("timers.ssl_renegotiation=30s",))
    assert "Expected:" not in changed
    assert "Set        timers.ssl_renegotiation=30s" in changed


@pytest.mark.parametrize(
    ("options", "minded", "unminded"),
    [
        ({"speed": 24.0}, ["Not scaled", "a browser that asks you for a certificate has 5 s"], ["may run out"]),
        ({"speed": 61.0}, ["at 61 times the speed the lab's timers may run out"], []),
        ({"speed": 0.5}, ["Not scaled"], ["browser", "may run out"]),
        ({"host": "0.0.0.0"}, ["only on a network you trust", "add --san"], ["copy the CA file"]),
        ({"host": "0.0.0.0", "sans": ("winlab",)}, ["only on a network you trust", "copy the CA file"], []),
        ({"host": "127.0.0.1"}, [], ["Mind"]),
        ({"sans": ("winlab",)}, ["other machines cannot reach it: add --host"], ["only on a network you trust"]),
    ],
)
def test_warnings(panel_text, options, minded, unminded):
    """What a speed does not scale, and who can reach the lab."""
    text = panel_text("post-request-renegotiation", width=300, **options)
    assert [words in text for words in minded] == [True] * len(minded)
    assert [words in text.split("Mind", 1)[-1] for words in unminded if "Mind" in text] in ([], [False] * len(unminded))


def test_other_names(panel_text):
    """--san is what the printed commands call the lab, and where they look for names that only it knows."""
    text = panel_text(sans=("winlab", "192.0.2.10"))
    assert re.search(r"https://winlab:\d+/upload", text)
    assert re.search(r"--connect-to upload\.localhost:(\d+):winlab:\1 ", text)
    assert "https://localhost" not in text


def test_several_free_ports(panel_text, tmp_path):
    """Ports the system chose apart cannot be asked for again, so nothing is printed that would be wrong then."""
    own = tmp_path / "own.yaml"
    content = (catalogue.folder() / "large-post-deadlock.yaml").read_text(encoding="utf-8")
    own.write_text(content.replace("upload.localhost:8443", "upload.localhost:8444"), encoding="utf-8")
    section = sections(panel_text(str(own)))["negotiate-on-binding"]
    (line,) = COMMAND.findall(section)
    assert line.endswith(f"serve --scenario {own} --fix negotiate-on-binding --port 0")
    assert "other ports" in " ".join(section.split())


def test_ready_file_of_an_ipv6_wildcard(running, tmp_path):
    """`host` is what can be connected to, and the URL has brackets where it needs them."""
    own = tmp_path / "own.yaml"
    content = (catalogue.folder() / "post-request-renegotiation.yaml").read_text(encoding="utf-8")
    own.write_text(content.replace("0.0.0.0:8443", "[::]:8443"), encoding="utf-8")
    ready = running(Options(str(own), port=0)).as_json()
    (binding,) = ready["bindings"]
    port = binding["port"]
    assert binding == {
        "name": "site",
        "url": f"https://[::1]:{port}/",
        "host": "::1",
        "port": port,
        "hostname": "::1",
        "protocols": ["TLS1.2"],
    }
    assert ready["target_url"] == f"https://[::1]:{port}/protected"
