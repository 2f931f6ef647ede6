"""Certificate stores: groups of roots and the names they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter, ValidationError

from tlslab.pki.root_names import root_name
from tlslab.scenario.issuers import issuer_names
from tlslab.scenario.stores import AUTHORITIES, Roots, Store, StoreName, Stores, trusted
from tlslab.schannel.issuer_list import CLIENT_AUTH_ISSUER, ROOT
from tlslab.schannel.settings import ClientAuthTrustMode

NAMES = {name: root_name(f"Lab {name} CA") for name in AUTHORITIES} | {"client": root_name("Lab CA")}
LAB, BETWEEN, OTHER = {"authority": "client"}, {"authority": "intermediate"}, {"authority": "untrusted"}
MACHINE, ROOTS, CAS = ClientAuthTrustMode


def store(*roots: Mapping[str, object], without: tuple[str, ...] = ()) -> Store:
    """A store of these groups."""
    return Store.model_validate({"roots": roots, "without": without})


def texts(stores: dict[str, Store], ctl_store: str | None = None) -> list[str]:
    """The names that a binding would send."""
    return [name.rfc4514_string() for name in issuer_names(stores, ctl_store, NAMES.__getitem__)]


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
    ("stores", "names"),
    [
        ({}, "client"),
        ({"Mine": store({"name": "A"})}, "client"),
        ({ROOT: store({"name": "A"}, LAB)}, "client"),
        ({ROOT: store({"name": "A"})}, ""),
        ({ROOT: store(LAB | {"state": "unused"})}, "client"),
        ({ROOT: store(LAB | {"state": "unused"}, without=("unused",))}, ""),
        ({ROOT: store(), "Mine": store(LAB), CLIENT_AUTH_ISSUER: store(LAB)}, ""),
        ({ROOT: store(OTHER, LAB)}, "client untrusted"),
        ({ROOT: store(OTHER, {"authority": "server"})}, "untrusted server"),
        ({"CA": store(BETWEEN)}, "client intermediate"),
        ({ROOT: store(OTHER), "CA": store(BETWEEN)}, "untrusted"),
    ],
)
def test_whom_the_server_trusts(stores, names):
    """Trusted Roots decide, whatever store the list is made of; an intermediate is nothing without its root."""
    assert trusted(stores) == tuple(names.split())


@pytest.mark.parametrize(
    ("own", "machine", "roots", "cas"),
    [
        ([{"name": "Our Partner CA"}], "", "", ""),
        ([LAB], "client", "client", "client"),
        ([OTHER], "", "untrusted", "untrusted"),
        ([OTHER, LAB], "client", "client untrusted", "client untrusted"),
        ([BETWEEN], "intermediate", "", "intermediate"),
        ([], "client", "client", "client"),
    ],
)
def test_a_store_of_the_bindings_own_restricts_whom_it_trusts(own, machine, roots, cas):
    """By the trust mode: as well as Trusted Roots, or in their place; the contrast is the binding without it."""
    stores = {ROOT: store(LAB), "Mine": store(*own)}
    found = {mode: trusted(stores, "Mine", mode) for mode in ClientAuthTrustMode}
    assert found == {MACHINE: tuple(machine.split()), ROOTS: tuple(roots.split()), CAS: tuple(cas.split())}
    assert {trusted(stores, None, mode) for mode in ClientAuthTrustMode} == {("client",)}


@pytest.mark.parametrize(
    ("stores", "names"), [({}, "client intermediate"), ({ROOT: store(OTHER)}, "untrusted"), ({ROOT: store()}, "")]
)
def test_what_is_fetched_still_needs_its_root(stores, names):
    """An intermediate from the address in the certificate is as good as one that is installed, and no better."""
    assert trusted(stores, fetches=True) == tuple(names.split())
    assert "intermediate" not in trusted(stores)


NO_ROOT = {"name": "Issuing CA", "self_signed": False}


@pytest.mark.parametrize("stray", [NO_ROOT, BETWEEN])
def test_a_certificate_that_is_no_root_among_the_roots(stray):
    """It alone is named then (what's new in TLS/SSL), and nobody is trusted (KB2802568); in CA it does no harm."""
    mixed = {ROOT: store({"name": "A"}, LAB, stray)}
    assert texts(mixed) == [texts({ROOT: store(stray)})[0]]
    assert trusted(mixed) == trusted({ROOT: store(stray)}) == ()
    own = mixed | {"Own": store(LAB)}
    assert trusted(own, "Own", MACHINE) == ()
    assert trusted(own, "Own", CAS) == ("client",)
    cleared = {ROOT: store({"name": "A"}, LAB, stray | {"state": "unused"}, without=("unused",))}
    assert len(texts(cleared)) == 2
    assert trusted(cleared) == ("client",)
    assert "client" in trusted({ROOT: store(LAB), "CA": store(stray)})


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        (LAB | {"self_signed": False}, "whether an authority of the lab's own is self-signed is known"),
        ({}, "expected a name, or authority: client, intermediate, untrusted, server"),
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


def test_the_names_of_the_labs_own():
    """Each authority has its own, and the one among Intermediate Certification Authorities is named to nobody."""
    assert texts({ROOT: store(LAB), "CA": store(BETWEEN)}) == ["CN=Lab CA"]
    assert texts({ROOT: store(OTHER, LAB)}) == ["CN=Lab untrusted CA", "CN=Lab CA"]


@pytest.mark.parametrize(
    ("name", "authority", "sound"),
    [
        ("CA", "intermediate", True),
        (ROOT, "client", True),
        ("Mine", "client", True),
        (ROOT, "untrusted", True),
        ("Mine", "intermediate", True),
        (ROOT, "intermediate", True),
        ("CA", "client", False),
        ("CA", "untrusted", False),
    ],
)
def test_each_authority_in_its_place(name, authority, sound):
    """A root has no place among intermediates; an intermediate among Trusted Roots is a fault that is imitated."""
    adapter = TypeAdapter(Stores)
    stores = {name: {"roots": [{"authority": authority}]}}
    if sound:
        assert adapter.validate_python(stores)[name].has(authority)
    else:
        with pytest.raises(ValidationError, match="belongs here"):
            adapter.validate_python(stores)
