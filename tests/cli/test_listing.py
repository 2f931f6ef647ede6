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
        ("err_connection_reset", ["large-post-deadlock", "private-key-missing", "stale-binding"]),
        ("no such thing", []),
    ],
)
def test_symptom(run, symptom, found):
    """A symptom finds its scenario, in JSON and in words."""
    assert [entry["name"] for entry in json.loads(run("list", "--json", "--symptom", symptom).output)] == found
    words = run("list", "--symptom", symptom).output
    assert all(name in words for name in found) or "No scenario has the symptom 'no such thing'" in words


def test_words(run):
    """Names stand alone on their lines, and titles keep to the width."""
    lines = run("list", COLUMNS="60").output.splitlines()
    assert "large-post-deadlock" in lines
    assert max(map(len, lines)) <= 60
