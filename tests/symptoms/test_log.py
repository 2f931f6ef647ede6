"""A whole log."""

from __future__ import annotations

from itertools import repeat

from tlslab.symptoms import log
from tlslab.symptoms.log import find

QUIET = "2026-11-20 10:00:00 10.0.0.4 GET / - 443 - 10.0.0.9 curl/8 - 200 0 0 15"
REFUSED = "2026-11-20 10:00:01 10.0.0.4 GET /orders - 443 - 10.0.0.9 curl/8 - 403 16 2148204809 15"


def test_a_line_of_a_log(index):
    """One line among thousands that say nothing is found, and counted."""
    answer = find(index, [*repeat(QUIET, 3000), REFUSED, *repeat(QUIET, 100)])
    found = ["client-certificate-verdicts", "accepted-but-untrusted"]
    assert [(one.name, one.line) for one in answer.found] == [(name, 3001) for name in found]
    assert (answer.lines, answer.whole) == (3101, True)
    assert find(index, repeat(QUIET, 3000)).found == ()


def test_a_message_of_several_lines(index):
    """What stands in two lines of one message belongs together; in a log it does not."""
    lines = ["PUT /big failed", "  caused by: ECONNRESET"]
    assert find(index, lines).found[0].name == "large-post-deadlock"
    assert find(index, lines).found[0].line == 0
    assert find(index, [*lines, *repeat(QUIET, 30)]).found[0].line == 2


def test_it_has_an_end(index, monkeypatch):
    """A log without an end is read as far as the bound, and the answer says that it was not all."""
    monkeypatch.setattr(log, "MOST_LINES", 50)
    answer = find(index, repeat(REFUSED))
    assert (answer.found[0].name, answer.whole) == ("client-certificate-verdicts", False)
    monkeypatch.setattr(log, "MOST_MESSAGES", 20)
    assert not find(index, (f"error {'x' * number}" for number in range(40))).whole
