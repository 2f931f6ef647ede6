"""A scenario file: what is set up, what a client does, what must be observed, and what mends it.

The models hold what the YAML says, after the profile's defaults were laid under it (`overlay.with_profile`): a knob
that its profile sets is required here and optional in the JSON Schema. Paths into the `Setup` half, such as
`sites./upload.client_cert_retrieval.buffer`, are what `set` and `--set` speak of.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictBool,
    Tag,
    model_validator,
)

from tlslab.core.settings import MachineSetup, Site
from tlslab.httpsys.bindings import BindingRecord
from tlslab.knobs import ByteCount, Knob, Seconds, TakesEffect, Tool, WindowsSetting
from tlslab.scenario.stores import StoreName, Stores
from tlslab.scenario.vocabulary import (
    EventName,
    HeaderName,
    HeaderValue,
    HttpErrReason,
    Identity,
    MessageName,
    Name,
    NonEmptyText,
    OutcomeName,
    Overrides,
    ProfileName,
    ProtocolName,
    RequestLine,
    ServerName,
)
from tlslab.schannel.profiles import PROFILES, Profile

LARGEST_BODY = 2**30  # a client has to make it and a server to hash it
LARGEST_TOKEN = 2**20
FRAMING = frozenset({"content-length", "transfer-encoding", "expect"})
MOST_RETRIES = 20  # as wget, the most patient of those that were looked at


class WritingStyle(StrEnum):
    """How a client sends a body: all of it before it reads, or with an eye on what comes back."""

    WRITES_EVERYTHING = "writes_everything"
    READS_WHILE_WRITING = "reads_while_writing"


# --- what is set up ----------------------------------------------------------------------------------------


class BindingModel(BindingRecord):
    """A record of `netsh http show sslcert`, and the TLS versions Schannel speaks for it."""

    protocols: Annotated[
        tuple[ProtocolName, ...],
        Field(min_length=1),
        WindowsSetting(r"registry, SCHANNEL\Protocols", Tool.REGISTRY, TakesEffect.RESTART),
    ]
    ctl_store: Annotated[
        StoreName | None,
        WindowsSetting("netsh http add sslcert sslctlstorename=", Tool.NETSH, TakesEffect.NEXT_CONNECTION),
    ] = None


class BindingsAndSites(Knob):
    """Where a lab is reached, and what is found there."""

    bindings: Annotated[dict[Name, BindingModel], Field(min_length=1)]
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]


# Fields come in the order of the bases, from the last: bindings and sites first, as in a file.
class Setup(MachineSetup, BindingsAndSites):
    """The half of a scenario that a server is built from, and that `set` can change."""

    stores: Stores = Field(default_factory=dict)


# --- what a client does, and what must be observed -----------------------------------------------------------


class Step(Knob):
    """One request of a client. Times are lab time; `binding` is the first one unless said otherwise.

    `headers` are sent along, and take the place of those that the client sends itself. `token` is the size of a
    Kerberos token before it is written in base64, in a header `Authorization: Negotiate`.
    `expect_100` sends `Expect: 100-continue` and waits that long for the 100 before it sends the body all the same.
    `filters_by_issuer` sends a certificate only where the server names an issuer of its chain, or nobody at all.
    `post_handshake_auth` offers TLS 1.3's way of being asked later, as curl does and browsers do not.
    `reads_while_writing` makes a client of either writing style look at what comes while it sends. `relay` is how many
    bytes a relay between the two takes off the client's hands before the server has read them.
    `wait` is how long nothing happens before the step; where it `crosses_close`, the client has not heard yet that the
    server ended the connection meanwhile, for that is on its way while the request is. `others` is how many other
    clients connect before it; `resumes` offers the session of the connection before.
    `insists_on_close_notify` does not take the end of the connection for the end of an answer that has no length,
    unless TLS said that nothing more comes: as Ruby does, and wget with GnuTLS.

    `sni` is the server name in the ClientHello, None for the binding's own. `answers_after` is how long a person takes
    over a CertificateRequest. A client that leaves (`leaves_at`), or is reset and has `retries` left, repeats its
    request on a new connection; `another_try` is how. `sends` is how much of its chain goes out, None for what the
    identity has; `pace` the bytes per second of its body.
    """

    request: RequestLine
    body: Annotated[ByteCount, Field(le=LARGEST_BODY)] = 0
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    token: Annotated[ByteCount, Field(le=LARGEST_TOKEN)] = 0
    chunked: StrictBool = False
    identity: Identity = "alice"
    same_connection: StrictBool = False
    binding: str | None = None
    expect_100: Seconds | None = None
    renegotiation: Literal["accept", "refuse", "ignore"] = "accept"
    filters_by_issuer: StrictBool = False
    post_handshake_auth: StrictBool = True
    reads_while_writing: StrictBool = False
    relay: Annotated[ByteCount, Field(le=LARGEST_BODY)] = 0
    filters_by_usage: StrictBool = False
    sends: Literal["leaf", "chain", "all"] | None = None
    sni: ServerName | None = None
    answers_after: Seconds = 0.0
    leaves_at: Literal["certificate_request"] | None = None
    retries: Annotated[int, Field(strict=True, ge=0, le=MOST_RETRIES)] = 0
    pace: Annotated[ByteCount, Field(gt=0)] | None = None
    insists_on_close_notify: StrictBool = False
    gives_up_after: Seconds | None = None
    wait: Seconds = 0.0
    crosses_close: StrictBool = False
    resumes: StrictBool = False
    others: Annotated[int, Field(ge=0, le=100_000)] = 0

    @model_validator(mode="after")
    def _no_nonsense(self) -> Step:
        if self.identity == "none" and self.sends is not None:
            raise ValueError("sends says how much of a chain goes out, and a client without a certificate has none")
        if framing := FRAMING.intersection(name.lower() for name in self.headers):
            raise ValueError(f"{sorted(framing)[0]} is the client's own to send; body, chunked and expect_100 say how")
        if self.crosses_close and not (self.same_connection and self.wait):
            raise ValueError("crosses_close is of a request that comes after a wait on the same_connection")
        if self.pace is not None and not self.body:
            raise ValueError("pace is how fast a body is sent, and this step has no body")
        return self

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.partition(" ")[0]

    @property
    def authorization(self) -> str:
        """The header that carries its token, "" for none; what a token says is nobody's business here."""
        return f"Negotiate {b64encode(bytes(self.token)).decode()}" if self.token else ""

    @property
    def target(self) -> str:
        """The request's path and query."""
        return self.request.partition(" ")[2]


