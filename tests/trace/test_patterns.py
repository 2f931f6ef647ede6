"""What is recognised, and what looks alike and must not be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tlslab.trace import patterns
from tlslab.trace.patterns import failure, findings

SCENARIOS = {path.stem for path in (Path(__file__).parents[2] / "scenarios").glob("*.yaml")}
HANDSHAKE = [
    (0, "C", "ClientHello"),
    (0, "S", "ServerHello"),
    (0, "S", "ServerHelloDone"),
    (0, "C", "Finished"),
    (0, "S", "Finished"),
]
GET, OK = (1, "C", "GET /a"), (9, "S", "200")
POST = (1, "C", "POST /a", {"content_length": 1000})
BODY, PART = (1, "C", "body", {"size": 1000}), (1, "C", "body", {"size": 600})
ASK, HELLO, HELLO_BACK = (1, "S", "HelloRequest"), (1, "C", "ClientHello"), (1, "S", "ServerHello")
RST = (9, "S", "RST")
DARK = {"size": 28, "encrypted": True}
DATA = (1, "C", "data", {"size": 20_000, "encrypted": True})
DARK_ASK, DARK_HELLO = (1, "S", "HelloRequest", DARK), (1, "C", "ClientHello", DARK)


def wanted(issuer_bytes):
    """A CertificateRequest."""
    return (1, "S", "CertificateRequest", {"issuer_bytes": issuer_bytes})


def sent(certificate_bytes):
    """The client's Certificate."""
    return (1, "C", "Certificate", {"certificate_bytes": certificate_bytes})


