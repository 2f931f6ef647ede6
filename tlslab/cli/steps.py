"""What a client does, in words: a step of a scenario."""

from __future__ import annotations

from collections.abc import Iterator

from tlslab.scenario.schema import Step
from tlslab.text import format_bytes, format_count, format_seconds, format_times

SENDS = {
    "leaf": "its certificate alone",
    "chain": "its certificate and what leads to the root, without the root",
    "all": "its certificate and all above it, the root too",
}
RENEGOTIATION = {
    "accept": "",
    "refuse": "refusing to renegotiate",
    "ignore": "taking no notice when it is asked to renegotiate",
}


def step_in_words(step: Step) -> str:
    """Say a step in a line: the request first, then what is out of the ordinary."""
    return ", ".join([step.request + (f" to the binding {step.binding}" if step.binding else ""), *_details(step)])


def _details(step: Step) -> Iterator[str]:
    for say in (_when, _who, _body, _connection, _answer, _end):
        yield from (text for text in say(step) if text)


def _when(step: Step) -> Iterator[str]:
    if step.others:
        yield f"after {format_count(step.others, 'other client has', 'other clients have')} come and gone"
    if step.wait:
        yield f"after {format_seconds(step.wait)}"


def _who(step: Step) -> Iterator[str]:
    yield {"alice": "", "none": "without a certificate"}.get(step.identity, f"as {step.identity}")
    if step.sends is not None:
        yield f"sending {SENDS[step.sends]}"
    by = [name for name, on in (("issuer", step.filters_by_issuer), ("usage", step.filters_by_usage)) if on]
    if by:
        yield f"choosing its certificate by {' and '.join(by)}"


def _body(step: Step) -> Iterator[str]:
    if step.body:
        pace = f" at {format_bytes(step.pace)} a second" if step.pace else ""
        yield f"{format_bytes(step.body)}{' in chunks' if step.chunked else ''}{pace}"
    if step.token:
        yield f"with a Kerberos token of {format_bytes(step.token)}"
    for name, value in step.headers.items():
        yield f"with {name}: {value}"
    if step.expect_100 is not None:
        yield 'with "Expect: 100-continue"'


def _connection(step: Step) -> Iterator[str]:
    if step.sni is not None:
        yield f"with the server name {step.sni}" if step.sni else "without a server name"
    yield "on the same connection" if step.same_connection else ""
    yield "as the server is closing it" if step.crosses_close else ""
    yield "resuming the session of before" if step.resumes else ""


def _answer(step: Step) -> Iterator[str]:
    yield RENEGOTIATION[step.renegotiation]
    yield "" if step.post_handshake_auth else "not offering to be asked for its certificate later"
    if step.answers_after:
        yield f"with {format_seconds(step.answers_after)} to answer the request for its certificate"
    if step.leaves_at is not None:
        yield "leaving when it is asked for its certificate, and coming back with it"


def _end(step: Step) -> Iterator[str]:
    if step.insists_on_close_notify:
        yield "insisting on close_notify at the end of an answer without a length"
    if step.retries:
        yield f"and {format_times(step.retries)} more if it is reset"
    if step.gives_up_after is not None:
        yield f"giving up after {format_seconds(step.gives_up_after)}"
