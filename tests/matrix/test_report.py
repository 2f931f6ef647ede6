"""What is written of what clients did."""

from __future__ import annotations

from datetime import UTC, datetime

from tlslab.matrix.driver import ClientSaid, Process, by_lines, by_text, run, shortened
from tlslab.matrix.report import as_json, as_markdown
from tlslab.matrix.runs import OfClient, Played, Skipped, own_client

WHEN = datetime(2026, 11, 27, tzinfo=UTC)
RESULTS: list[OfClient] = [
    Played("curl", "s", "symptom", ClientSaid("", "curl: (56) a | b", 56), "reset", 1, ["reset"]),
    Played("java", "s", "symptom", ClientSaid("200", "", 0), "200", 2, ["reset"]),
    Skipped("java", "s", "fixes.f", "it cannot"),
    Played("curl", "s", "fixes.f", ClientSaid("200", "", 0), "200", 1, ["200"]),
]


def test_markdown():
    """A row for each client; what differs from the promise is bold, what was not taken says why, words are quoted."""
    text = as_markdown(RESULTS, {"curl": "8"}, {"go": "go is not installed"}, WHEN)
    assert "Measured on 27 November 2026" in text
    assert "- go: not measured, go is not installed" in text
    assert "| client | symptom | f |\n|---|---|---|\n| curl | reset | 200 |" in text
    assert "| java | **200**, sent twice | - (it cannot) |" in text
    assert "| curl | `curl: (56) a \\| b` | 56 | s (symptom) |" in text


def test_json():
    """The same for programs."""
    told = as_json(RESULTS, {"curl": "8"}, {}, WHEN)
    assert [one["as_promised"] for one in told["results"]] == [True, False, True]
    assert told["skipped"][0]["why"] == "it cannot"
    assert told["date"] == "2026-11-27"


def test_what_a_client_says():
    """The last answer's status with its substatus, or the last line of what it complains of."""
    done = run(Process(["sh", "-c", """echo '{"status": "403.7"}'; exit 3"""]))
    assert by_text(done) == ClientSaid("403.7", "", 3)
    done = run(Process(["sh", "-c", "echo one >&2; echo 'it  failed' >&2; exit 1"]))
    assert by_text(done) == ClientSaid("", "it failed", 1)
    done = run(Process(["sh", "-c", """echo '{"status": 404, "text": "", "error": ""}'"""]))
    assert by_lines(done) == ClientSaid("404", "", 0)
    assert len(shortened("x" * 1000)) == 300


def test_a_client_that_hangs_is_ended():
    """With what it started, and what it said is kept."""
    done = run(Process(["sh", "-c", "echo here; sleep 60 & wait"]), seconds=0.2)
    assert (done.returncode, done.stdout) == (-9, "here\n")


def test_ones_own_client():
    """Words are filled in after they were parted: a file's name needs no quotes, and no shell sees it."""
    driver = own_client("./mine --to {url} '--ca={ca}'")
    assert driver.name == "./mine"
    assert driver.cannot([]) == "it sends one request"
