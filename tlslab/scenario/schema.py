"""A scenario file: what is set up, what a client does, what must be observed, and what mends it.

The models hold what the YAML says, after the profile's defaults were laid under it (`overlay.with_profile`): a knob
that its profile sets is required here and optional in the JSON Schema. Paths into the `Lab` half, such as
`sites./upload.client_cert_retrieval.buffer`, are what `set` and `--set` speak of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    WithJsonSchema,
    model_validator,
)

from tlslab import events
from tlslab.core.plan import Continue100, OnUnavailable
from tlslab.httpsys.bindings import Certificate, EndpointText, Toggle
from tlslab.httpsys.client_certificate import ClientCertRetrieval
from tlslab.httpsys.timers import HTTPERR_REASON, Timers
from tlslab.iis.access import SslFlag
from tlslab.knobs import ByteCount, Knob, Seconds
from tlslab.scenario.names import suggestion
from tlslab.scenario.stores import StoreName, Stores
from tlslab.schannel.profiles import PROFILES
from tlslab.schannel.settings import Schannel

EVENTS = tuple(sorted(kind.__name__ for kind in events.ALL))
HTTPERR_REASONS = tuple(HTTPERR_REASON.values())
LARGEST_BODY = 2**30  # a client has to make it and a server to hash it
OUTCOME = "an HTTP status such as 200 or 403.7, or reset, closed, alert or gave_up"


def _one_of(known: tuple[str, ...], what: str, value: str) -> str:
    if value not in known:
        raise ValueError(f"there is no {what} of that name; {suggestion(value, known)}")
    return value


def _matching(pattern: str, wanted: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"expected {wanted}")
        return value

    return check


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, Field(min_length=1)]
Name = Annotated[
    str,
    AfterValidator(_matching(r"[a-z0-9]+(-[a-z0-9]+)*", "a name of a-z and 0-9, joined by hyphens")),
]
SitePath = Annotated[str, AfterValidator(_matching(r"/(?:(?![?#])[!-~])*", "a path such as /upload"))]
Request = Annotated[
    str, AfterValidator(_matching(r"[A-Z]{1,20} /(?!/)[!-~]*", "a method and a path, such as POST /upload"))
]
Message = Annotated[
    str, AfterValidator(_matching(r"[CS] \S[ -~]*", "who sent what, such as: C ClientHello, S 200, or C GET /"))
]
Outcome = Annotated[
    str,
    BeforeValidator(_number_as_text),
    AfterValidator(_matching(r"[1-5]\d\d(\.\d{1,2})?|reset|closed|alert|gave_up", OUTCOME)),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "description": OUTCOME}),
]
EventName = Annotated[
    str, AfterValidator(partial(_one_of, EVENTS, "event")), Field(json_schema_extra={"enum": list(EVENTS)})
]
HttpErrReason = Annotated[
    str,
    AfterValidator(partial(_one_of, HTTPERR_REASONS, "HTTPERR reason")),
    Field(json_schema_extra={"enum": list(HTTPERR_REASONS)}),
]
ProfileName = Annotated[
    str, AfterValidator(partial(_one_of, tuple(PROFILES), "profile")), Field(json_schema_extra={"enum": list(PROFILES)})
]
ProtocolName = Literal["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]
Identity = Literal[
    "alice", "expired", "not-yet-valid", "wrong-ca", "wrong-eku", "revoked", "leaf-only", "full-chain", "none"
]
Overrides = Annotated[dict[str, Any], Field(description="paths such as bindings.site.protocols, and their values")]


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
    certificate: Certificate = Certificate.SERVER
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


class Lab(
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

    request: Request
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

    outcome: Outcome
    after: Seconds | None = None
    certificate: Identity | None = None
    resumed: StrictBool | None = None
    events: tuple[EventName, ...] = ()
    never: tuple[EventName, ...] = ()
    httperr: HttpErrReason | None = None
    messages: tuple[Message, ...] | None = None

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

    title: Text | None = None
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

    title: Text
    says: Text
    changes: Annotated[tuple[Change, ...], Field(min_length=1)]
    recommended: StrictBool
    deterministic: StrictBool
    costs: Text
    set: Overrides = Field(default_factory=dict)
    client: Steps | None = None
    expect: Expect
    defeated_by: dict[Name, Case] = Field(default_factory=dict)


class Scenario(Lab):
    """A documented failure. `unverified` lists what it shows although no document says it."""

    format_version: Literal[1]
    title: Text
    story: Text
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    symptoms: Annotated[tuple[Text, ...], Field(min_length=1)]
    unverified: tuple[Text, ...] = ()
    profile: ProfileName
    symptom: Case
    cases: dict[Name, Case] = Field(default_factory=dict)
    fixes: dict[Name, Fix]
    teach: Text


def json_schema() -> dict[str, Any]:
    """Describe a scenario file as JSON Schema, for editors and `tlslab schema`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Scenario.model_json_schema()
