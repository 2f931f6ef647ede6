"""Kinds of clients: what they are called, and how they are laid over the steps of a scenario."""

from __future__ import annotations

import pytest

from tlslab.client.choice import Criteria
from tlslab.client.kinds import CHOOSING, OWN, PROGRAMS, WRITING, all_kinds, client_kind
from tlslab.errors import UsageProblem
from tlslab.scenario.schema import Step, WritingStyle

GET, POST = Step(request="GET /x"), Step(request="POST /x", body=99)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("browser", "browser"),
        ("Browser", "browser"),
        ("prime", "prime"),
        ("prime+schannel", "schannel+prime"),
        ("curl", "openssl+interleaved"),
        ("chromium", "browser"),
    ],
)
def test_a_kind_is_found(typed, name):
    """By its name, by both its parts in any order, or by the program that it stands for."""
    assert client_kind(typed).name == name


@pytest.mark.parametrize(
    ("typed", "says", "hint"),
    [
        ("schanel", "there is no client 'schanel'", "did you mean schannel?"),
        ("browser+prim", "there is no client 'prim'", "did you mean prime?"),
        ("firefox", "there is no client 'firefox'", "known: openssl,"),
        ("", "there is no client ''", "known: openssl,"),
        ("browser+java", "browser and java are two ways in which a client chooses", "name one"),
        ("prime+interleaved", "prime and interleaved are two ways in which a client writes", "name one"),
    ],
)
def test_what_is_no_kind(typed, says, hint):
    """What was probably meant, or what there is."""
    with pytest.raises(UsageProblem, match="client") as caught:
        client_kind(typed)
    assert says in str(caught.value)
    assert hint in caught.value.hint


def test_every_name_is_a_kind():
    """Those of the tables, and those of programs."""
    assert [one.name for one in all_kinds()] == [*CHOOSING, *WRITING]
    assert all(client_kind(name).choosing for name in PROGRAMS)


@pytest.mark.parametrize(
    ("kind", "differs"),
    [
        ("openssl", {}),
        ("java", {"filters_by_issuer": True, "post_handshake_auth": False}),
        ("schannel", {"filters_by_issuer": True, "filters_by_usage": True, "post_handshake_auth": False}),
        (
            "browser",
            {"filters_by_issuer": True, "filters_by_usage": True, "post_handshake_auth": False}
            | {"leaves_at": "certificate_request", "retries": 1},
        ),
        ("no-renegotiation", {"renegotiation": "refuse", "filters_by_issuer": True, "post_handshake_auth": False}),
        ("ignores-renegotiation", {"renegotiation": "ignore", "post_handshake_auth": False}),
        ("no-post-handshake-auth", {"post_handshake_auth": False}),
        ("write-then-read", {}),
        ("interleaved", {}),
        ("expect-continue", {"expect_100": 1.0}),
    ],
)
def test_an_upload_as_each_takes_it(kind, differs):
    """A kind sets what is its own way, and leaves the rest of the step."""
    assert client_kind(kind).laid_over([POST]) == (POST.model_copy(update=differs),)


def test_the_circumstances_stay():
    """Who is there, what is asked for, and when, are the scenario's; its client's ways are not."""
    step = Step(request="GET /x", identity="expired", wait=9, binding="b", answers_after=3, renegotiation="refuse")
    taken = client_kind("openssl").laid_over([step])[0]
    assert taken == step.model_copy(update={"renegotiation": "accept"})
    assert OWN.laid_over([step]) == client_kind("interleaved").laid_over([step]) == (step,)


def test_whoever_has_a_kind_names_the_server_and_believes_its_end():
    """A probe that sends no name, and Ruby that insists on close_notify, are none of these."""
    odd = Step(request="GET /x", sni=False, insists_on_close_notify=True)
    for name in CHOOSING:
        (taken,) = client_kind(name).laid_over([odd])
        assert (taken.sni, taken.insists_on_close_notify) == (None, False)
    assert client_kind("prime").laid_over([odd]) == (odd,)


@pytest.mark.parametrize(
    ("step", "retries"), [(GET, 0), (POST, 1), (GET.model_copy(update={"same_connection": True}), 1)]
)
def test_what_a_browser_repeats(step, retries):
    """A request on a connection that was open before; curl repeats none."""
    assert client_kind("browser").laid_over([step])[0].retries == retries
    assert client_kind("openssl").laid_over([step])[0].retries == 0


def test_sessions():
    """Go keeps no session ids, and so does not come back with one; Java does."""
    back = Step(request="GET /x", resumes=True)
    assert [client_kind(name).laid_over([back])[0].resumes for name in ("no-renegotiation", "java")] == [False, True]


def test_priming():
    """A GET to the same place goes before an upload, on its connection; where nothing is uploaded, none does."""
    late = POST.model_copy(update={"wait": 5.0, "others": 2, "retries": 1})
    primer, upload = client_kind("prime").laid_over([late])
    assert primer == Step(request="GET /x", wait=5.0, others=2)
    assert upload == POST.model_copy(update={"same_connection": True, "retries": 1})
    assert client_kind("prime").laid_over([GET]) == (GET,)
    primed = POST.model_copy(update={"same_connection": True})
    assert client_kind("prime").laid_over([GET, primed]) == (GET, primed)


@pytest.mark.parametrize(
    ("kind", "criteria", "style"),
    [
        ("browser", Criteria(by_issuer=True, by_usage=True, by_dates=True), WritingStyle.WRITES_EVERYTHING),
        ("curl", Criteria(), WritingStyle.READS_WHILE_WRITING),
        ("interleaved", None, WritingStyle.READS_WHILE_WRITING),
        ("prime", None, WritingStyle.WRITES_EVERYTHING),
    ],
)
def test_what_it_goes_by_and_how_it_writes(kind, criteria, style):
    """None of the first where each step says it."""
    assert (client_kind(kind).criteria, client_kind(kind).style) == (criteria, style)
