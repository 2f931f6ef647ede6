"""What a client keeps of what passed."""

from __future__ import annotations

from tlslab.client.logbook import Logbook, Page, Passed, Said
from tlslab.scenario.schema import Step
from tlslab.tls.client import TlsPassed

POST = Step(request="POST /x", body=30, expect_100=1)


def brief(logbook):
    """Each entry without its times."""
    return [(one.connection, one.sent, one.what.value, one.name, one.size) for one in logbook.passed]


def test_a_request_and_its_body():
    """The head is the first piece; pieces of a body are one until something comes between."""
    logbook = Logbook()
    page = Page(logbook)
    page.begins()
    for at, size in enumerate((5, 10, 10)):
        page.piece(float(at), POST, size)
    page.note(3.0, Said.RESPONSE, "100", sent=False)
    page.piece(4.0, POST, 10)
    assert brief(logbook) == [
        (1, True, "request", "POST /x", 30),
        (1, True, "body", "", 20),
        (1, False, "response", "100", 0),
        (1, True, "body", "", 10),
    ]
    assert [(one.at, one.until, one.waits) for one in logbook.passed[:2]] == [(0.0, 0.0, True), (1.0, 2.0, False)]


def test_nothing_comes_behind_an_end():
    """A connection ends once, however often it is told."""
    logbook = Logbook()
    page = Page(logbook)
    page.tls(0.0, [TlsPassed(True, "no_renegotiation", 2, is_alert=True)])
    page.note(1.0, Said.RESET, sent=False)
    page.note(1.0, Said.END, sent=False)
    assert [one.what for one in logbook.passed] == [Said.ALERT, Said.RESET]


def test_connections_are_counted():
    """Those of others, too, so that the numbers are the lab's."""
    logbook = Logbook()
    Page(logbook)
    logbook.somebody_else()
    Page(logbook).note(0.0, Said.END)
    assert logbook.passed == [Passed(0.0, 3, True, Said.END)]


def test_without_a_logbook():
    """A client that nobody asks keeps nothing."""
    page = Page(None)
    page.begins()
    page.piece(0.0, POST, 5)
    page.note(0.0, Said.END)
    page.tls(0.0, [TlsPassed(True, "Finished", 12, is_alert=False)])
