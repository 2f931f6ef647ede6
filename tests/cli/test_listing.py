"""`tlslab list`."""

from __future__ import annotations

import json

import pytest

from tlslab.scenario import catalogue


def test_json(run):
    """An array of objects with at least a name and a title."""
    entries = json.loads(run("list", "--json").output)
    assert [entry["name"] for entry in entries] == catalogue.names()
    assert all(entry["title"] and entry["symptoms"] and entry["fixes"] for entry in entries)


@pytest.mark.parametrize(
    ("symptom", "found"),
    [
        ("413", ["upload-read-ahead-413"]),
        ("err_connection_reset", ["large-post-deadlock", "tls13-certificate-on-demand", "stale-binding"]),
        ("HTTP Error 403.16 - Forbidden", ["client-certificate-verdicts"]),
    ],
)
def test_symptom(run, symptom, found):
    """A symptom finds its scenarios, the likeliest first, and says by what, in JSON and in words."""
    entries = json.loads(run("list", "--json", "--symptom", symptom).output)
    assert [entry["name"] for entry in entries][: len(found)] == found
    assert {"title", "symptoms", "fixes", "score", "found_by", "nearest_symptom"} <= entries[0].keys()
    words = run("list", "--symptom", symptom)
    assert (words.exit_code, [line for line in words.output.splitlines() if line in found]) == (0, found)
    assert f'found by: "{entries[0]["found_by"][0]}"' in words.output
    assert ("tell it apart: " in words.output) is (len(entries) > 1)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_such_symptom(run, options):
    """Nothing found is exit code 1, and a line says what to try; whoever reads JSON gets an empty list."""
    result = run("list", "--symptom", "curl: (6) Could not resolve host: \x1b[31mx", *options)
    assert result.exit_code == 1
    assert r"no scenario shows the symptom 'curl: (6) Could not resolve host: \x1b[31mx'" in result.output
    assert "hint: paste the line" in result.output
    assert result.output.startswith("[]\n") is bool(options)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_log_on_standard_input(run, encoding):
    """`-` reads a whole log, also one that Windows PowerShell wrote; the line is named, and nothing found is 1 too."""
    quiet = "2026-11-20 10:00:00 10.0.0.4 GET / - 443 - 10.0.0.9 curl/8 - 200 0 0 15\n" * 20
    refused = "2026-11-20 10:00:01 10.0.0.4 GET /a - 443 - 10.0.0.9 J\xf6rg - 403 16 2148204809 15\n"
    result = run("list", "--symptom", "-", stdin=f"{quiet}\n{refused}".encode(encoding))
    assert (result.exit_code, "client-certificate-verdicts" in result.output) == (0, True), result.output
    assert "(line 22)" in result.output
    assert "Read 22 lines." in result.output
    nothing = run("list", "--symptom", "-", stdin=quiet.encode(encoding))
    assert (nothing.exit_code, "no scenario shows any of 20 lines" in nothing.output) == (1, True)


def test_words(run):
    """Names stand alone on their lines, and titles keep to the width."""
    lines = run("list", COLUMNS="60").output.splitlines()
    assert "large-post-deadlock" in lines
    assert max(map(len, lines)) <= 60
