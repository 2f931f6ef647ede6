"""What a client does, in words: a step of a scenario, and what of it the printed command lines cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tlslab.lab.curl import NOBODY, shows_exactly
from tlslab.scenario.schema import Step
from tlslab.text import format_bytes, format_count, format_seconds, format_times

REFUSING = "The client here refuses to renegotiate, as Go and rustls do; curl does not refuse."
FILTERING = (
    "The client here sends a certificate only if the server's list names its issuer, as browsers, Go, Java and wget "
    "with GnuTLS (Debian's) do; curl sends what it has."
)
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
    yield {"alice": "", NOBODY: "without a certificate"}.get(step.identity, f"as {step.identity}")
    if step.sends is not None:
        yield f"sending {SENDS[step.sends]}"
    by = [name for name, on in (("issuer", step.filters_by_issuer), ("usage", step.filters_by_usage)) if on]
    if by:
        yield f"choosing its certificate by {' and '.join(by)}"


def _body(step: Step) -> Iterator[str]:
    if step.body:
        pace = f" at {format_bytes(step.pace)} a second" if step.pace else ""
        yield f"{format_bytes(step.body)}{' in chunks' if step.chunked else ''}{pace}"
    if step.expect_100 is not None:
        yield 'with "Expect: 100-continue"'


def _connection(step: Step) -> Iterator[str]:
    if step.sni is not None:
        yield f"with the server name {step.sni}" if step.sni else "without a server name"
    yield "on the same connection" if step.same_connection else ""
    yield "resuming the session of before" if step.resumes else ""


def _answer(step: Step) -> Iterator[str]:
    yield RENEGOTIATION[step.renegotiation]
    if step.answers_after:
        yield f"with {format_seconds(step.answers_after)} to answer the request for its certificate"
    if step.leaves_at is not None:
        yield "leaving when it is asked for its certificate, and coming back with it"


def _end(step: Step) -> Iterator[str]:
    if step.retries:
        yield f"and {format_times(step.retries)} more if it is reset"
    if step.gives_up_after is not None:
        yield f"giving up after {format_seconds(step.gives_up_after)}"


# --- beside the lines to copy --------------------------------------------------------------------------------


def done_by_others(steps: Iterable[Step]) -> list[str]:
    """Why a line is not curl's; each sentence once."""
    sentences = [REFUSING] if any(step.renegotiation == "refuse" for step in steps) else []
    return sentences + ([FILTERING] if any(step.filters_by_issuer for step in steps) else [])


def beyond_clients(steps: Iterable[Step]) -> list[str]:
    """What the client of these steps does and no printed line can; each sentence once."""
    return list(dict.fromkeys(sentence for step in steps for sentence in _beyond_clients(step)))


def _beyond_clients(step: Step) -> Iterator[str]:
    if step.renegotiation == "ignore":
        yield "The client here takes no notice when it is asked to renegotiate, and leaves, as lftp does; curl follows."
    if step.filters_by_usage:
        yield (
            "The client here sends a certificate only if it is meant for clients, as browsers and .NET do; curl sends "
            "what it has."
        )
    if step.sends is not None and not shows_exactly(step):
        yield f"The client here sends {SENDS[step.sends]}; curl sends all that the file after --cert holds."
    if step.answers_after and step.leaves_at is None:
        taken = format_seconds(step.answers_after)
        yield f"The client here takes {taken} to answer, as one does whose user types a PIN; curl answers at once."
    if step.leaves_at is not None:
        yield (
            "The client here leaves when it is asked for its certificate, and comes back on another connection, as "
            "Chromium does; curl answers where it is."
        )
