"""A report as JSON has the keys that are documented, and no others."""

from __future__ import annotations

import json
import re

import pytest

from tlslab.trace import report
from tlslab.trace.frames import Frame, Piece, PieceKind
from tlslab.trace.report import as_json, explain
from tlslab.trace.tshark import Trace

CLIENT, SERVER = ("192.0.2.1", 50000), ("2001:db8::1", 443)
TALK = [
    ("C", Piece(PieceKind.HANDSHAKE, "ClientHello", 200, session_id="aa")),
    ("S", Piece(PieceKind.HANDSHAKE, "ServerHello", 90, session_id="bb", is_tls13=True)),
    ("S", Piece(PieceKind.HANDSHAKE, "CertificateRequest", issuer_bytes=16_300)),
    ("C", Piece(PieceKind.HANDSHAKE, "Certificate", certificate_bytes=0)),
    ("C", Piece(PieceKind.REQUEST, "POST /a", 80, content_length=10, chunked=True, expects_continue=True)),
    ("S", Piece(PieceKind.RESPONSE, "403", 80, status=403, ends=True)),
    ("S", Piece(PieceKind.ALERT, "internal_error", fatal=True)),
    ("S", Piece(PieceKind.ALERT, size=26, encrypted=True)),
]


@pytest.fixture
def trace():
    """A connection with one of everything."""
    ends = {"C": (CLIENT, SERVER), "S": (SERVER, CLIENT)}
    return Trace(tuple(Frame(n, float(n), 0, *ends[who], pieces=(piece,)) for n, (who, piece) in enumerate(TALK)))


def _keys(value):
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(inner)


def test_every_key_is_documented(trace):
    """Each key is named where the module says what the JSON is, and nothing is named that does not come."""
    found = set(_keys(json.loads(json.dumps(as_json(explain(trace))))))
    documented = set(re.findall(r"[a-z_0-9]+", report.__doc__ or ""))
    assert found <= documented
    in_code = set(re.findall(r"`([a-z_0-9]+)`", report.__doc__ or "")) - {"how", "address"}
    assert in_code <= found | {"null"}


def test_json(trace):
    """What a program asks first."""
    [connection] = as_json(explain(trace))["connections"]
    assert (connection["client"], connection["server"]) == ("192.0.2.1:50000", "[2001:db8::1]:443")
    assert (connection["failure"], connection["end"]) == ("fatal alert internal_error from the server", None)
    assert [one["name"] for one in connection["findings"]] == ["issuer_list_near_limit", "empty_certificate"]
    assert connection["messages"][0] == {
        "frame": 0,
        "at": 0.0,
        "from": "client",
        "kind": "handshake",
        "name": "ClientHello",
        "size": 200,
        "session_id": "aa",
    }


@pytest.mark.parametrize(("has_key_log", "said"), [(False, "SSLKEYLOGFILE"), (True, "does not have the right keys")])
def test_what_is_not_decrypted(trace, has_key_log, said):
    """Where keys are missing the report says so, and where they come from."""
    data = Frame(9, 9.0, 0, CLIENT, SERVER, pieces=(Piece(PieceKind.DATA, size=9, encrypted=True),))
    assert explain(trace, has_key_log=has_key_log).notes == ()
    [note] = explain(Trace((trace.frames[0], data)), has_key_log=has_key_log).notes
    assert said in note


def _notes(*pieces):
    frames = [Frame(n, float(n), 0, CLIENT, SERVER, pieces=(piece,)) for n, piece in enumerate(pieces)]
    return explain(Trace(tuple(frames))).notes


def test_another_protocol():
    """Bytes that were decrypted and are no HTTP/1 are not called encrypted."""
    [note] = _notes(TALK[0][1], Piece(PieceKind.DATA, size=9))
    assert "there is no HTTP/1" in note


def test_keys_that_cannot_help():
    """What tshark cannot decrypt behind a late CertificateRequest of TLS 1.3 is not blamed on the keys."""
    finished = Piece(PieceKind.HANDSHAKE, "Finished")
    opening = [("C", TALK[0][1]), ("S", TALK[1][1]), ("S", finished), ("C", finished)]
    request = ("C", Piece(PieceKind.REQUEST, "GET /a", 80, ends=True))
    late = [("S", TALK[2][1]), ("C", Piece(PieceKind.DATA, size=105, encrypted=True))]
    ends = {"C": (CLIENT, SERVER), "S": (SERVER, CLIENT)}
    lines = [*opening, request, *late]
    made = explain(Trace(tuple(Frame(n, float(n), 0, *ends[who], pieces=(one,)) for n, (who, one) in enumerate(lines))))
    assert made.notes == ()
    [connection] = made.connections
    assert "tshark cannot decrypt" in connection.findings[-1].sentence
