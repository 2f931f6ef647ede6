"""What passes between the pipeline and the owner of its connection: requests, responses, and what must be done."""

from __future__ import annotations

from dataclasses import dataclass

from tlslab.httpsys.client_certificate import Retrieval
from tlslab.httpsys.entity_body import BodyFacts
from tlslab.types import Closing


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; `accept` is its Accept header, "" where it sent none."""

    method: str
    target: str
    http_version: str
    accept: str


@dataclass(frozen=True, slots=True)
class Service:
    """How a request is to be served. `retrieval` is None where no certificate has to be fetched."""

    retrieval: Retrieval | None = None
    continue_after_certificate: bool = True
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. `certificate` is only told in the event."""

    status: int
    substatus: int
    content_type: str
    body: bytes
    certificate: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


# --- effects: what the owner of the connection must do --------------------------------------------


@dataclass(frozen=True, slots=True)
class DecideService:
    """Call `serve` for this request."""

    request: Request


@dataclass(frozen=True, slots=True)
class RequestClientCertificate:
    """Ask for the certificate; tell `certificate_settled` when that is over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Call `respond`: the request is complete, or its body is larger than may be read (`body.complete`)."""

    request: Request
    body: BodyFacts


@dataclass(frozen=True, slots=True)
class Send:
    """Put plaintext on the connection."""

    plaintext: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection."""

    how: Closing


Effect = DecideService | RequestClientCertificate | Answer | Send | Close
