"""What the API takes and gives, as models: bodies are checked by them, and its schema is made of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tlslab.lab.options import FASTEST, SLOWEST

Settings = dict[str, Any]


class Body(BaseModel):
    """A JSON object; a key that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LabWanted(Body):
    """A lab to start: `scenario` is a name of the catalogue or a file, `set` are knobs by path, as --set takes them."""

    scenario: Annotated[str, Field(min_length=1, max_length=4096)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    fixes: list[str] = Field(default_factory=list)
    set: Settings = Field(default_factory=dict)
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST, strict=False)] = 1.0
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    profile: str | None = None


class LabChange(Body):
    """What is to change while it runs: all fixes that are to be on, and knobs that are laid over the others."""

    fixes: list[str] | None = None
    set: Settings = Field(default_factory=dict)


class ProblemSaid(Body):
    """What is wrong, and what to try."""

    error: str
    hint: str


class Health(Body):
    """That the API answers, and how many labs run."""

    status: str
    labs: int


class Version(Body):
    """Of the program, and of its events."""

    tlslab: str
    events_version: int


class Changed(Body):
    """The number of the first connection that a change concerns, and how the lab is set now."""

    from_connection: int
    fixes: list[str]
    set: Settings


class BindingServed(Body):
    """A binding and where it is served."""

    name: str
    url: str
    host: str
    port: int
    hostname: str
    protocols: list[str]


class IdentitySaid(Body):
    """The files of a client identity, on the lab's machine."""

    cert_file: str
    key_file: str
    pkcs12_file: str
    pkcs12_password: str


class LabSaid(Body):
    """A lab: what the ready file says of it, and how it is set now. `connections` is how many have come."""

    id: str
    scenario: str
    fixes: list[str]
    set: Settings
    connections: int
    pid: int
    speed: float
    events_version: int
    target_url: str
    bindings: list[BindingServed]
    ca_file: str
    identities: dict[str, IdentitySaid]


class ConnectionSaid(Body):
    """A connection, as far as it has come; `how` and `why` say how it ended, `stalled` that an upload hangs now."""

    number: int
    peer: str
    binding: str
    protocol: str
    handshakes: int
    renegotiated: bool
    resumed: bool
    certificate: str | None
    requests: list[str]
    statuses: list[str]
    body_received: int
    deadlocked: bool
    stalled: bool
    how: str | None
    why: str
    seconds: float


class FixSaid(Body):
    """A fix of a scenario."""

    name: str
    title: str
    changes: list[str]
    recommended: bool
    deterministic: bool


class KnobSaid(Body):
    """A knob: its path for `set`, its value in the file, and what it is in Windows."""

    path: str
    value: Any
    windows: str


class ScenarioListed(Body):
    """A scenario of the catalogue."""

    name: str
    title: str


class ScenarioSaid(Body):
    """What can be chosen of a scenario."""

    name: str
    title: str
    story: str
    suggested_speed: float | None
    fixes: list[FixSaid]
    knobs: list[KnobSaid]
