"""`tlslab probe --scenario`, as its user types it."""

from __future__ import annotations

import json

import pytest

from tlslab.client.kinds import CHOOSING, WRITING

pytestmark = pytest.mark.program
LIST = "ca-list-truncation"


@pytest.mark.parametrize("columns", ["80", "120"])
def test_both_sides(run, columns):
    """The ladder fits its terminal; below it whether the symptom was seen, why, and what to try, to be copied."""
    done = run("probe", "--scenario", LIST, "--client", "schannel", COLUMNS=columns)
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    command = next(line for line in lines if "--fix remove-expired-and-unused-roots" in line)
    assert max(len(line) for line in lines if line != command) <= int(columns)
    text = " ".join(done.stdout.split())
    for words in (
        "[empty Certificate,",
        "the list is CUT: 261 of 332 issuers fit in",
        "Symptom is seen: the answer is 403.7.",
        "Promise kept: the scenario promises its symptom of such a client",
        "Client It kept alice back: the server names 261 issuers, and none of them stands above it.",
        "Try remove-expired-and-unused-roots",
        f"probe --scenario {LIST} --client schannel --fix remove-expired-and-unused-roots",
    ):
        assert words in text


def test_with_the_fix(run):
    """The contrast: nothing is left to try."""
    done = run("probe", "-s", LIST, "--client", "schannel", "--fix", "ctl-store")
    assert done.exit_code == 0
    assert "is not seen: the answer is 200, for CN=alice." in done.stdout
    assert "Try " not in done.stdout


def test_json(run):
    """The same for a program: outcome, promise, decisions, and each message with when it was read."""
    done = run("probe", "--scenario", LIST, "--client", "curl", "--json")
    found = json.loads(done.stdout)
    assert (found["client"], found["outcome"]["kind"], found["symptom_seen"]) == ("openssl+interleaved", "200", False)
    assert (found["as_promised"], found["promised_by"]) == (True, "cases.a-client-that-does-not-look")
    assert found["try"] is None
    messages = [one for rung in found["ladder"] for one in rung["messages"]]
    assert {"ClientHello", "HelloRequest", "GET /protected", "answer 200"} <= {one["name"] for one in messages}
    assert all(one["read_at"] >= one["sent_at"] for one in messages)
    assert [one["encrypted"] for one in messages if one["name"] == "HelloRequest"] == [True]


def test_every_kind(run):
    """A line each, and a JSON array."""
    done = run("probe", "--scenario", LIST, "--client", "all")
    assert done.exit_code == 0
    rows = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines() if line and line[0] != " "}
    assert (rows["openssl"], rows["schannel"]) == (["no", "yes"], ["seen", "yes"])
    found = json.loads(run("probe", "--scenario", LIST, "--client", "all", "--json").stdout)
    assert [one["client"] for one in found][:3] == ["openssl", "java", "schannel"]


def test_what_differs(run, tmp_path, shipped):
    """A file of one's own whose promise is not kept: exit code 1, and what was seen."""
    own = tmp_path / "own.yaml"
    own.write_text(
        """
format_version: 1
title: A promise
story: It is not kept.
sources: [this test]
symptoms: [none]
profile: windows-server-2012-r2
bindings:
  site: {endpoint: "0.0.0.0:8443", protocols: [TLS1.2]}
sites:
  - {path: /x, ssl_flags: [Ssl]}
symptom:
  client: [{request: GET /x}]
  expect: {outcome: reset}
fixes: {}
teach: Look.
""",
        "utf-8",
    )
    done = run("probe", "--scenario", str(own))
    assert done.exit_code == 1
    assert "NOT kept" in done.stdout
    assert "outcome: expected reset, saw 200" in done.stdout


def test_a_request_that_is_repeated(run):
    """Told of who does so, and not of who only comes back after an idle connection was reset."""
    words = ("probe", "--scenario", "keep-alive-race", "--client")
    assert "sent that once more" in run(*words, "browser").stdout
    assert "sent that once more" not in run(*words, "openssl").stdout


def test_the_help_names_every_kind(run):
    """What --client takes stands there, though the table of kinds is not imported for it."""
    names = run("probe", "--help").output.replace(",", " ").split()
    assert {*CHOOSING, *WRITING} < set(names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "probe what?"),
        (["--scenario", "ca-list"], "did you mean ca-list-truncation?"),
        (["--scenario", LIST, "--client", "shannel"], "did you mean schannel?"),
        (["--scenario", LIST, "--client", "java+browser"], "two ways"),
        (["--scenario", LIST, "--fix", "ctl"], "did you mean ctl-store?"),
        (["--scenario", LIST, "--holds", "alise"], "did you mean alice?"),
    ],
)
def test_what_is_not_understood(run, words, said):
    """A line that says what was probably meant, and exit code 2."""
    done = run("probe", *words)
    assert done.exit_code == 2
    assert said in done.stderr
