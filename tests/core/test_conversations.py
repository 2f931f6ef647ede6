"""Conversations as scripts: what a client does, line by line, and all that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tlslab.httpsys.client_certificate import AfterResponse, AsyncDrain
from tlslab.tls.context import Protocol

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BUFFER = 40 * 1024  # bytes of body that are read before the question
MIB = 1024 * 1024


@dataclass(frozen=True)
class Conversation:
    """What it shows, the lab and the client it is held by, and line by line what is done and all that comes of it."""

    what: str
    script: list[tuple[Any, ...]]
    options: dict[str, Any] = field(default_factory=dict)


QUESTION = "the question"  # which nobody has answered
ASKED = ("asks", "HelloRequest", "CertificateRequest", "CN=alice")
ALICE = "200 for CN=alice"
CONVERSATIONS = [
    Conversation(
        "a certificate is remembered",  # and the body after it freezes nothing
        [("GET /upload", 0, *ASKED, ALICE), ("POST /upload", MIB, ALICE)],
    ),
    Conversation(
        "that there is none is remembered",
        [("GET /upload", 0, *ASKED[:-1], "no certificate", "403.7"), ("GET /accept", 0, "200")],
        {"identity": None},
    ),
    Conversation(
        "a binding that negotiates asks nobody again",  # the documented fix
        [("POST /upload", MIB, ALICE), ("GET /accept", 0, ALICE)],
        {"asks": True},
    ),
    Conversation(
        "a large upload freezes",
        [
            ("POST /upload", MIB, "asks", QUESTION, f"stalled after {BUFFER}"),
            ("wait", 119.9),
            ("wait", 0.1, "ssl_renegotiation", "Timer_SslRenegotiation", "Reset"),
        ],
    ),
    Conversation(
        "a lab that drains lets the answer through",
        [("POST /upload", MIB, *ASKED, ALICE)],
        {"client_cert_retrieval": AsyncDrain(max=2 * MIB)},
    ),
    Conversation(
        "a lab that drains gives up beyond its maximum",
        [("POST /upload", MIB, "asks", QUESTION, "gives up", "Reset")],
        {"client_cert_retrieval": AsyncDrain(max=MIB // 2)},
    ),
    Conversation(
        "asked after the response, the first answer is without a certificate",
        [("POST /upload", MIB, "200", *ASKED), ("POST /upload", MIB, ALICE)],
        {"client_cert_retrieval": AfterResponse()},
    ),
]


def held_in(protocol, script):
    """The script in a version of TLS: what begins with HelloRequest in 1.2 is one message in 1.3."""
    asked, left_out = ("HelloRequest", None) if protocol is TLS_1_2 else ("CertificateRequest", "HelloRequest")
    return [tuple(asked if word == QUESTION else word for word in line if word != left_out) for line in script]


@pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda one: one.what.replace(" ", "-"))
def test_a_conversation(talk, protocol, conversation):
    """It goes as its script says, nothing else happens, and the client has read each answer."""
    client, script = talk(protocol, **conversation.options), held_in(protocol, conversation.script)
    assert client.play(script) == script
    answers = [word.split()[0] for line in script for word in line[2:] if word[0].isdigit()]
    assert client.statuses() == answers
