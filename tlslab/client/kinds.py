"""Kinds of clients: how each chooses its certificate and takes a question for it, and how each writes.

A kind is a way of choosing, a way of writing, or one of each: `browser`, `prime`, `schannel+prime`. It is laid over the
steps of a scenario: what a step says of the circumstances stays (the request, the identity that is there, the wait, the
server name), what it says of its client's ways gives way. Whatever stands in `CHOOSING` and `WRITING` was measured with
the programs that are named, or is called documented and not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tlslab.client.choice import Criteria
from tlslab.errors import UsageProblem
from tlslab.scenario.names import suggestion
from tlslab.scenario.schema import Step, WritingStyle

PLUS = "+"
CURL_WAITS = 1.0  # seconds for 100 Continue, measured: curl --expect100-timeout says the same
HELD_BY_TESTS = "measured, and held by tests"


@dataclass(frozen=True, slots=True)
class Choosing:
    """How a client takes the question for its certificate.

    `offers_post_handshake`: it lets TLS 1.3 ask later. `comes_back`: it leaves when it is asked, and sends its request
    again on another connection, with the answer. `repeats`: an upload that is reset, or a request on a connection that
    was open before, goes out once more. `offers_sessions`: it comes back with a session id. `does` goes into help and
    docs, and so does what it `stands_for` and on what grounds (`known_by`).
    """

    does: str
    stands_for: str
    known_by: str
    goes_by: Criteria = field(default_factory=Criteria)
    renegotiation: Literal["accept", "refuse", "ignore"] = "accept"
    offers_post_handshake: bool = False
    comes_back: bool = False
    repeats: bool = False
    offers_sessions: bool = True


@dataclass(frozen=True, slots=True)
class Writing:
    """How a client writes a body. `expects`: it waits so long for 100 Continue; `primes`: a GET goes first."""

    does: str
    stands_for: str
    known_by: str
    style: WritingStyle = WritingStyle.WRITES_EVERYTHING
    expects: float | None = None
    primes: bool = False


CHOOSING: Mapping[str, Choosing] = {
    "openssl": Choosing(
        "sends the certificate that it was given, whatever the server names, and lets TLS 1.3 ask later",
        "curl (with interleaved), requests, pip; Python's http.client, but for TLS 1.3",
        HELD_BY_TESTS,
        offers_post_handshake=True,
    ),
    "java": Choosing(
        "chooses by the list of issuers alone, not by usage or dates, and never offers TLS 1.3 a later question",
        "Java HttpClient, but for a GET that is reset, which it sends twice; Go with RenegotiateOnceAsClient, but for "
        "session ids; wget, but for TLS 1.3 and close_notify",
        HELD_BY_TESTS,
        goes_by=Criteria(by_issuer=True),
    ),
    "schannel": Choosing(
        "chooses by the list of issuers, an empty list being any, and by usage: for clients, or no word of it",
        "Internet Explorer, WinHTTP and .NET on Windows",
        "documented, not measured: for the list friis (2011), for the usage dotnet/runtime 121982 and 131563; that it "
        "offers TLS 1.3 no later question is unverified",
        goes_by=Criteria(by_issuer=True, by_usage=True),
    ),
    "browser": Choosing(
        "chooses by the list, usage and dates; leaves when it is asked and comes back with the answer on a new "
        "connection; sends an upload that is reset once more, and any request on a connection that was open before",
        "Chromium, and so Chrome and Edge; an upload is one from a page, over a connection that the page has opened",
        HELD_BY_TESTS,
        goes_by=Criteria(by_issuer=True, by_usage=True, by_dates=True),
        comes_back=True,
        repeats=True,
    ),
    "no-renegotiation": Choosing(
        "refuses to renegotiate (alert 100, no_renegotiation); asked in the first handshake, it chooses by the list",
        "Go as it is by default (with interleaved), Caddy; in the refusal rustls and Bouncy Castle, too",
        HELD_BY_TESTS,
        goes_by=Criteria(by_issuer=True),
        renegotiation="refuse",
        offers_sessions=False,
    ),
    "ignores-renegotiation": Choosing(
        "neither renegotiates nor says that it will not: it leaves",
        "lftp",
        HELD_BY_TESTS,
        renegotiation="ignore",
    ),
    "no-post-handshake-auth": Choosing(
        "sends the certificate that it was given, and never offers TLS 1.3 a later question",
        "Node https and undici, httpx and aiohttp unless told to",
        HELD_BY_TESTS,
    ),
}
WRITING: Mapping[str, Writing] = {
    "write-then-read": Writing(
        "writes all of its request before it reads",
        "Python, Node, Java, wget, browsers",
        "measured: how much body stood before the ClientHello of a renegotiation",
    ),
    "interleaved": Writing(
        "looks at what comes while it writes",
        "curl, Go, s_client, gnutls-cli",
        "measured in the same way",
        style=WritingStyle.READS_WHILE_WRITING,
    ),
    "expect-continue": Writing(
        "sends Expect: 100-continue with a body, and waits a second for the answer",
        "curl over 1 MiB, or told to; Go, Java and Node when told to",
        "measured",
        expects=CURL_WAITS,
    ),
    "prime": Writing(
        "sends a GET before an upload, on the same connection",
        "any program that does so; all 16 that were tried get through",
        "measured once",
        primes=True,
    ),
}
# What people type who know the program and not the kind: measured, as docs/clients.md has them.
PROGRAMS: Mapping[str, str] = {
    "curl": "openssl+interleaved",
    "chromium": "browser",
    "wget": "java",
    "node": "no-post-handshake-auth",
    "go": "no-renegotiation+interleaved",
    "lftp": "ignores-renegotiation",
}


@dataclass(frozen=True, slots=True)
class ClientKind:
    """A way of choosing and a way of writing, each None where the steps of the scenario have their own."""

    name: str
    choosing: Choosing | None = None
    writing: Writing | None = None

    @property
    def criteria(self) -> Criteria | None:
        """What it goes by; None for what each step says."""
        return None if self.choosing is None else self.choosing.goes_by

    @property
    def style(self) -> WritingStyle:
        """How it writes: everything first, unless it says otherwise."""
        return WritingStyle.WRITES_EVERYTHING if self.writing is None else self.writing.style

    def laid_over(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Give the steps as this kind takes them; a primer makes one step two."""
        chosen = [step if self.choosing is None else _chosen(step, self.choosing) for step in steps]
        if self.writing is None:
            return tuple(chosen)
        return tuple(one for step in chosen for one in _written(step, self.writing))


