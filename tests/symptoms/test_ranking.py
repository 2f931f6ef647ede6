"""Which scenarios fit: a catalogue of three, so that every weight is one that can be followed."""

from __future__ import annotations

import pytest

from tlslab.scenario import catalogue
from tlslab.symptoms.ranking import MOST, Index

THREE = {
    "freeze": ["upload hangs, then the connection is reset", "curl: (56) Recv failure: Connection reset by peer"],
    "stale": ["the connection is reset in the handshake", "HttpEvent 15021", "BindingKeeper says goodbye"],
    "verdict": ["403.16 Forbidden", "403.7 Client certificate required"],
}


@pytest.fixture(scope="module")
def three():
    """An index of them."""
    return Index(THREE)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ECONNRESET", ["stale", "freeze"]),
        ("SSL handshake: ECONNRESET", ["stale"]),
        ("POST: ECONNRESET", ["freeze", "stale"]),
        ("BindingKeeper", ["stale"]),
        ("bindingkeepers", []),
        ("403.16", ["verdict"]),
        ("HTTP 403", []),
        ("403.13", []),
        ("connection refused", []),
        ("could not resolve host, upload, handshake, large", []),
        ("", []),
    ],
)
def test_rank(three, text, names):
    """What is rarer and where it happened decide; a failure that no symptom has finds nothing."""
    assert [found.name for found in three.rank(text)] == names


def test_why(three):
    """The pieces of the text that speak for a scenario come first what says most, with its nearest symptom."""
    found = three.rank("curl: (56) Recv failure: Connection reset by peer")[0]
    assert found.by[:2] == ("Connection reset", "curl: (56)")
    assert found.symptom == THREE["freeze"][1]


def test_a_symptom_of_its_own_words_comes_first(three):
    """Whoever pastes a symptom word for word gets its scenario first."""
    for name, symptoms in THREE.items():
        assert {three.rank(symptom)[0].name for symptom in symptoms} == {name}


def test_at_most_five():
    """More than that nobody reads."""
    assert len(Index({f"s{number}": ["ECONNRESET"] for number in range(9)}).rank("reset by peer")) == MOST


@pytest.mark.parametrize(("text", "found"), [("the BindingKeeper", True), ("no such host: the BindingKeeper", False)])
def test_a_strange_failure_outweighs_a_name(three, text, found):
    """A name finds its scenario, unless the text speaks of a failure that no scenario has."""
    assert bool(three.rank(text)) is found


def test_every_shipped_symptom_finds_its_scenario(index):
    """Each symptom of each scenario, pasted as it stands, finds it."""
    lost = [
        (one.name, symptom, [found.name for found in index.rank(symptom)])
        for one in catalogue.listed()
        for symptom in one.symptoms
        if one.name not in [found.name for found in index.rank(symptom)]
    ]
    assert lost == []
