"""What real clients do, as measured against the lab: which of them can show a failure, and which get past it.

`tests/clients/test_each_client.py` holds every line of `CLIENTS`; docs/clients.md and `tlslab show` are made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tlslab.scenario.schema import Scenario, WritingStyle
from tlslab.verify.trials import trials


class Renegotiation(StrEnum):
    """What a client does with a HelloRequest."""

    FOLLOWS = "follows"
    COMES_BACK = "closes, and follows on a second connection"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """A client, by the name that people know it by, in the version that was measured.

    `goes_by_list`: it sends a certificate only if the server's list names its issuer. `checks_dates`: it does not offer
    one that has expired. Both are None of a client that refuses before. `resumes`: a new connection offers the session
    id of the one before. `most_uploads`: how often it sends a POST that is reset again and again, the first time too.
    `frozen`: what it then says.
    """

    name: str
    version: str
    renegotiation: Renegotiation
    goes_by_list: bool | None
    checks_dates: bool | None
    resumes: bool
    most_uploads: int
    frozen: str


CLIENTS = (
    ClientFacts(
        "curl",
        "7.88 with OpenSSL",
        Renegotiation.FOLLOWS,
        goes_by_list=False,
        checks_dates=False,
        resumes=True,  # within one command, with --next
        most_uploads=1,
        frozen="Connection reset by peer",
    ),
    ClientFacts(
        "wget",
        "1.21 with GnuTLS (Debian)",
        Renegotiation.FOLLOWS,
        goes_by_list=True,
        checks_dates=False,
        resumes=False,
        most_uploads=1,  # with --tries=1; it is 20 otherwise
        frozen="Read error (Error in the pull function.) in headers.",
    ),
    ClientFacts(
        "Python http.client",
        "3.11",
        Renegotiation.FOLLOWS,
        goes_by_list=False,
        checks_dates=False,
        resumes=False,
        most_uploads=1,
        frozen="http.client.RemoteDisconnected: Remote end closed connection without response",
    ),
    ClientFacts(
        "Node https",
        "20",
        Renegotiation.FOLLOWS,
        goes_by_list=False,
        checks_dates=False,
        resumes=True,
        most_uploads=1,
        frozen="ECONNRESET read ECONNRESET",
    ),
    ClientFacts(
        "Java HttpClient",
        "17",
        Renegotiation.FOLLOWS,
        goes_by_list=True,
        checks_dates=False,
        resumes=True,
        most_uploads=1,
        frozen="javax.net.ssl.SSLHandshakeException: Remote host terminated the handshake",
    ),
    ClientFacts(
        "Java HttpsURLConnection",
        "17",
        Renegotiation.FOLLOWS,
        goes_by_list=True,
        checks_dates=False,
        resumes=True,
        most_uploads=2,
        frozen="java.net.SocketException: Connection reset",
    ),
    ClientFacts(
        "Go",
        "1.19, as it is by default",
        Renegotiation.REFUSES,
        goes_by_list=None,
        checks_dates=None,
        resumes=False,
        most_uploads=1,
        frozen="local error: tls: no renegotiation",
    ),
    ClientFacts(
        "Go with RenegotiateOnceAsClient",
        "1.19",
        Renegotiation.FOLLOWS,
        goes_by_list=True,
        checks_dates=False,
        resumes=False,
        most_uploads=1,
        frozen="read: connection reset by peer",
    ),
    ClientFacts(
        "Chromium",
        "156",
        Renegotiation.COMES_BACK,
        goes_by_list=True,
        checks_dates=True,
        resumes=True,
        most_uploads=3,
        frozen="Failed to fetch",
    ),
)


def advice(scenario: Scenario) -> Iterator[str]:
    """What to know before one chooses a client to show this scenario with; nothing where all do the same."""
    shown = list(trials(scenario))
    steps = [step for trial in shown for step in trial.client]
    expected = [trial.expect.for_style(style) for trial in shown for style in WritingStyle]
    bodies = [any(step.body for step in trial.client) for trial in shown for _style in WritingStyle]
    if any("HelloRequestSent" in one.events or "RenegotiationRefused" in one.events for one in expected):
        yield from _renegotiation()
    if any(step.filters_by_issuer for step in steps):
        choose, send = _names(lambda one: one.goes_by_list), _names(lambda one: one.goes_by_list is False)
        yield f"Send a certificate only if the server's list names its issuer: {choose}. Send what they have: {send}."
    if any(one.outcome == "403.17" for one in expected):
        yield f"Do not offer a certificate that has expired, and get 403.7: {_names(lambda one: one.checks_dates)}."
    if any(one.outcome == "reset" and one.after and body for one, body in zip(expected, bodies, strict=True)):
        again = _names(lambda one: one.most_uploads > 1)
        yield f"Send an upload that was reset again by themselves, which takes two or three times as long: {again}."
    if any(one.resumed is not None for one in expected):
        yield (
            f"Offer a session id on their next connection: {_names(lambda one: one.resumes)}. "
            f"Do not: {_names(lambda one: not one.resumes)}. curl does within one command (--next), and forgets then."
        )


def _renegotiation() -> Iterator[str]:
    names = {kind: ", ".join(one.name for one in CLIENTS if one.renegotiation is kind) for kind in Renegotiation}
    follow, back = names[Renegotiation.FOLLOWS], names[Renegotiation.COMES_BACK]
    yield f"Follow a renegotiation: {follow}; on a second connection {back}."
    yield (
        f"Refuse it: {names[Renegotiation.REFUSES]}, and so do rustls and Bouncy Castle. They are reset, and never see "
        "a 403."
    )


def _names(chosen: Callable[[ClientFacts], bool | None]) -> str:
    return ", ".join(one.name for one in CLIENTS if chosen(one))
