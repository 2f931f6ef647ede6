"""The list of trusted issuers: what fits, what is left out, and which store it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.schannel.issuer_list import CLIENT_AUTH_ISSUER, ROOT, issuer_list, source_store
from tlslab.schannel.settings import Schannel

NAMES = [b"a" * 8, b"b" * 8, b"c" * 8]


def settings(limit: int = 16384, *, sends: bool = True, ignores: bool = False) -> Schannel:
    """What the registry says."""
    return Schannel(
        always_sends_cut_list=ignores,
        send_trusted_issuer_list=sends,
        trusted_issuer_list_limit=limit,
        maximum_cache_size=0,
        server_cache_time=0,
        event_logging=1,
    )


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (29, 2), (30, 3), (999, 3)])
def test_only_whole_names_are_sent(limit, kept):
    """A name that does not fit is left out, never cut; each costs its length and two bytes more."""
    got = issuer_list(NAMES, settings(limit))
    assert (got.sent, got.dropped, got.wire_bytes) == (tuple(NAMES[:kept]), tuple(NAMES[kept:]), 10 * kept)


def test_it_stops_at_the_first_that_does_not_fit():
    """A shorter name behind it would fit, and is left out all the same."""
    got = issuer_list([b"a" * 8, b"b" * 20, b"c"], settings(15))
    assert (got.sent, got.dropped) == ((b"a" * 8,), (b"b" * 20, b"c"))


def test_the_order_decides_who_is_left_out():
    """With two names swapped the other one is the victim."""
    assert issuer_list(NAMES, settings(20)).dropped == (NAMES[2],)
    assert issuer_list([NAMES[2], NAMES[1], NAMES[0]], settings(20)).dropped == (NAMES[0],)


def test_a_list_that_is_off_is_empty_and_lacks_nothing():
    """SendTrustedIssuerList=0: no name goes out, and none was left out for want of room."""
    got = issuer_list(NAMES, settings(10, sends=False))
    assert (got.sent, got.dropped, got.wire_bytes) == ((), (), 0)


@pytest.mark.parametrize(("limit", "sent"), [(30, 0), (29, 2)])
def test_what_kb2880390_says_of_2012(limit, sent):
    """Above the limit it makes no difference that the list is off; below it, it is off."""
    got = issuer_list(NAMES, settings(limit, sends=False, ignores=True))
    assert (len(got.sent), len(got.dropped)) == (sent, 3 - sent if sent else 0)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=30), st.integers(0, 400))
def test_nothing_is_lost_and_one_more_would_not_fit(names, limit):
    """What is sent and what is left out are the names in their order, and the list is as long as it may be."""
    got = issuer_list(names, settings(limit))
    assert [*got.sent, *got.dropped] == names
    assert got.wire_bytes == sum(2 + len(name) for name in got.sent) <= limit
    assert not got.dropped or got.wire_bytes + 2 + len(got.dropped[0]) > limit


@pytest.mark.parametrize(
    ("ctl_store", "sizes", "store"),
    [
        (None, {}, ROOT),
        (None, {ROOT: 9, "Mine": 1}, ROOT),
        ("Mine", {ROOT: 9, "Mine": 1}, "Mine"),
        ("Mine", {ROOT: 9, "Mine": 1, CLIENT_AUTH_ISSUER: 2}, "Mine"),
        (None, {ROOT: 9, CLIENT_AUTH_ISSUER: 2}, CLIENT_AUTH_ISSUER),
        ("Mine", {ROOT: 9, "Mine": 0, CLIENT_AUTH_ISSUER: 2}, CLIENT_AUTH_ISSUER),
        ("Mine", {ROOT: 9, "Mine": 0, CLIENT_AUTH_ISSUER: 0}, ROOT),
        ("Gone", {ROOT: 9}, ROOT),
    ],
)
def test_the_store(ctl_store, sizes, store):
    """The binding's own, else Client Authentication Issuers, else Trusted Roots; an empty one is passed over."""
    assert source_store(ctl_store, sizes) == store
