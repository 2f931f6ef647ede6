"""When a server asks for the client certificate after the request, and what it does with the body meanwhile.

A variant is two numbers: how much body is read before the question (`ask_after`), and how much may be
read while the answer is awaited (`reads_on_up_to`; None: nothing, which is what freezes). The article behind
`large-post-deadlock` walks through them one by one. IIS itself asks only where nothing is left to freeze behind, and
refuses the request otherwise. A policy decides; it never reads, sends or waits.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tlslab.knobs import ByteCount, Knob, Seconds, TakesEffect, Tool, WindowsSetting
from tlslab.types import frozen_for_mypy

UNLIMITED = 2**62


@frozen_for_mypy
class BodyProgress:
    """Where a request stands: bytes of body received, bytes known to wait behind them, seconds since the question.

    `announced` is the body's Content-Length, None where it is chunked. `is_time`: an application that asks at a moment
    of its own has come to it.
    """

    received: int
    announced: int | None
    complete: bool
    unread: int
    client_waits_for_100: bool
    asked_at: float
    now: float
    is_time: bool = True


@frozen_for_mypy
class Take:
    """Take at most this many bytes of body now; 0 leaves the body where it is."""

    at_most: int


@frozen_for_mypy
class Ask:
    """Send the request for the certificate now."""


@frozen_for_mypy
class Cancel:
    """Give the request up: more than `max_bytes` of body came before the certificate did."""

    max_bytes: int


@frozen_for_mypy
class TooLarge:
    """Refuse the request: its body goes on beyond the `size_bytes` that are read before the question."""

    size_bytes: int


class Retrieval(Knob):
    """What the variants share: the two decisions."""

    @property
    def ask_after(self) -> int:
        """Bytes of body that are read before the question."""
        raise NotImplementedError

    @property
    def reads_on_up_to(self) -> int | None:
        """Bytes of body that may be read until the answer comes; None when reading stops with the question."""
        return None

    @property
    def reads_on_after(self) -> float | None:
        """Seconds after the question at which a stopped reading goes on by itself; None: never."""
        return None

    @property
    def asks_later_by(self) -> float | None:
        """Seconds after the headers at which the question is asked, whatever has come; None: the body decides."""
        return None

    @property
    def answers_first(self) -> bool:
        """Whether the request is answered without a certificate, and the question asked after that."""
        return False

    @property
    def refuses_with(self) -> int:
        """The status of a body that is larger than may be read."""
        return 413

    @property
    def is_iis(self) -> bool:
        """Whether it is IIS that serves the request, and not an application on http.sys."""
        return False

    def before_asking(self, progress: BodyProgress) -> Take | Ask | TooLarge:
        """Decide whether to ask now.

        A variant that stops reading waits until a byte beyond its buffer is known to be there: asked earlier, a
        client that reads while it writes may answer in front of its body, and one upload in five escapes.
        """
        if progress.complete or progress.client_waits_for_100:
            return Ask()
        room = self.ask_after - progress.received
        if room > 0:
            return Take(room)
        return Ask() if progress.unread or self.reads_on_up_to is not None else Take(0)

    def while_asked(self, progress: BodyProgress) -> Take | Cancel:
        """Decide how much body may be read while the certificate is awaited."""
        if progress.complete:
            return Take(UNLIMITED)
        if self.reads_on_up_to is None:
            # The sum, as in the deadline: a difference may round below it, and the moment would never come.
            resumed = self.reads_on_after is not None and progress.now >= progress.asked_at + self.reads_on_after
            return Take(UNLIMITED if resumed else 0)
        if progress.received > self.reads_on_up_to:
            return Cancel(self.reads_on_up_to)
        return Take(self.reads_on_up_to - progress.received + 1)


class Synchronous(Retrieval):
    """Read body up to `buffer`, ask with a blocking call, read nothing until the certificate is there.

    An application that asks before it reads has a `buffer` of 0. Its small uploads arrive all the same, for http.sys
    itself takes some of the body in meanwhile: until it has `http_sys_buffer`, what the application read included.
    40 KiB is the size the article gives as an example of a large payload; how much it is is not documented.
    `read_on_after` is the lab's own: it lets the reading go on by itself, which shows that the freeze is real.
    """

    kind: Literal["synchronous"] = "synchronous"
    buffer: ByteCount = 40 * 1024
    http_sys_buffer: ByteCount = 40 * 1024
    read_on_after: Seconds | None = None

    @property
    def ask_after(self) -> int:
        """The buffer."""
        return self.buffer

    def while_asked(self, progress: BodyProgress) -> Take | Cancel:
        """Nothing for the application; http.sys fills its own buffer."""
        decision = super().while_asked(progress)
        return Take(max(0, self.http_sys_buffer - progress.received)) if decision == Take(0) else decision

    @property
    def reads_on_after(self) -> float | None:
        """The lab's own experiment."""
        return self.read_on_after