class Expectation(Knob):
    """What must be observed: `outcome` of the last step on the wire; what is left out does not matter.

    `after` is the lab time from the last step's start to its outcome; `certificate` and
    `resumed` are what the last response reports; `arrivals` is how often the server got the head of its request;
    `messages` every message in exact order.
    """

    outcome: OutcomeName
    after: Seconds | None = None
    certificate: Identity | None = None
    resumed: StrictBool | None = None
    arrivals: Annotated[int, Field(strict=True, ge=0)] | None = None
    events: tuple[EventName, ...] = ()
    never: tuple[EventName, ...] = ()
    httperr: HttpErrReason | None = None
    messages: tuple[MessageName, ...] | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Expectation:
        both = sorted(set(self.events) & set(self.never))
        if both:
            raise ValueError(f"events and never both name {', '.join(both)}")
        return self

    def for_style(self, style: WritingStyle) -> Expectation:
        """What must be observed of a client that writes in this style: the same of every style."""
        return self


class ExpectationByStyle(Knob):
    """Expectations that differ by the client's writing style."""

    writes_everything: Expectation
    reads_while_writing: Expectation

    def for_style(self, style: WritingStyle) -> Expectation:
        """What must be observed of a client that writes in this style."""
        expectation: Expectation = getattr(self, style.value)
        return expectation


def _expectation_kind(value: Any) -> str:
    if isinstance(value, ExpectationByStyle):
        return "by_style"
    named = isinstance(value, Mapping) and any(style.value in value for style in WritingStyle)
    return "by_style" if named else "one_for_all"


Expect = Annotated[
    Annotated[Expectation, Tag("one_for_all")] | Annotated[ExpectationByStyle, Tag("by_style")],
    Discriminator(_expectation_kind),
]
Steps = Annotated[tuple[Step, ...], Field(min_length=1)]


class Case(Knob):
    """Something that must hold. Without `client`, the steps are those of what the case belongs to."""

    title: NonEmptyText | None = None
    set: Overrides = Field(default_factory=dict)
    client: Steps | None = None
    expect: Expect


# --- what mends it -------------------------------------------------------------------------------------------


class Change(StrEnum):
    """What somebody has to change for a fix."""

    SERVER_CONFIG = "server-config"
    SERVER_CODE = "server-code"
    CLIENT_CONFIG = "client-config"
    CLIENT_CODE = "client-code"
    DNS = "dns"


class Fix(Knob):
    """A documented fix: `says` is what its source says of it, `defeated_by` how it fails if it is not deterministic."""

    title: NonEmptyText
    says: NonEmptyText
    changes: Annotated[tuple[Change, ...], Field(min_length=1)]
    recommended: StrictBool
    deterministic: StrictBool
    costs: NonEmptyText
    set: Overrides = Field(default_factory=dict)
    client: Steps | None = None
    expect: Expect
    defeated_by: dict[Name, Case] = Field(default_factory=dict)


class Scenario(Setup):
    """A documented failure. `unverified` lists what it shows although no document says it.

    `suggested_speed` is how fast the lab's clock is to run for somebody who will not wait for what the failure takes.
    `cause` is a sentence, `tell_apart` how to know it from failures that look the same; both stand in docs/symptoms.md.
    """

    format_version: Literal[1]
    title: NonEmptyText
    story: NonEmptyText
    sources: Annotated[tuple[NonEmptyText, ...], Field(min_length=1)]
    symptoms: Annotated[tuple[NonEmptyText, ...], Field(min_length=1)]
    cause: NonEmptyText | None = None
    tell_apart: NonEmptyText | None = None
    unverified: tuple[NonEmptyText, ...] = ()
    profile: ProfileName
    suggested_speed: Annotated[float, Field(gt=1, le=10_000)] | None = None
    symptom: Case
    cases: dict[Name, Case] = Field(default_factory=dict)
    fixes: dict[Name, Fix]
    teach: NonEmptyText


def json_schema(model: type[Setup] = Scenario, profiles: Mapping[str, Profile] = PROFILES) -> dict[str, Any]:
    """Describe a scenario file as JSON Schema, for editors and `tlslab schema`.

    A file may leave out whatever has a default in every one of the `profiles`.
    """
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()
    for path in set.intersection(*(set(profile.defaults) for profile in profiles.values())):
        _make_optional(schema, path.split("."))
    return schema


def _make_optional(schema: dict[str, Any], path: Sequence[str]) -> None:
    """Require nothing that leads to `path`, but for what its `*` stands for: a profile has no bindings and no sites."""
    place = schema
    for key, below in zip(path, (*path[1:], ""), strict=True):
        if key in place.get("required", ()) and below != "*":
            place["required"].remove(key)
        inner = place["properties"][key] if key != "*" else place.get("additionalProperties") or place["items"]
        place = schema["$defs"][inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
