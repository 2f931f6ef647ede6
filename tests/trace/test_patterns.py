"""What is recognised, and what looks alike and must not be."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tlslab.trace import patterns
from tlslab.trace.patterns import failure, findings
from tlslab.trace.sessions import SESSION_SCENARIOS

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
LATE, RESET = "certificate_after_request", "reset_after_client_hello"
TLS13 = [
    (0, "C", "ClientHello"),
    (0, "S", "ServerHello", {"is_tls13": True}),
    (0, "S", "Finished"),
    (0, "C", "Finished"),
]
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
    "stalled, no room, and went on": (
        [(STALL, "probable"), (RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, PART, ASK, (2, "S", "full"), (60, "S", "open"), (60, *BODY[1:]), HELLO, HELLO_BACK, OK],
    ),
    "slow, and went on": (
        [(RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, BODY, ASK, HELLO, (5, "S", "ServerHello"), OK],
    ),
    "stalled, encrypted": (
        [(STALL, "probable"), (RENEGOTIATION, "probable")],
        [*HANDSHAKE, DATA, DARK_ASK, DARK_HELLO, RST],
    ),
    "stalled, the client gives up": (
        [(STALL, "probable"), (RENEGOTIATION, "certain")],
        [*HANDSHAKE, POST, BODY, ASK, HELLO, (9, "C", "close_notify"), (19, "C", "FIN")],
    ),
    "TLS 1.3 asks after the request": ([(LATE, "certain")], [*TLS13, GET, wanted(40), sent(500), OK]),
    "TLS 1.3 asks in the handshake": ([], [*TLS13[:2], wanted(40), *TLS13[2:], GET, OK]),
    "TLS 1.3 asks and gets none": (
        [("empty_certificate", "certain"), (LATE, "certain")],
        [*TLS13, GET, wanted(40), sent(0)],
    ),
    "reset at once": ([(RESET, "probable")], [(0, "C", "SYN"), (0, "S", "SYN"), *HANDSHAKE[:1], RST]),
    "reset later": ([], [*HANDSHAKE[:2], RST]),
    "reset by the client": ([], [*HANDSHAKE[:1], (1, "C", "RST")]),
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
    named = set(re.findall(r'"((?:post|large|upload|ca|client|stale|sni)-[a-z0-9-]+)"', source))
    assert named
    assert named <= SCENARIOS
    assert {name for name in SCENARIOS if name.startswith("session-")} == set(SESSION_SCENARIOS)


def test_an_empty_certificate_and_its_list(talk):
    """With a list near the limit the scenario of the cut list is named; in a renegotiation the other one."""
    lines = [*HANDSHAKE, GET, ASK, HELLO, HELLO_BACK, wanted(0), sent(0), (9, "S", "403")]
    conversations = talk(lines), talk([*lines[:-3], wanted(16_380), *lines[-2:]])
    named = [patterns.empty_certificate(conversation) for conversation in conversations]
    assert [finding and finding.scenarios for finding in named] == [
        ("post-request-renegotiation",),
        ("ca-list-truncation",),
    ]


@pytest.mark.parametrize(
    ("name", "scenarios"),
    [("a.test", ("stale-binding",)), (None, ("stale-binding",)), ("", ("sni-missing", "stale-binding"))],
)
def test_a_reset_of_who_sends_no_name(talk, name, scenarios):
    """Only a client that sends no server name can be reset for that; where it is not known, it is not said."""
    found = patterns.reset_after_client_hello(talk([(0, "C", "ClientHello", {"server_name": name}), RST]))
    assert found is not None
    assert found.scenarios == scenarios
    assert ("no server name" in found.sentence) is ("sni-missing" in scenarios)


# --- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([*HANDSHAKE, GET, OK, (9, "C", "FIN"), (9, "S", "FIN")], ""),
        ([*HANDSHAKE, GET, (9, "S", "404")], ""),
        ([*HANDSHAKE, GET, (9, "S", "403")], "the answer was 403"),
        ([*HANDSHAKE, GET, RST], "GET /a was never answered"),
        ([*HANDSHAKE, GET], ""),
        ([*HANDSHAKE, GET, (9, "S", "101"), RST], ""),
        ([*HANDSHAKE, GET, GET, (9, "S", "200"), RST], "GET /a was never answered"),
        ([*HANDSHAKE, GET, (9, "S", "data", DARK), RST], ""),
        ([*HANDSHAKE[:1], RST], "the handshake was never completed"),
        ([*HANDSHAKE[:1], (1, "S", "handshake_failure"), RST], "fatal alert handshake_failure from the server"),
    ],
)
def test_failure(talk, lines, said):
    """What went wrong is said whatever the cause; a connection that is still open may yet do well."""
    assert failure(talk(lines)) == said


def test_missing_packets(talk):
    """Where packets are missing, nobody knows what was never answered."""
    for lines in ([*HANDSHAKE, GET, RST], [*HANDSHAKE[:1], RST]):
        assert failure(talk(lines))
        assert failure(replace(talk(lines), has_gaps=True)) == ""
