"""`tlslab verify`, as a program: what it prints, and what it leaves for other programs."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tlslab.scenario import catalogue

pytestmark = pytest.mark.program


def test_what_is_as_promised(run, tmp_path):
    """A line for each scenario, a JSON array, JUnit's XML, and exit code 0; what was skipped is listed."""
    junit = tmp_path / "junit.xml"
    done = run("verify", "stale-binding", "session-fifo-eviction", "--json", "--junit", str(junit))
    assert done.exit_code == 0, done.output
    fifo, stale = json.loads(done.stdout)
    assert (stale["name"], stale["symptom_seen"], stale["skipped"]) == ("stale-binding", True, {})
    assert [(fix["name"], fix["cured"], fix["rate"]) for fix in stale["fixes"]] == [("bind-again", True, 1.0)]
    assert len(fifo["skipped"]) == 2
    assert "stale-binding: the symptom is seen, 1 fix cures it" in done.stderr
    assert "all as promised" in done.stderr
    suites = {suite.get("name"): suite for suite in ElementTree.parse(junit).getroot()}
    assert (suites["session-fifo-eviction"].get("skipped"), suites["stale-binding"].get("failures")) == ("2", "0")


def test_what_is_not(run, tmp_path):
    """A file of one's own whose fix mends nothing: said with what was seen, and exit code 1."""
    own = tmp_path / "own.yaml"
    text = (catalogue.folder() / "stale-binding.yaml").read_text(encoding="utf-8")
    own.write_text(
        text.replace("set: {bindings.site.certificate: server}", "set: {capi2_operational_log: true}"), "utf-8"
    )
    done = run("verify", str(own))
    assert done.exit_code == 1
    assert "own: NOT as promised" in done.output
    assert "fixes.bind-again: 0 of 2 as promised" in done.output
    assert "expected 200, saw reset" in done.output
    assert run("verify", "stale-binding", "stale-binding").exit_code == 2
