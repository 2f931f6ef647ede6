"""A scenario file: what is set up, what a client does, what must be observed, and what mends it.

The models hold what the YAML says, after the profile's defaults were laid under it (`overlay.with_profile`): a knob
that its profile sets is required here and optional in the JSON Schema. Paths into the `Setup` half, such as
`sites./upload.client_cert_retrieval.buffer`, are what `set` and `--set` speak of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictBool,
    Tag,
    model_validator,
)

from tlslab.httpsys.bindings import EndpointText, ServerCertificate, Toggle
from tlslab.httpsys.client_certificate import ClientCertRetrieval
from tlslab.httpsys.settings import Continue100, OnUnavailable
from tlslab.httpsys.timers import Timers
from tlslab.iis.access import SslFlag
from tlslab.knobs import ByteCount, Knob, Seconds
from tlslab.scenario.stores import StoreName, Stores
from tlslab.scenario.vocabulary import (
    EventName,
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
    SitePath,
)
from tlslab.schannel.settings import Schannel

LARGEST_BODY = 2**30  # a client has to make it and a server to hash it


class WritingStyle(StrEnum):
    """How a client sends a body: all of it before it reads, or with an eye on what comes back."""

    WRITES_EVERYTHING = "writes_everything"
    READS_WHILE_WRITING = "reads_while_writing"


def _optional(*knobs: str) -> Callable[[dict[str, Any]], None]:
    """Tell the JSON Schema that a file may leave these out, because the profile sets them."""

    def change(schema: dict[str, Any]) -> None:
        schema["required"] = [name for name in schema.get("required", []) if name not in knobs]

    return change


# --- what is set up ----------------------------------------------------------------------------------------


class BindingModel(Knob, json_schema_extra=_optional("client_cert_negotiation", "protocols")):
    """A record of `netsh http show sslcert`, and the TLS versions Schannel speaks for it."""

    endpoint: EndpointText
    certificate: ServerCertificate = ServerCertificate.SERVER
    client_cert_negotiation: Toggle
    protocols: Annotated[tuple[ProtocolName, ...], Field(min_length=1)]
    ctl_store: StoreName | None = None


class SiteModel(Knob, json_schema_extra=_optional("ssl_flags", "client_cert_retrieval", "continue_100")):
    """A path, what IIS demands of its clients, and how the component above http.sys fetches the certificate."""

    path: SitePath
    ssl_flags: tuple[SslFlag, ...]
    client_cert_retrieval: ClientCertRetrieval
    continue_100: Continue100
    application_delay: Seconds = 0.0


class Setup(
    Knob,
    json_schema_extra=_optional(
        "timers",
        "schannel",
        "capi2_operational_log",
        "enable_kernel_ssl",
        "sstp_listener_port",
        "on_unavailable",
    ),
):
    """The half of a scenario that a server is built from, and that `set` can change."""

    bindings: Annotated[dict[Name, BindingModel], Field(min_length=1)]
    sites: Annotated[tuple[SiteModel, ...], Field(min_length=1)]
    timers: Timers
    schannel: Schannel
    capi2_operational_log: StrictBool
    enable_kernel_ssl: StrictBool
    sstp_listener_port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None
    on_unavailable: OnUnavailable
    stores: Stores = Field(default_factory=dict)


# --- what a client does, and what must be observed -----------------------------------------------------------


class Step(Knob):
    """One request of a client. Times are lab time; `binding` is the first one unless said otherwise.

    `expect_100` sends `Expect: 100-continue` and waits that long for the 100 before it sends the body all the same.
    `filters_by_issuer` sends a certificate only where the server names an issuer of its chain, or nobody at all.
    `wait` is how long nothing happens before the step, `others` how many other clients connect before it; `resumes`
    offers the session of the connection before.
    """

    request: RequestLine
    body: Annotated[ByteCount, Field(le=LARGEST_BODY)] = 0
    chunked: StrictBool = False
    identity: Identity = "alice"
    same_connection: StrictBool = False
    binding: str | None = None
    expect_100: Seconds | None = None
    renegotiation: Literal["accept", "refuse"] = "accept"
    filters_by_issuer: StrictBool = False
    gives_up_after: Seconds | None = None
    wait: Seconds = 0.0
    resumes: StrictBool = False
    others: Annotated[int, Field(ge=0, le=100_000)] = 0

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.partition(" ")[0]

    @property
    def target(self) -> str:
        """The request's path and query."""
        return self.request.partition(" ")[2]


class Expectation(Knob):
    """What must be observed: `outcome` of the last step on the wire; what is left out does not matter.

    `after` is the lab time from the last step's start to its outcome; `certificate` and
    `resumed` are what the last response reports; `messages` every message in exact order.
    """

    outcome: OutcomeName
    after: Seconds | None = None
    certificate: Identity | None = None
    resumed: StrictBool | None = None
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
    """A documented failure. `unverified` lists what it shows although no document says it."""

    format_version: Literal[1]
    title: NonEmptyText
    story: NonEmptyText
    sources: Annotated[tuple[NonEmptyText, ...], Field(min_length=1)]
    symptoms: Annotated[tuple[NonEmptyText, ...], Field(min_length=1)]
    unverified: tuple[NonEmptyText, ...] = ()
    profile: ProfileName
    symptom: Case
    cases: dict[Name, Case] = Field(default_factory=dict)
    fixes: dict[Name, Fix]
    teach: NonEmptyText


def json_schema() -> dict[str, Any]:
    """Describe a scenario file as JSON Schema, for editors and `tlslab schema`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Scenario.model_json_schema()
