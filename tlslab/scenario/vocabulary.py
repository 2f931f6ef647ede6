"""The words of a scenario file: texts of which only some are right, each with what to say of the others."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from tlslab import events
from tlslab.httpsys.bindings import is_host_name
from tlslab.httpsys.refusal_texts import TEXTS
from tlslab.httpsys.timers import HTTPERR_REASON
from tlslab.knobs import matching
from tlslab.scenario.names import suggestion
from tlslab.schannel.profiles import PROFILES

EVENTS = tuple(sorted(kind.__name__ for kind in events.ALL))
HTTPERR_REASONS = (*HTTPERR_REASON.values(), *sorted(TEXTS))
OUTCOME = "an HTTP status such as 200 or 403.7, or reset, closed, alert or gave_up"


def _one_of(known: tuple[str, ...], what: str, value: str) -> str:
    if value not in known:
        raise ValueError(f"there is no {what} of that name; {suggestion(value, known)}")
    return value


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


NonEmptyText = Annotated[str, Field(min_length=1)]
Name = Annotated[
    str,
    AfterValidator(matching(r"[a-z0-9]+(-[a-z0-9]+)*", "a name of a-z and 0-9, joined by hyphens")),
]
RequestLine = Annotated[
    str, AfterValidator(matching(r"[A-Z]{1,20} /(?!/)[!-~]*", "a method and a path, such as POST /upload"))
]
HeaderName = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", "the name of a header, such as Origin"))
]
HeaderValue = Annotated[
    str, AfterValidator(matching(r"[!-~]([ -~]*[!-~])?", "the value of a header, in printable ASCII"))
]
MessageName = Annotated[
    str, AfterValidator(matching(r"[CS] \S[ -~]*", "who sent what, such as: C ClientHello, S 200, or C GET /"))
]
OutcomeName = Annotated[
    str,
    BeforeValidator(_number_as_text),
    AfterValidator(matching(r"[1-5]\d\d(\.\d{1,2})?|reset|closed|alert|gave_up", OUTCOME)),
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
SERVER_NAME = "false for a client that sends no name, or a name such as sts.example.com (an address is none: RFC 6066)"


def _server_name(value: Any) -> Any:
    if value is False or (isinstance(value, str) and is_host_name(value)):
        return value
    raise ValueError(f"expected {SERVER_NAME}")


ServerName = Annotated[
    Literal[False] | str,
    BeforeValidator(_server_name),
    WithJsonSchema({"anyOf": [{"const": False}, {"type": "string"}], "description": SERVER_NAME}),
]
ProtocolName = Literal["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]
Identity = Literal[
    "alice", "expired", "not-yet-valid", "wrong-ca", "wrong-eku", "revoked", "leaf-only", "full-chain", "none"
]
Overrides = Annotated[dict[str, Any], Field(description="paths such as bindings.site.protocols, and their values")]
