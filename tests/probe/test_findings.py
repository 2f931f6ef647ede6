"""What is said of a server, and how certain: nothing that was only not contradicted is said to be seen."""

from __future__ import annotations

import pytest

from tlslab.probe.call import HowEnded, HttpAnswer, Reply
from tlslab.probe.findings import Sureness, findings
from tlslab.probe.imitation import scenario_text
from tlslab.probe.possible import possible
from tlslab.probe.seen import Fate, Portrait, TriedUpload, status_text
from tlslab.tls.context import Protocol
from tlslab.tls.offers import Asking

OK = HttpAnswer(200, {"server": "x"}, b"")


def answer(**fields):
    """A reply by TLS 1.2, with 200 unless told."""
    usual = {"end": HowEnded.LEFT, "established": True, "version": Protocol.TLS1_2, "http": OK}
    return Reply(**{**usual, **fields})


def portrait(bare, **fields):
    """A server that speaks TLS 1.2 and was asked for its path once."""
    spoken = {one: answer(version=one if one == Protocol.TLS1_2 else 0) for one in Protocol}
    usual = {"first": bare, "protocols": spoken, "bare": {Protocol.TLS1_2: bare}}
    return Portrait("h", 1, "/p", "h", False, (), **{**usual, **fields})


def said(seen):
    """What is found, by subject."""
    return {one.subject: one for one in findings(seen, upload=False, long=False)}


@pytest.mark.parametrize(
    ("bare", "sure"),
    [(answer(), Sureness.SEEN), (answer(end=HowEnded.PATIENCE, http=None), Sureness.INFERRED)],
)
def test_never_is_certain_of_an_answer_alone(bare, sure):
    """A server that has not answered may ask yet."""
    found = said(portrait(bare))["asks for a certificate"]
    assert (found.what, found.certainty) == ("never, for GET /p", sure)
    cannot = {one.scenario: one.certainty for one in possible(portrait(bare)) if not one.can}
    assert cannot["post-request-renegotiation"] is sure


@pytest.mark.parametrize(("resumed", "sure"), [(True, Sureness.SEEN), (False, Sureness.INFERRED)])
def test_no_resumption_is_inferred(resumed, sure):
    """There may be several machines behind one address."""
    assert said(portrait(answer(), resumed_by_id=resumed))["resumption by id"].certainty is sure


@pytest.mark.parametrize(
    ("names", "cut"),
    [((b"a" * 100,) * 160, True), ((b"a" * 100,) * 100, False), ((b"a" * 100,) * 200, False), ((), False)],
)
def test_a_cut_list_is_inferred(names, cut):
    """16,320 of 16,384 bytes have no room for one name more; what is longer than 16 KB was not cut there."""
    seen = portrait(answer(hello_requests=1, askings=(Asking(False, names),)))
    assert seen.list_looks_cut is cut
    found = {one.scenario: one for one in possible(seen)}["ca-list-truncation"]
    assert found.can is cut
    assert found.certainty is (Sureness.INFERRED if cut else Sureness.SEEN)


def test_an_upload_that_is_stuck():
    """The largest that was answered and the smallest that was not, whatever the order of asking."""
    stuck = answer(end=HowEnded.PATIENCE, http=None, seconds=10.0)
    uploads = [TriedUpload(1, answer(), Fate.ANSWERED), TriedUpload(9000, stuck, Fate.STUCK)]
    uploads += [TriedUpload(5000, stuck, Fate.STUCK), TriedUpload(3000, answer(), Fate.ANSWERED)]
    seen = portrait(answer(hello_requests=1, askings=(Asking(False, ()),)), uploads=uploads)
    largest, smallest = seen.boundary()
    assert (largest.size, smallest.size) == (3000, 5000)
    assert "kind: synchronous, buffer: 3000" in scenario_text(seen)
    assert {one.scenario: one.can for one in possible(seen)}["large-post-deadlock"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<h2>403.7 - Forbidden", "403.7"),
        (b'"status": "403.16"', "403.16"),
        (b"404.13 elsewhere", "403"),
        (b"", "403"),
    ],
)
def test_a_substatus_is_read_from_the_page(content, text):
    """IIS' notation, where it is of the same status."""
    assert status_text(answer(http=HttpAnswer(403, {}, content))) == text


def test_hostile_text_stays_text():
    """A path from a command line and names from a server end in quotes."""
    seen = portrait(answer(http=HttpAnswer(200, {"server": "\x1b[31m"}, b"")))
    seen.path = '/"\\'
    assert "\x1b" not in scenario_text(seen)
    assert '"/\\"\\\\"' in scenario_text(seen)
