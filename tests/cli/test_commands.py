"""The front door: help, versions, exit codes, and one clear line for whatever a person can mend."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tlslab.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SERVE = ("serve", "--scenario", "large-post-deadlock", "--port", "0")


def test_no_arguments(run):
    """`tlslab` alone helps."""
    result = run()
    assert "tlslab demo" in result.output
    assert result.output.count("...") == 1  # the usage line; nothing is cut off


@pytest.mark.parametrize("command", COMMANDS)
def test_help(run, command):
    """Each command explains itself, and stands in the first help with a line of its own."""
    result = run(command, "--help")
    assert (result.exit_code, result.output.count("Usage: tlslab " + command)) == (0, 1)
    assert COMMANDS[command][1] in run("--help").output


def test_help_of_serve(run):
    """The signals that end it and their exit codes are documented, and the examples keep their lines."""
    words = run("serve", "--help").output
    assert "Ctrl-C ends it with exit code 130, SIGTERM with 0" in words
    assert "\n    tlslab serve large-post-deadlock\n" in words


def test_version(run):
    """--version works from an installed copy and from the source."""
    result = run("--version")
    assert (result.exit_code, result.output.startswith("tlslab ")) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sevre",), "there is no command 'sevre'; did you mean serve?"),
        (
            ("serve",),
            "tlslab: serve what? Name a scenario: tlslab serve NAME\n  hint: there are accepted-but-untrusted, ",
        ),
        (("serve", "large-pst-deadlock"), "hint: did you mean large-post-deadlock?"),
        (("serve", "stale-binding", "-s", "session-lifetime"), "cannot serve stale-binding and session-lifetime"),
        (("serve", "Deadlok"), "hint: did you mean large-post-deadlock?"),
        (("list", "--symptm", "x"), "there is no option '--symptm'; did you mean --symptom?"),
        ((*SERVE, "--aheadd"), "there is no option '--aheadd'\n"),
        (("pki", "export", ".", "--formt", "pem"), "there is no option '--formt'; did you mean --format or --force?"),
        (("show",), "NAME"),
        (("show", "nope"), "there is no scenario 'nope'\n  hint: known: "),
        (("serve", "-s", "large-pst-deadlock"), "hint: did you mean large-post-deadlock?"),
        ((*SERVE, "--fix", "negotiate"), "hint: did you mean negotiate-on-binding?"),
        ((*SERVE, "--fix", "async-drain", "--fix", "read-body-then-ask"), "both set sites./upload"),
        ((*SERVE, "--set", "foo"), "'foo' is not PATH=VALUE"),
        ((*SERVE, "--set", "timers.ssl=3"), "there is no 'ssl' in timers"),
        ((*SERVE, "--set", "timers.ssl_renegotiation=soon"), "expected a duration such as 120s"),
        ((*SERVE, "--set", "timers.ssl_renegotiation=["), "this is not YAML"),
        ((*SERVE, "--host", "winlab"), "it is not an IP address\n  hint: give 0.0.0.0"),
        ((*SERVE, "--san", "win lab"), "'win lab' is neither a host name nor an IP address"),
        ((*SERVE, "--speed", "0"), "0 is not from 0.01 to 10000"),
        ((*SERVE, "--speed", "nan"), "nan is not from 0.01 to 10000"),
        ((*SERVE, "--speed", "fast"), "'fast' is not a valid float"),
        ((*SERVE, "--port", "65536"), "65536 is not from 0 to 65535"),
        ((*SERVE, "--ready-file", "."), "is a directory"),
        (("demo", "--speed", "61"), "61 is not from 1 to 60"),
    ],
)
def test_usage(run, words, said):
    """What was typed wrongly is said in a line, with exit code 2."""
    result = run(*words)
    assert (result.exit_code, said in result.output) == (2, True), result.output
    assert result.output.count("\n") <= 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "-s", "nope.yaml"), "cannot read nope.yaml: No such file or directory"),
        (("serve", "-s", "."), "cannot read .: "),
        ((*SERVE, "--host", "192.0.2.1"), "cannot listen on 192.0.2.1 port 0: "),
        ((*SERVE, "--events", "nowhere/e"), "cannot write the events file nowhere/e: No such file"),
        ((*SERVE, "--keylog", "."), "cannot write the key log .: "),
        ((*SERVE, "--ready-file", "nowhere/r"), "cannot write the ready file nowhere/r: No such file"),
    ],
)
def test_failure(run, words, said):
    """What does not work out is said in a line, with exit code 1."""
    result = run(*words)
    assert (result.exit_code, said in result.output) == (1, True), result.output


def test_port_in_use(run):
    """A port that is taken is named, with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(*SERVE[:-1], str(port))
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1 port {port}: another program listens there" in result.output
    assert "--port 0" in result.output


def test_a_taken_port_leaves_the_files_alone(run, tmp_path):
    """The events of the lab that has the port are not overwritten by one that does not get it."""
    events = tmp_path / "events"
    events.write_text("of the other lab")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run(*SERVE[:-1], str(taken.getsockname()[1]), "--events", str(events))
    assert events.read_text() == "of the other lab"


def test_a_home_that_cannot_be(run, tmp_path):
    """A home that is a file is a line with the way out."""
    blocked = tmp_path / "file"
    blocked.touch()
    result = run(*SERVE, TLSLAB_HOME=str(blocked))
    assert (result.exit_code, "TLSLAB_HOME" in result.output) == (1, True)


def test_a_home_without_room_for_uploads(run, home, tmp_path):
    """A file to upload that cannot be made is said before the lab starts."""
    (tmp_path / "pki").symlink_to(home / "pki")
    (tmp_path / "uploads").touch()
    result = run(*SERVE, TLSLAB_HOME=str(tmp_path))
    assert (result.exit_code, "cannot make" in result.output) == (1, True)


def test_a_broken_pki(run, tmp_path):
    """A certificate file that was overwritten is named."""
    run("serve", "-s", "large-post-deadlock", "--host", "192.0.2.1", TLSLAB_HOME=str(tmp_path))
    (tmp_path / "pki" / "server-ca.pem").write_text("not a certificate")
    result = run(*SERVE, TLSLAB_HOME=str(tmp_path))
    assert (result.exit_code, "server-ca.pem is damaged" in result.output) == (1, True)


def test_it_starts_light():
    """The front door imports no command, and nothing that takes time."""
    code = "import sys, tlslab.cli; print(*{'rich', 'trio', 'pydantic', 'OpenSSL', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.program
@pytest.mark.skipif(os.name == "nt", reason="no such device")
@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("show", "large-post-deadlock")])
def test_standard_output_is_full(words):
    """A full disk under standard output is a line and exit code 1."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tlslab", *words],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "tlslab: cannot write to standard output: No space left on device\n"
        "  hint: make room on that disk, or name a file on another\n",
    )
