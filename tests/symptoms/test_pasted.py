"""What people paste, scored: pasted.tsv has the lines, where they are from, and the scenarios that show them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tlslab.scenario import catalogue
from tlslab.symptoms.vocabulary import INTERESTING

FILE = Path(__file__).parent / "pasted.tsv"
GOAL = 0.9  # of the lines have a right scenario among the first three
LINES = [
    (kind, frozenset(wanted.split(",")) - {"-"}, text)
    for kind, wanted, text in (
        line.split("\t", 2) for line in FILE.read_text(encoding="utf-8").splitlines() if line[:1] != "#"
    )
]
KINDS = Counter(kind for kind, _, _ in LINES)


def test_the_file_names_scenarios():
    """What is wanted is in the catalogue, and there are enough lines of every kind, also of those that find nothing."""
    assert {name for _, wanted, _ in LINES for name in wanted} <= set(catalogue.names())
    assert KINDS["met"] == 75
    assert KINDS["held"] + KINDS["fresh"] >= KINDS["tuned"] >= 90
    assert sum(not wanted for _, wanted, _ in LINES) >= 40


@pytest.mark.parametrize("kind", KINDS)
def test_nine_of_ten_find_their_scenario(index, kind):
    """A right scenario is among the first three for nine lines of ten, and where there is none, none is found."""
    missed = []
    for _, wanted, text in (line for line in LINES if line[0] == kind):
        found = [one.name for one in index.rank(text)]
        if not (wanted & set(found[:3]) if wanted else not found):
            missed.append((text, sorted(wanted), found))
    assert len(missed) <= (1 - GOAL) * KINDS[kind], missed


def test_nothing_strange_is_found(index):
    """A line that no scenario shows (a name, a route, a missing page) finds none: a wrong hint costs an hour."""
    strange = {text: [one.name for one in index.rank(text)] for _, wanted, text in LINES if not wanted}
    assert {text: found for text, found in strange.items() if found} == {}


@pytest.mark.parametrize(
    "wrapper",
    [
        "2026-11-20 10:00:00,123 ERROR [http-nio-8443-exec-3] c.e.Uploader - {}",
        "Nov 20 10:00:00 web1 app[4711]: {} at /srv/app/lib/client.rb:404",
        "Unhandled exception: MyLibrary.WrapperException ---> {} (Thread-7, 10.0.0.7:50213 -> 10.0.0.4:443)",
        '{{"level":"warn","ts":"2026-11-20T10:00:00Z","id":"4dc3e181-e14b-4a21-b022-59fc669b0914","msg":"{}"}}',
    ],
)
def test_wrappers_do_not_matter(index, wrapper):
    """What a program's log puts around an error takes at most one line in ten from its scenario."""
    met = [(wanted, text) for kind, wanted, text in LINES if kind == "met"]
    missed = [text for wanted, text in met if not wanted & {one.name for one in index.rank(wrapper.format(text))[:3]}]
    assert len(missed) <= (1 - GOAL) * len(met), missed


def test_a_log_is_not_robbed_of_them():
    """The quick look that passes over the lines of a log which say nothing passes over none of these."""
    assert [text for kind, _, text in LINES if kind == "met" and not INTERESTING.search(text)] == []