OWN = ClientKind("")


def client_kind(name: str) -> ClientKind:
    """Find a kind by its name. UsageProblem: there is none of that name, or two of its parts are of one sort."""
    choosing: list[str] = []
    writing: list[str] = []
    for part in PROGRAMS.get(name.lower(), name.lower()).split(PLUS):
        if part not in CHOOSING and part not in WRITING:
            raise UsageProblem(f"there is no client {part!r}", suggestion(part, (*CHOOSING, *WRITING, *PROGRAMS)))
        (choosing if part in CHOOSING else writing).append(part)
    for parts, what in ((choosing, "chooses"), (writing, "writes")):
        if len(parts) > 1:
            raise UsageProblem(f"{' and '.join(parts)} are two ways in which a client {what}", "name one of them")
    return ClientKind(
        PLUS.join((*choosing, *writing)),
        CHOOSING[choosing[0]] if choosing else None,
        WRITING[writing[0]] if writing else None,
    )


def all_kinds() -> list[ClientKind]:
    """Every way of choosing by itself, then every way of writing."""
    return [client_kind(name) for name in (*CHOOSING, *WRITING)]


def _chosen(step: Step, choosing: Choosing) -> Step:
    repeats = choosing.repeats and bool(step.body or step.chunked or step.same_connection)
    return step.model_copy(
        update={
            "renegotiation": choosing.renegotiation,
            "filters_by_issuer": choosing.goes_by.by_issuer,
            "filters_by_usage": choosing.goes_by.by_usage,
            "post_handshake_auth": choosing.offers_post_handshake,
            "leaves_at": "certificate_request" if choosing.comes_back else None,
            "retries": int(repeats),
            "insists_on_close_notify": False,  # measured: curl, Node, Java, Go and Chromium take an end for an end
            "sni": step.sni or None,  # each of them sends the name that it calls
            "resumes": step.resumes and choosing.offers_sessions,
        }
    )


def _written(step: Step, writing: Writing) -> tuple[Step, ...]:
    if writing is WRITING["write-then-read"]:
        step = step.model_copy(update={"reads_while_writing": False})
    if not (step.body or step.chunked):
        return (step,)
    if writing.expects is not None:
        return (step.model_copy(update={"expect_100": writing.expects}),)
    if not writing.primes or step.same_connection:
        return (step,)
    nothing = {"body": 0, "chunked": False, "pace": None, "expect_100": None, "retries": 0, "gives_up_after": None}
    primer = step.model_copy(update={"request": f"GET {step.target}", **nothing})
    after = {"same_connection": True, "wait": 0.0, "others": 0, "resumes": False}
    return primer, step.model_copy(update=after)
