"""Certificate stores: groups of roots and the names they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter, ValidationError

from tlslab.pki.root_names import root_name
from tlslab.scenario.issuers import issuer_names
from tlslab.scenario.stores import Roots, Store, StoreName, Stores, has_intermediate, trusts_clients
from tlslab.schannel.issuer_list import CLIENT_AUTH_ISSUER, ROOT

OURS = root_name("Lab CA")
LAB = {"authority": "client"}


def store(*roots: Mapping[str, object], without: tuple[str, ...] = ()) -> Store:
    """A store of these groups."""
    return Store.model_validate({"roots": roots, "without": without})


def texts(stores: dict[str, Store], ctl_store: str | None = None) -> list[str]:
    """The names that a binding would send."""
    return [name.rfc4514_string() for name in issuer_names(stores, ctl_store, [OURS])]


def test_a_group_is_so_many_names():
    """Each has its number, and the groups keep their order; the lab's own authority has its own name."""
    root = store({"name": "A {n}", "count": 2, "organization": "O"}, LAB, {"name": "B"})
    assert texts({ROOT: root}) == ["CN=A 1,O=O", "CN=A 2,O=O", "CN=Lab CA", "CN=B"]


def test_what_is_taken_out():
    """`without` takes out the groups in that state, and leaves the others in their order."""
    groups = [{"name": state.upper(), "state": state} for state in ("expired", "valid", "unused")]
    assert texts({ROOT: store(*groups, without=("expired",))}) == ["CN=VALID", "CN=UNUSED"]
    assert texts({ROOT: store(*groups, without=("unused", "expired"))}) == ["CN=VALID"]


def test_without_stores_there_is_the_labs_own_authority():
    """A scenario that says nothing of stores trusts the lab's clients and names their authority."""
    assert texts({}) == ["CN=Lab CA"]
    assert texts({"Mine": store({"name": "A"})}) == ["CN=Lab CA"]


def test_the_store_that_counts():
    """The one that the binding names, else Client Authentication Issuers, else Root; an empty one is passed over."""
    emptied = store({"name": "E", "state": "unused"}, without=("unused",))
    stores = {ROOT: store({"name": "R"}), "Mine": store({"name": "M"}), "Empty": emptied}
    assert (texts(stores), texts(stores, "Mine"), texts(stores, "Empty")) == (["CN=R"], ["CN=M"], ["CN=R"])
    stores[CLIENT_AUTH_ISSUER] = store({"name": "C"})
    assert (texts(stores), texts(stores, "Mine"), texts(stores, "Empty")) == (["CN=C"], ["CN=M"], ["CN=C"])


@pytest.mark.parametrize(
    ("stores", "trusted"),
    [
        ({}, True),
        ({"Mine": store({"name": "A"})}, True),
        ({ROOT: store({"name": "A"}, LAB)}, True),
        ({ROOT: store({"name": "A"})}, False),
        ({ROOT: store(LAB | {"state": "unused"})}, True),
        ({ROOT: store(LAB | {"state": "unused"}, without=("unused",))}, False),
        ({ROOT: store(), "Mine": store(LAB)}, False),
    ],
)
def test_whom_the_server_trusts(stores, trusted):
    """Trusted Roots decide, whatever store the list is made of."""
    assert trusts_clients(stores) is trusted


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        ({}, "expected a name, or authority: client"),
        ({"name": "A", "authority": "client"}, "expected a name, or authority: client"),
        (LAB | {"count": 2}, "is there once"),
        (LAB | {"organization": "O"}, "has its own name"),
        ({"name": "A", "count": 2}, "2 roots need {n} in their name"),
        ({"name": "A" * 60 + " {n}", "count": 1000}, "at most 64 characters, its number included"),
        ({"name": "A" * 65}, "at most 64 characters"),
        ({"name": "Ä"}, "expected plain ASCII text"),
        ({"name": "A", "organization": "\n"}, "expected plain ASCII text"),
        ({"name": "A {n}", "count": 0}, "greater than or equal to 1"),
        ({"name": "A {n}", "count": 9999}, "less than or equal to 2000"),
    ],
)
def test_a_group_that_cannot_be(group, complaint):
    """It is refused in words before any name is made of it."""
    with pytest.raises(ValidationError) as caught:
        Roots.model_validate(group)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("root", "certutil calls this store Root"),
        ("CLIENTAUTHISSUER", "certutil calls this store ClientAuthIssuer"),
        ("a.b", "expected a name without dots"),
        ("", "at least 1 character"),
        ("Ä", "expected plain ASCII text"),
    ],
)
def test_a_store_name_that_cannot_be(name, complaint):
    """A store that nobody would ever look into is a mistake."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(StoreName).validate_python(name)
    assert complaint in str(caught.value)


def test_store_names():
    """Windows' own, and any other."""
    for name in (ROOT, CLIENT_AUTH_ISSUER, "Web Clients", "My-Store_2"):
        assert TypeAdapter(StoreName).validate_python(name) == name


def test_the_intermediate():
    """The server has it where it is among Intermediate Certification Authorities, and names it to nobody."""
    between = store({"authority": "intermediate"})
    assert [has_intermediate(stores) for stores in ({}, {"CA": store()}, {"CA": between})] == [False, False, True]
    assert texts({ROOT: store(LAB), "CA": between}) == ["CN=Lab CA"]


@pytest.mark.parametrize(
    ("name", "authority", "sound"),
    [
        ("CA", "intermediate", True),
        (ROOT, "client", True),
        ("Mine", "client", True),
        (ROOT, "intermediate", False),
        ("CA", "client", False),
    ],
)
def test_each_authority_in_its_place(name, authority, sound):
    """An intermediate among Trusted Roots is a fault that the lab does not imitate, so it is refused."""
    adapter = TypeAdapter(Stores)
    stores = {name: {"roots": [{"authority": authority}]}}
    if sound:
        assert adapter.validate_python(stores)[name].has(authority)
    else:
        with pytest.raises(ValidationError, match="belongs into CA"):
            adapter.validate_python(stores)