class ReadAhead413(Retrieval):
    """Read the whole body first, and refuse one of more than `size` bytes with 413: what IIS does itself.

    The size is IIS's uploadReadAheadSize with its default and largest value (Microsoft Learn, iis-docs, serverRuntime);
    the 413 is that of TechNet cc737382. A client that waits for 100 Continue is asked at once: it holds its body back.
    The front end of Azure App Service does the same and says 403 (Microsoft Learn, App Service, TLS mutual
    authentication).
    """

    kind: Literal["read_ahead_413"] = "read_ahead_413"
    size: Annotated[
        ByteCount,
        Field(le=2**31 - 1),
        WindowsSetting("<serverRuntime uploadReadAheadSize>", Tool.CONFIGURATION, TakesEffect.NEXT_REQUEST),
    ] = 49_152
    status: Literal[413, 403] = 413

    @property
    def refuses_with(self) -> int:
        """What is set."""
        return self.status

    @property
    def ask_after(self) -> int:
        """The size, unless the body ends before it."""
        return self.size

    @property
    def is_iis(self) -> bool:
        """What the kind is."""
        return True

    def before_asking(self, progress: BodyProgress) -> Take | Ask | TooLarge:
        """Ask when the body is complete, refuse it when it cannot be.

        Of an announced body one knows that more follows; of a chunked one only the next byte tells whether that is more
        body or the last chunk.
        """
        if progress.complete or progress.client_waits_for_100:
            return Ask()
        room = self.size - progress.received + (progress.announced is None)
        return Take(room) if room > 0 else TooLarge(self.size)


class AfterBody(Retrieval):
    """Read as much body as possible, up to `max`, then ask; a body beyond `max` freezes all the same."""

    kind: Literal["after_body"] = "after_body"
    max: ByteCount = 4 * 1024 * 1024

    @property
    def ask_after(self) -> int:
        """The maximum."""
        return self.max


class AsyncDrain(Retrieval):
    """Ask when `buffer` is full, go on reading while the answer is awaited, give up past `max`."""

    kind: Literal["async_drain"] = "async_drain"
    buffer: ByteCount = 40 * 1024
    max: ByteCount = 4 * 1024 * 1024

    @property
    def ask_after(self) -> int:
        """The buffer."""
        return self.buffer

    @property
    def reads_on_up_to(self) -> int | None:
        """The maximum."""
        return self.max


class EarlyAsyncDrain(Retrieval):
    """Ask as soon as the headers are there, read the body while the answer is awaited, give up past `max`."""

    kind: Literal["early_async_drain"] = "early_async_drain"
    max: ByteCount = 4 * 1024 * 1024

    @property
    def ask_after(self) -> int:
        """Nothing of the body is read first."""
        return 0

    @property
    def reads_on_up_to(self) -> int | None:
        """The maximum."""
        return self.max


class AfterAWhile(Retrieval):
    """Ask `delay` after the headers, with whatever of the body has come by then, and read meanwhile.

    The lab's own: an application with work of its own to do first. Until it asks, it reads up to `buffer`. While the
    answer is awaited it reads on and gives up past `max`; with no `max` it reads nothing then, as with a blocking call.
    """

    kind: Literal["after_a_while"] = "after_a_while"
    delay: Seconds = 1.0
    buffer: ByteCount = 4 * 1024 * 1024
    max: ByteCount | None = 4 * 1024 * 1024

    @property
    def ask_after(self) -> int:
        """The buffer, which is only filled and not waited for."""
        return self.buffer

    @property
    def reads_on_up_to(self) -> int | None:
        """The maximum."""
        return self.max

    @property
    def asks_later_by(self) -> float | None:
        """The delay."""
        return self.delay

    def before_asking(self, progress: BodyProgress) -> Take | Ask | TooLarge:
        """Ask when it is time."""
        if progress.is_time:
            return Ask()
        return Take(UNLIMITED if progress.complete else max(0, self.buffer - progress.received))


class AfterResponse(EarlyAsyncDrain):
    """Answer the request without a certificate, then ask: the next request on the connection has it.

    A next request that comes before the certificate is read as by `early_async_drain`.
    """

    kind: Literal["after_response"] = "after_response"  # type: ignore[assignment]  # the union tells variants by it

    @property
    def answers_first(self) -> bool:
        """What the kind is."""
        return True


ClientCertRetrieval = Annotated[
    Synchronous | ReadAhead413 | AfterBody | AsyncDrain | EarlyAsyncDrain | AfterAWhile | AfterResponse,
    Field(discriminator="kind"),
]
