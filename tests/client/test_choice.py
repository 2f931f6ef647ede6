"""Which certificate a client sends: lists of issuers, identities held, and what it goes by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tlslab.client.choice import Criteria, Held, KeptBack, choose, why_kept_back
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import Pki, open_pki

ALL = list(IDENTITIES)
NOTHING, ISSUER = Criteria(), Criteria(by_issuer=True)
USAGE = Criteria(by_issuer=True, by_usage=True)
EVERYTHING = Criteria(by_issuer=True, by_usage=True, by_dates=True)
NOBODY, CLIENT, UNTRUSTED, INTERMEDIATE = (), ("client",), ("untrusted",), ("intermediate",)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The lab's own identities."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def decide(pki):
    """Return a function that chooses of these identities where these authorities are named."""

    def run(choice, names, listed):
        wallet = [Held(name, pki.identity(name).chain) for name in names]
        issuers = frozenset(pki.authority(name).subject.public_bytes() for name in listed)
        return choose(choice, wallet, issuers, pki.opened)

    return run


@pytest.mark.parametrize(
    ("choice", "held", "listed", "sent"),
    [
        (NOTHING, ["alice"], UNTRUSTED, "alice"),
        (ISSUER, ["alice"], UNTRUSTED, None),
        (ISSUER, ["alice"], NOBODY, "alice"),
        (ISSUER, ["alice", "wrong-ca"], UNTRUSTED, "wrong-ca"),
        (ISSUER, ["wrong-ca", "alice"], CLIENT, "alice"),
        (ISSUER, ["wrong-ca", "alice"], NOBODY, "wrong-ca"),  # a person takes the first of what is offered
        (ISSUER, ["leaf-only"], CLIENT, None),  # the way up to the root is not there
        (ISSUER, ["full-chain"], CLIENT, "full-chain"),
        (ISSUER, ["leaf-only"], INTERMEDIATE, "leaf-only"),
        (ISSUER, ["wrong-eku"], CLIENT, "wrong-eku"),
        (USAGE, ["wrong-eku"], CLIENT, None),
        (USAGE, ["wrong-eku", "alice"], CLIENT, "alice"),
        (USAGE, ["expired"], CLIENT, "expired"),
        (EVERYTHING, ["expired", "not-yet-valid"], CLIENT, None),
        (EVERYTHING, ["expired", "not-yet-valid", "wrong-eku", "wrong-ca", "alice"], CLIENT, "alice"),
        (NOTHING, [], CLIENT, None),
        (EVERYTHING, [], NOBODY, None),
    ],
)
def test_what_is_sent(decide, choice, held, listed, sent):
    """The first that fits in everything that the client goes by."""
    assert decide(choice, held, listed).sent == sent


@pytest.mark.parametrize(
    ("choice", "listed", "kept_back"),
    [
        (NOTHING, UNTRUSTED, {}),
        (ISSUER, UNTRUSTED, dict.fromkeys(set(ALL) - {"wrong-ca"}, "issuer")),
        (ISSUER, NOBODY, {}),
        (USAGE, NOBODY, {"wrong-eku": "usage"}),
        (EVERYTHING, NOBODY, {"wrong-eku": "usage", "expired": "dates", "not-yet-valid": "dates"}),
        (EVERYTHING, CLIENT, {"wrong-ca": "issuer", "leaf-only": "issuer"} | {"wrong-eku": "usage"}
         | {"expired": "dates", "not-yet-valid": "dates"}),
    ],
)  # fmt: skip
def test_what_each_is_kept_back_for(pki, choice, listed, kept_back):
    """Each of the lab's identities by itself, before each kind of client."""
    issuers = frozenset(pki.authority(name).subject.public_bytes() for name in listed)
    found = {
        name: why
        for name in ALL
        if (why := why_kept_back(choice, Held(name, pki.identity(name).chain), issuers, pki.opened))
    }
    assert found == kept_back


def test_a_certificate_without_its_key(pki):
    """Nobody can show it, whatever they go by; with the key they can."""
    held = Held("alice", pki.identity("alice").chain, has_key=False)
    for choice in (NOTHING, EVERYTHING):
        assert why_kept_back(choice, held, frozenset(), pki.opened) is KeptBack.KEY
        assert why_kept_back(choice, replace(held, has_key=True), frozenset(), pki.opened) is None


def test_a_decision_says_what_it_was_made_of(decide):
    """How many issuers were named, and why each that stands before the one that is sent is not."""
    decision = decide(EVERYTHING, ["expired", "wrong-ca", "alice", "wrong-eku"], ("client", "server"))
    assert (decision.sent, decision.listed) == ("alice", 2)
    assert decision.kept_back == {"expired": KeptBack.DATES, "wrong-ca": KeptBack.ISSUER}
