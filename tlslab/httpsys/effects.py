"""What passes between the pipeline and the owner of its connection: requests, responses, and what must be done."""

from __future__ import annotations

import h11

from tlslab.httpsys.client_certificate import Retrieval
from tlslab.httpsys.entity_body import BodyFacts
from tlslab.types import Closing, frozen_for_mypy


@frozen_for_mypy
class Request:
    """The head of a request, and when it was there (lab time).

    `content_length` is None for a chunked body, 0 for none; a header that was not sent is "".
    """

    method: str
    target: str
    http_version: str
    content_length: int | None
    accept: str
    user_agent: str
    referer: str
    origin: str
    received_at: float

    @classmethod
    def of(cls, head: h11.Request, received_at: float) -> Request:
        """Read what h11 has checked; bytes beyond ASCII are taken as Latin-1."""
        headers = {name.lower(): value for name, value in head.headers.raw_items()}  # in one call: iterating is Python
        chunked = b"transfer-encoding" in headers
        return cls(
            method=head.method.decode("latin-1"),
            target=head.target.decode("latin-1"),
            http_version=head.http_version.decode("latin-1"),
            content_length=None if chunked else int(headers.get(b"content-length", b"0")),
            accept=headers.get(b"accept", b"").decode("latin-1"),
            user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
            referer=headers.get(b"referer", b"").decode("latin-1"),
            origin=headers.get(b"origin", b"").decode("latin-1"),
            received_at=received_at,
        )


@frozen_for_mypy
class Service:
    """How a request is to be served. `retrieval` is None where no certificate has to be fetched.

    `refuses`: answer at once, whatever there is of the body.
    """

    retrieval: Retrieval | None = None
    continue_after_certificate: bool = True
    delay_seconds: float = 0.0
    refuses: bool = False


@frozen_for_mypy
class Response:
    """What goes back. `certificate` and `win32` (the log's sc-win32-status) are only told in the event.

    `is_own`: http.sys makes it itself, with no header but those of its own. Without `has_length` the end of the
    connection is the end of the answer.
    """

    status: int
    substatus: int
    content_type: str
    body: bytes
    certificate: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    win32: int | None = None
    is_own: bool = False
    has_length: bool = True


# --- effects: what the owner of the connection must do --------------------------------------------


@frozen_for_mypy
class DecideService:
    """Call `serve` for this request."""

    request: Request


@frozen_for_mypy
class RequestClientCertificate:
    """Ask for the certificate; call `question_over` when that is over."""


@frozen_for_mypy
class Answer:
    """Call `respond`: the request is complete, or its body is larger than may be read (`body.complete`)."""

    request: Request
    body: BodyFacts


@frozen_for_mypy
class Send:
    """Put plaintext on the connection."""

    plaintext: bytes


@frozen_for_mypy
class Close:
    """End the connection."""

    how: Closing


Effect = DecideService | RequestClientCertificate | Answer | Send | Close
