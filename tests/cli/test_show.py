"""`tlslab show`."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tlslab.cli.clients import advice
from tlslab.cli.serve import command as serve
from tlslab.scenario import catalogue


@pytest.mark.parametrize("name", catalogue.names())
def test_json(run, shipped, name):
    """Every fix says what the issue asks for, with the values of the file."""
    content = json.loads(run("show", name, "--json").output)
    fixes = shipped(name).scenario.fixes
    assert content["name"] == name
    assert [
        {key: fix[key] for key in ("name", "title", "deterministic", "recommended", "changes")}
        for fix in content["fixes"]
    ] == [
        {
            "name": key,
            "title": fix.title,
            "deterministic": fix.deterministic,
            "recommended": fix.recommended,
            "changes": list(fix.changes),
        }
        for key, fix in fixes.items()
    ]
    knobs = {knob["path"]: knob["value"] for knob in content["knobs"]}
    assert knobs["timers.ssl_renegotiation"] == 120


def test_words(run):
    """Story, sources, knobs with their Windows names, fixes with what they cost, and sizes and times with units."""
    words = run("show", "large-post-deadlock").output
    for expected in (
        "What happens",
        "KB820729",
        "sites./upload.client_cert_retrieval = {kind: synchronous, buffer: 40KiB, http_sys_buffer: 40KiB}",
        "timers.ssl_renegotiation = 120s",
        "clientcertnegotiation=",
        "Who must change: server-config. Recommended, deterministic.",
        "{kind: after_body, max: 4MiB}",
        "Nothing changes on the server; the client sends:",
        "POST /upload, 1 MiB, on the same connection",
        "Defeated when: The upload takes another connection than the GET",
    ):
        assert expected in words, expected


@pytest.mark.parametrize("width", [60, 80, 120])
def test_prose_keeps_to_the_width(run, width):
    """Only what can be copied is longer than a line."""
    lines = run("show", "large-post-deadlock", COLUMNS=str(width)).output.splitlines()
    assert not [line for line in lines if len(line) > width and " serve --scenario " not in line]


@pytest.mark.parametrize("name", catalogue.names())
def test_commands(run, name):
    """Every command to try is one that `serve` understands."""
    words = run("show", name).output
    for line in json.loads(run("show", name, "--json").output)["commands"]:
        program, verb, *rest = shlex.split(line)
        assert (program, verb) == ("tlslab", "serve")
        assert serve.make_context("serve", rest).params["scenario"] == name
        assert f"{verb} {shlex.join(rest)}" in words


def test_a_file(run, tmp_path):
    """A scenario of one's own is shown and served by its path."""
    own = tmp_path / "own.yaml"
    own.write_text((catalogue.folder() / "large-post-deadlock.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert f"serve --scenario {own}" in run("show", str(own)).output


def test_who_sends_it(run):
    """A fix that is another certificate names it; alice goes without saying."""
    text = run("show", "client-certificate-verdicts").output
    assert re.search(r"^ +GET /protected, as full-chain$", text, re.MULTILINE)
    assert re.search(r"^ +GET /protected$", text, re.MULTILINE)


def test_what_to_send(run):
    """--commands shows the failure and its cases, or one of them, --fixes each fix, for a lab as it will be served."""
    text = run("show", "large-post-deadlock", "--commands", "--port", "9443", "--speed", "24", COLUMNS="200").output
    assert (
        "See it fail\n  Expect nothing for 120 s (5 s on your watch); then the connection is reset (curl: (56)" in text
    )
    assert text.count("https://localhost:9443/upload\n") == text.count("  curl ")
    assert "Case get-works: " in text
    assert "\nFix " not in text
    one = run("show", "large-post-deadlock", "--commands", "get-works").output
    assert (one.count("  curl "), one.count("Case ")) == (1, 1)
    fixes = run("show", "large-post-deadlock", "--fixes", COLUMNS="200").output
    assert len(re.findall("^Fix ", fixes, re.MULTILINE)) == 11
    assert re.search(
        r"^Fix negotiate-on-binding.*\n  Start the lab so, and send what fails\. Expect the answer 200", fixes, re.M
    )
    wrong = run("show", "large-post-deadlock", "--commands", "get-work")
    assert (wrong.exit_code, "did you mean get-works" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stale-binding", []),
        ("session-lifetime", ["Offer a session id on their next connection: curl,"]),
        ("ca-list-truncation", ["Send a certificate only if the server's list names its issuer: wget,"]),
        ("post-request-renegotiation", ["Follow a renegotiation: curl,", "Refuse it: Go, and so do"]),
        (
            "large-post-deadlock",
            ["Follow a renegotiation: curl,", "Refuse it: Go, and so do", "Send an upload that was reset again"],
        ),
    ],
)
def test_which_clients(run, shipped, name, said):
    """What of the clients' ways matters for a scenario is said there; nothing where it does not."""
    lines = list(advice(shipped(name).scenario))
    assert [line.startswith(start) for line, start in zip(lines, said, strict=True)] == [True] * len(said)
    assert ("Which clients (measured)" in run("show", name).output) is bool(said)