RENEGOTIATION, REFUSED, STALL = "renegotiation_after_request", "renegotiation_refused", "upload_stalled"
FOUND = {
    "a good connection": ([], [*HANDSHAKE, GET, OK]),
    "renegotiation": (
        [(RENEGOTIATION, "certain")],
        [*HANDSHAKE, GET, ASK, HELLO, HELLO_BACK, wanted(0), sent(500), OK],
    ),
    "renegotiation of an idle connection": ([], [*HANDSHAKE, GET, OK, ASK, HELLO, HELLO_BACK, wanted(0)]),
    "an encrypted one": ([(RENEGOTIATION, "probable")], [*HANDSHAKE, (1, "C", "data", DARK), DARK_ASK, DARK_HELLO]),
    "an encrypted one, idle": ([], [*HANDSHAKE, DATA, (1, "S", "data", DARK), DARK_ASK]),
    "refused": ([(REFUSED, "certain")], [*HANDSHAKE, GET, ASK, (1, "C", "no_renegotiation"), RST]),
    "stalled": ([(STALL, "certain"), (RENEGOTIATION, "certain")], [*HANDSHAKE, POST, BODY, ASK, HELLO, RST]),
    "stalled, no room": (
        [(STALL, "certain"), (RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, PART, ASK, (2, "S", "full"), RST],
    ),
    "stalled in the body": ([(STALL, "probable"), (RENEGOTIATION, "certain")], [*HANDSHAKE, POST, PART, ASK, RST]),
    "stalled and went on": (
        [(STALL, "probable"), (RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, BODY, ASK, HELLO, (5, "S", "ServerHello"), OK],
    ),
    "stalled, encrypted": (
        [(STALL, "probable"), (RENEGOTIATION, "probable")],
        [*HANDSHAKE, DATA, DARK_ASK, DARK_HELLO, RST],
    ),
    "an upload with a quick renegotiation": (
        [(RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, BODY, ASK, HELLO, HELLO_BACK, OK],
    ),
    "a slow answer to a GET": ([(RENEGOTIATION, "certain")], [*HANDSHAKE, GET, ASK, HELLO, (9, "S", "ServerHello")]),
    "a slow user": (
        [(RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, BODY, ASK, HELLO, HELLO_BACK, wanted(0), (60, "C", "Certificate"), (60, "S", "200")],
    ),
    "no certificate": ([("empty_certificate", "certain")], [*HANDSHAKE[:2], wanted(40), sent(0), GET, (9, "S", "403")]),
    "a list near 16 KB": (
        [("issuer_list_near_limit", "probable")],
        [*HANDSHAKE[:2], wanted(16_325), sent(500), GET, OK],
    ),
    "a list near 12 KB": (
        [("issuer_list_near_limit", "probable")],
        [*HANDSHAKE[:2], wanted(12_200), sent(500), GET, OK],
    ),
    "a list of 15 KB": ([], [*HANDSHAKE[:2], wanted(15_000), sent(500), GET, OK]),
    "a list of 17 KB": ([], [*HANDSHAKE[:2], wanted(17_000), sent(500), GET, OK]),
    "a certificate and 403": (
        [("certificate_refused", "probable")],
        [*HANDSHAKE[:2], wanted(0), sent(500), GET, (9, "S", "403")],
    ),
    "a certificate, 200, and then 403": ([], [*HANDSHAKE[:2], wanted(0), sent(500), GET, OK, GET, (9, "S", "403")]),
    "413": ([("upload_refused", "probable")], [*HANDSHAKE, POST, BODY, (9, "S", "413")]),
    "413 without a body": ([], [*HANDSHAKE, GET, (9, "S", "413")]),
    "413 with a certificate": ([], [*HANDSHAKE[:2], wanted(0), sent(500), POST, BODY, (9, "S", "413")]),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(talk, name):
    """Each pattern is found where it is, with its certainty, and nothing else is; frames lead to the messages."""
    expected, lines = FOUND[name]
    conversation = talk(lines)
    found = findings(conversation, [conversation])
    assert [(finding.name, finding.certainty) for finding in found] == expected
    for finding in found:
        assert set(finding.frames) <= {message.frame for message in conversation.messages}
        assert all(f"frame {frame}" in finding.sentence for frame in finding.frames[1:2])


def test_every_scenario_exists():
    """What a finding names can be shown."""
    source = Path(patterns.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'"((?:post|large|upload|ca|session|client)-[a-z0-9-]+)"', source))
    assert named
    assert named <= SCENARIOS
    assert {name for name in SCENARIOS if name.startswith("session-")} == set(patterns.SESSION_SCENARIOS)


def test_an_empty_certificate_and_its_list(talk):
    """With a list near the limit the scenario of the cut list is named; in a renegotiation the other one."""
    lines = [*HANDSHAKE, GET, ASK, HELLO, HELLO_BACK, wanted(0), sent(0), (9, "S", "403")]
    conversations = talk(lines), talk([*lines[:-3], wanted(16_380), *lines[-2:]])
    named = [patterns.empty_certificate(conversation) for conversation in conversations]
    assert [finding and finding.scenarios for finding in named] == [
        ("post-request-renegotiation",),
        ("ca-list-truncation",),
    ]


# --- sessions ---------------------------------------------------------------------------------------------------


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
    conversation = talk([*hellos(None, "aa"), *HANDSHAKE[2:], GET, ASK, *hellos("aa", "bb")])
    assert patterns.session_not_honoured(conversation, [conversation]) is None


# --- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([*HANDSHAKE, GET, OK, (9, "C", "FIN"), (9, "S", "FIN")], ""),
        ([*HANDSHAKE, GET, (9, "S", "404")], ""),
        ([*HANDSHAKE, GET, (9, "S", "403")], "the answer was 403"),
        ([*HANDSHAKE, GET, RST], "GET /a was never answered"),
        ([*HANDSHAKE, GET], ""),
        ([*HANDSHAKE[:1], RST], "the handshake was never completed"),
        ([*HANDSHAKE[:1], (1, "S", "handshake_failure"), RST], "fatal alert handshake_failure from the server"),
    ],
)
def test_failure(talk, lines, said):
    """What went wrong is said whatever the cause; a connection that is still open may yet do well."""
    assert failure(talk(lines)) == said
