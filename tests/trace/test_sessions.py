"""Sessions that were issued in the same trace, and are not honoured."""

from __future__ import annotations

import pytest

from tlslab.trace.patterns import findings
from tlslab.trace.sessions import session_not_honoured

LINES = [(0, "C", "Finished"), (0, "S", "Finished"), (1, "C", "GET /a"), (1, "S", "HelloRequest")]


def hellos(offered, given, **more):
    """A handshake's two hellos with their session ids."""
    return [(0, "C", "ClientHello", {"session_id": offered}), (0.1, "S", "ServerHello", {"session_id": given, **more})]


@pytest.mark.parametrize(
    ("first", "second", "is_found"),
    [
        (hellos(None, "aa"), hellos("aa", "bb"), True),
        (hellos(None, "aa"), hellos("aa", None), True),
        (hellos(None, "aa"), hellos("aa", "aa"), False),
        (hellos(None, "aa"), hellos("cc", "bb"), False),
        (hellos(None, "aa"), hellos(None, "bb"), False),
        (hellos("aa", "aa", is_tls13=True), hellos("aa", "bb"), False),
        (hellos(None, "aa"), hellos("aa", "bb", is_tls13=True), False),
    ],
    ids=["lost", "lost, none new", "resumed", "never issued", "none offered", "TLS 1.3 echo", "TLS 1.3 chosen"],
)
def test_sessions(talk, first, second, is_found):
    """Only an id that this server issued before, and that TLS 1.2 did not take up, is a session not honoured."""
    everything = [talk(first, began=100.0), talk(second, began=400.0, stream=1)]
    found = [findings(conversation, everything) for conversation in everything]
    assert [[finding.name for finding in one] for one in found] == [[], ["session_not_honoured"] * is_found]
    if is_found:
        assert "issued 299.9 s before (frame 2)" in found[1][0].sentence


def test_a_renegotiation_resumes_nothing(talk):
    """The ClientHello of a renegotiation may offer the connection's own session: that it gets a new one is right."""
    conversation = talk([*hellos(None, "aa"), *LINES, *hellos("aa", "bb")])
    assert session_not_honoured(conversation, [conversation]) is None
