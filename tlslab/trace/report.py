"""A trace explained, for programs and for people: what was read, and for each connection what it shows.

As JSON (`tlslab trace --json`) an object of:

- `format` (1), `notes` (sentences about the capture), and `connections`, each with
- `stream` (Wireshark's tcp.stream), `client`, `server` (`address:port`), `began` (seconds since 1970), `seconds`
  (until the last message), `decrypted` (false where application data could not be decrypted), `bytes` ({client,
  server}: of HTTP, or of encrypted data), `end` ({how, by}, where `how` is reset, closed or half_closed; null while
  open), `failure` (what went wrong in a few words, or empty),
- `messages`: {frame, at, from, kind, name, size} and, where it has them, `encrypted`, `fatal`, `session_id`,
  `is_tls13`, `issuer_bytes`, `certificate_bytes`, `content_length`, `chunked`, `expects_continue`, `status`, `ends` (a
  request or response is whole with it),
- `silence` and `idle`: the longest gap in which a side had to move, and the longest in which none had to or it cannot
  be seen, each {seconds, after, before, turn, both_wait, certainty, why}; `after` and `before` are frames, `before` is
  null at the end of the capture; `turn` is client, server, nobody or unknown; null where there is no such gap,
- `findings`: {name, certainty, sentence, frames, scenarios}; `certainty` is certain or probable.

Times are seconds since the connection's first packet where nothing else is said. Keys may be added, none will change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tlslab.text import format_count, format_host_port
from tlslab.trace.conversation import Conversation, Message, Side, conversations
from tlslab.trace.finding import Finding
from tlslab.trace.frames import PieceKind
from tlslab.trace.ladder import Silence, longest, silences
from tlslab.trace.patterns import failure, findings
from tlslab.trace.tshark import Trace

FORMAT = 1
ALWAYS = ("kind", "name", "size")  # the other fields of a piece are told where they have a value
KEYS = (
    "A capture of the lab (--pcapng) has its keys in it; elsewhere the client writes them (SSLKEYLOGFILE), for --keylog"
)


@dataclass(frozen=True, slots=True)
class Explained:
    """One connection, and what there is to say of it."""

    conversation: Conversation
    silence: Silence | None
    idle: Silence | None
    findings: tuple[Finding, ...]
    failure: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of a trace."""

    notes: tuple[str, ...]
    connections: tuple[Explained, ...]


def explain(trace: Trace, *, has_key_log: bool = False) -> Report:
    """Explain what tshark read."""
    found = conversations(trace.frames)
    connections = tuple(_explained(one, found) for one in found)
    return Report((*trace.notes, *_notes(connections, has_key_log)), connections)


def _notes(connections: Sequence[Explained], has_key_log: bool) -> Iterator[str]:
    if dark := sum(_is_dark(one) for one in connections):
        why = "the key log does not have the right keys" if has_key_log else KEYS
        yield f"{_number(dark, len(connections))} not decrypted, so less can be seen: {why}"
    if other := sum(_is_other(one.conversation) for one in connections):
        yield (
            f"in {other:,} of {len(connections):,} connections there is no HTTP/1 (HTTP/2, for example): only their "
            "handshakes are read"
        )


def _number(some: int, everything: int) -> str:
    return "the connection is" if everything == 1 else f"{some:,} of {everything:,} connections are"


def _is_dark(explained: Explained) -> bool:
    """Whether keys are missing, and not only a tshark that can do more."""
    names = {finding.name for finding in explained.findings}
    return explained.conversation.is_encrypted and "certificate_after_request" not in names


def _is_other(conversation: Conversation) -> bool:
    kinds = {message.kind for message in conversation.messages if not message.piece.encrypted}
    return PieceKind.DATA in kinds and kinds.isdisjoint((PieceKind.REQUEST, PieceKind.RESPONSE))


def _explained(conversation: Conversation, everything: Sequence[Conversation]) -> Explained:
    gaps = silences(conversation)
    found = tuple(findings(conversation, everything))
    return Explained(conversation, longest(gaps), longest(gaps, idle=True), found, failure(conversation))


# --- JSON -----------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON's own types; the module says what each key is."""
    return {
        "format": FORMAT,
        "notes": list(report.notes),
        "connections": [_connection(one) for one in report.connections],
    }


def _connection(explained: Explained) -> dict[str, Any]:
    one = explained.conversation
    end = one.end
    return {
        "stream": one.stream,
        "client": format_host_port(one.client),
        "server": format_host_port(one.server),
        "began": one.began,
        "seconds": one.messages[-1].at,
        "decrypted": not one.is_encrypted,
        "bytes": {str(side): one.bytes_of(side) for side in Side},
        "end": None if end is None else {"how": end.how, "by": str(end.by)},
        "failure": explained.failure,
        "messages": [_message(message) for message in one.messages],
        "silence": _silence(explained.silence),
        "idle": _silence(explained.idle),
        "findings": [_finding(finding) for finding in explained.findings],
    }


def _message(message: Message) -> dict[str, Any]:
    piece = message.piece
    optional = {one.name: getattr(piece, one.name) for one in fields(piece) if one.name not in (*ALWAYS, "plain")}
    return {
        "frame": message.frame,
        "at": message.at,
        "from": str(message.sender),
        "kind": str(message.kind),
        "name": message.name,
        "size": piece.size,
        **{name: value for name, value in optional.items() if value is not None and value is not False},
    }


def _silence(silence: Silence | None) -> dict[str, Any] | None:
    if silence is None:
        return None
    return {
        "seconds": round(silence.seconds, 6),
        "after": silence.after.frame,
        "before": None if silence.before is None else silence.before.frame,
        "turn": str(silence.turn.who),
        "both_wait": silence.turn.both_wait,
        "certainty": "probable" if silence.turn.is_probable else "certain",
        "why": silence.turn.why,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    values = {field.name: getattr(finding, field.name) for field in fields(finding)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


# --- words ----------------------------------------------------------------------------------------------------


def say(message: Message) -> str:
    """A message in a few words; nothing for bytes of a body or record, which are counted over several."""
    piece = message.piece
    if piece.kind is PieceKind.HANDSHAKE:
        return _handshake(message)
    if piece.kind is PieceKind.ALERT:
        return "alert (encrypted)" if piece.encrypted else f"alert {piece.name}{' (fatal)' * bool(piece.fatal)}"
    if piece.kind in (PieceKind.REQUEST, PieceKind.RESPONSE):
        length = (
            f" (body: {format_count(piece.content_length, 'byte')})"
            if piece.content_length and not piece.ends
            else " (chunked body)" * bool(piece.chunked and not piece.ends)
        )
        return f"{piece.name}{length}{', expects 100-continue' * bool(piece.expects_continue)}"
    words = {
        PieceKind.CHANGE_CIPHER_SPEC: "ChangeCipherSpec",
        PieceKind.SYN: "SYN" if message.sender is Side.CLIENT else "SYN, ACK",
        PieceKind.FIN: "FIN: ends its side",
        PieceKind.RST: "RST: resets the connection",
        PieceKind.ZERO_WINDOW: "zero window: takes nothing more",
        PieceKind.WINDOW_OPENED: "window open again",
    }
    return words.get(piece.kind, "")


def _handshake(message: Message) -> str:
    piece = message.piece
    if piece.encrypted:
        return f"{piece.name}, it seems (encrypted)" if piece.name else "a handshake message (encrypted)"
    if piece.issuer_bytes is not None:
        return f"{piece.name} ({format_count(piece.issuer_bytes, 'byte')} of authorities)"
    if piece.certificate_bytes == 0:
        return f"{piece.name} (empty)"
    return piece.name
