"""`tlslab profiles`, and the page that it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tlslab.cli.profiles import TABLE_WIDTH, page, rows
from tlslab.schannel.profiles import PROFILES

COMMITTED = Path(__file__).parents[2] / "docs" / "profiles.md"
LIMIT = "schannel.trusted_issuer_list_limit"


def test_json(run):
    """Every profile, every knob: sizes in bytes, times in seconds, and what is known of each."""
    profiles = json.loads(run("profiles", "--json").output)
    assert [(one["name"], one["title"]) for one in profiles] == [(one.name, one.title) for one in PROFILES.values()]
    for one in profiles:
        assert set(one["defaults"]) == set(PROFILES[one["name"]].defaults)
        assert {key for default in one["defaults"].values() for key in default} == {
            "value",
            "source",
            "verified",
            "note",
        }
    plain, updated = (one["defaults"][LIMIT] for one in profiles[:2])
    assert (plain["value"], plain["verified"], plain["source"]) == (12_288, False, "unverified")
    assert (updated["value"], updated["verified"], updated["source"]) == (16_384, True, "KB933430")
    assert profiles[0]["defaults"]["schannel.server_cache_time"]["value"] == 36_000


def test_blocks(run):
    """In 80 columns each knob has a line for every value it had; the marks need no colour."""
    output = run("profiles", COLUMNS="80").output
    words = [line.split() for line in output.splitlines()]
    assert max(map(len, output.splitlines())) <= 80
    start = words.index([LIMIT])
    assert words[start + 1 : start + 4] == [
        ["2003", "?", "12", "KiB"],
        ["2003-kb933430", "to", "2012-r2", "*", "16", "KiB"],
        ["2022", "to", "2025", "?", "16", "KiB"],
    ]
    assert ["all", "10", "h"] in words
    assert "* differs from the version before it. ? unverified" in output


@pytest.mark.parametrize("width", [TABLE_WIDTH, 200])
def test_table(run, width):
    """A wide terminal gets one column for each version, and no word is broken or cut."""
    lines = run("profiles", COLUMNS=str(width)).output.splitlines()
    assert max(map(len, lines)) <= width
    row = next(line for line in lines if "trusted_issuer_list_limit" in line)
    assert " ".join(row.split()) == "trusted_issuer_list_limit ? 12 KiB * 16 KiB 16 KiB 16 KiB ? 16 KiB ? 16 KiB"
    assert not [line for line in lines if "…" in line]
    header = next(line for line in lines if "windows-server-..." in line)
    assert header.split()[1:] == [name.removeprefix("windows-server-") for name in PROFILES]
    assert sum(line.count("? after_certificate") for line in lines) == len(PROFILES)


def test_one(run):
    """One profile tells what Windows calls each knob, and where each value comes from."""
    output = run("profiles", "windows-server-2003-kb933430").output
    assert "*  schannel.trusted_issuer_list_limit = 16 KiB" in output
    assert "KB933430." in output
    assert "?  sites.*.continue_100 = after_certificate" in output
    assert "[registry, SCHANNEL: MaximumCacheSize]" in output
    assert [one["name"] for one in json.loads(run("profiles", "windows-server-2022", "--json").output)] == [
        "windows-server-2022"
    ]


def test_an_unknown_one(run):
    """A name nobody knows is one line with the nearest that is known."""
    result = run("profiles", "windows-server-2202")
    assert result.exit_code == 2
    assert "there is no profile 'windows-server-2202'" in result.output
    assert "or windows-server-2022 or" in result.output


def test_changes_are_those_of_the_values():
    """What is marked as different is different from its neighbour, and nothing else is marked."""
    for path, row in rows().items():
        assert [cell.profile for cell in row] == list(PROFILES.values()), path
        values = [cell.knob.value for cell in row]
        assert [cell.changed for cell in row] == [
            index > 0 and value != values[index - 1] for index, value in enumerate(values)
        ]


def test_the_committed_page_is_current(run):
    """docs/profiles.md is what `tlslab profiles --markdown` prints, and has every source and note in it."""
    written = COMMITTED.read_text(encoding="utf-8")
    assert page() == run("profiles", "--markdown").output
    assert written == page(), "run: tlslab profiles --markdown > docs/profiles.md"
    for profile in PROFILES.values():
        for default in profile.defaults.values():
            assert default.note in written
            assert default.source in written or not default.is_verified
