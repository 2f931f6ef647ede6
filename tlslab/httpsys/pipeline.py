"""One connection as http.sys sees it, above TLS: requests in, responses out, and the client certificate in between.

Theory of operation. The pipeline never reads by itself: it says through `capacity` how many bytes of plaintext it
would take now, and whoever owns the TLS connection reads up to that many. A capacity of 0 is all that the
upload deadlock is made of. You must call `decide` before each read and after anything that may have changed its mind
(data, a certificate, time), and carry out what `take_effects` gives. `now` is lab time in seconds, and never goes back.

Whether a request has to wait for a certificate is the question's to say (`question.py`), where the request stands is
the phase's (`phases.py`), how much body is read meanwhile the retrieval policy's (`client_certificate.py`).
"""

from __future__ import annotations

import h11

from tlslab import events as e
from tlslab.errors import LocalMisuse
from tlslab.httpsys import error_log
from tlslab.httpsys.client_certificate import UNLIMITED, Ask, BodyProgress, Cancel, Retrieval, Take, TooLarge
from tlslab.httpsys.effects import (
    Answer,
    Close,
    DecideService,
    Effect,
    Request,
    RequestClientCertificate,
    Response,
    Send,
    Service,
)
from tlslab.httpsys.entity_body import RECORD, EntityBody
from tlslab.httpsys.phases import ACTIVITY, NEXT, WAITS_FOR, Cause, Phase
from tlslab.httpsys.question import Question
from tlslab.httpsys.reader import make_reader, next_reader, without_empty_lines
from tlslab.httpsys.refusals import head_refusal, refusal
from tlslab.httpsys.responses import closes_after, encode, ending
from tlslab.httpsys.settings import RequestSettings
from tlslab.httpsys.stall import Stall
from tlslab.httpsys.timers import Stopwatch, Timer, Timers
from tlslab.recorder import Recorder
from tlslab.tables import after
from tlslab.types import Activity, Closing, Reset

HEAD_CHUNK = 1024  # small, so that a head takes little of the body behind it with it
DEFAULTS = RequestSettings()


class Pipeline:
    """The requests of one connection, one after the other. It was accepted at `opened` (lab time)."""

    def __init__(
        self,
        timers: Timers,
        question: Question,
        emit: Recorder,
        opened: float,
        settings: RequestSettings = DEFAULTS,
    ) -> None:
        self._timers = timers
        self._settings = settings
        self._question = question
        self._emit = emit
        self._http = make_reader(settings.limits)
        self._effects: list[Effect] = []
        self._request: Request | None = None
        self._retrieval: Retrieval | None = None  # of the request at hand, where it may ask
        self._continue_after_certificate = True
        self._body = EntityBody(0)
        self._answering = False
        self._stall = Stall(emit)
        self._watch = Stopwatch(timers, Timer.HEADER_WAIT, opened)
        self._delay_over: float | None = None
        self._asks_at: float | None = None  # where the application asks at a moment of its own
        self.phase = Phase.IDLE
        self.capacity = HEAD_CHUNK

    # --- in ----------------------------------------------------------------------------------------

    def receive(self, plaintext: bytes, now: float) -> None:
        """Take plaintext that was read, at most `capacity` bytes."""
        if self.phase is Phase.IDLE:
            plaintext = without_empty_lines(plaintext)
            if not plaintext:
                return
            self._go(Cause.BYTES)
            self._start(Timer.HEADER_WAIT, now)
        elif self._watch.timer is Timer.ENTITY_BODY:
            self._start(Timer.ENTITY_BODY, now)  # it restarts with every piece of data (KB820729)
        self._http.receive_data(plaintext)
        self._parse(now)

    def serve(self, service: Service, now: float) -> None:
        """Go on with the request whose head was told, as `service` says; call it once for each `DecideService`."""
        self._continue_after_certificate = service.continue_after_certificate
        self._retrieval = service.retrieval if self._question.is_open else None
        if self._retrieval is not None and not self._retrieval.answers_first:
            self._question.want()
            self._asks_at = None if self._retrieval.asks_later_by is None else now + self._retrieval.asks_later_by
        if self._retrieval is not None and service.delay_seconds:
            self._delay_over = now + service.delay_seconds
            self._go(Cause.WAIT)
        else:
            self._begin(Cause.SERVE, now)
        if service.refuses:
            self._answer()

    def question_over(self, now: float) -> None:
        """The client has answered, or cannot be asked: what waited for that goes on. Move the question first."""
        self._stall.end(now)
        self._start(WAITS_FOR.get(self.phase, Timer.ENTITY_BODY), now)

    def respond(self, response: Response, now: float) -> None:
        """Send the answer, and be ready for the next request, or close.

        It closes where the head of the request says so, and where the request was not read to its end. Call it once for
        each `Answer`. LocalMisuse: there is no request.
        """
        request = self._request
        if request is None:
            raise LocalMisuse("there is no request to answer")
        closes = closes_after(self._http) or not response.has_length
        self._send_response(response, request, now, closes=closes)
        if closes:
            self._close(ending(self._timers, self._settings.drain_limit, self._body, now))
            return
        self._http = next_reader(self._http, self._settings.limits)
        self._request, self._answering = None, False
        self._go(Cause.ANSWERED)
        self._start(Timer.IDLE_CONNECTION, now)
        if self._retrieval is not None and self._retrieval.answers_first:
            self._ask(now)
        if self._http.trailing_data[0]:  # the next head came along
            self._parse(now)
            if self.phase is Phase.IDLE:  # the beginning of it
                self._go(Cause.BYTES)
                self._start(Timer.HEADER_WAIT, now)

    def note_unread(self, tls_unread: int, socket_unread: int, waiting_for: str, now: float) -> None:
        """While `stalled`: how many bytes wait in TLS and in the socket."""
        self._stall.note(self._body, tls_unread, socket_unread, waiting_for, now)

    def tick(self, now: float) -> None:
        """Let time do its work: a timer that runs out closes, a delay that is over lets the request go on."""
        if self._delay_over is not None and now >= self._delay_over:
            self._delay_over = None
            self._begin(Cause.DELAY_OVER, now)
        if self.phase is Phase.DELAYED or self.phase is Phase.CLOSED or now < self._watch.ends:
            return
        if self._asks_at is not None and self._body.complete:
            return  # the body is here, and the application at work: no timer of http.sys waits for that
        error_log.time_out(self._emit, self._watch, self._request, now)
        self._close(Reset())

    def hasten(self, now: float) -> None:
        """Let the application have done its work, and the timer that runs run out now: call `tick` next."""
        self._delay_over = None if self._delay_over is None else now
        self._watch.ends = now

    def decide(self, unread: int, now: float) -> None:
        """Make up its mind: how much to read, whether to ask, whether the request is complete.

        `unread` counts bytes of plaintext that are known to wait. `capacity` and `take_effects` say what came of it.
        """
        if self.phase is not Phase.RECEIVING or self._answering:
            self.capacity = HEAD_CHUNK if self.phase is Phase.IDLE else self._head_capacity()
            return
        self._continue_if_due(now)
        if self._body.complete and not self._question.keeps_waiting:
            self.capacity = 0
            self._answer()
            return
        decision = self._decision(unread, now)
        if isinstance(decision, Ask):
            self.capacity = 0
            self._ask(now)
        elif isinstance(decision, Cancel):
            self._emit(e.RetrievalCancelled, now, body_received=self._body.received, max_bytes=decision.max_bytes)
            self._close(Reset())
        elif isinstance(decision, TooLarge):
            self.capacity = 0
            self._refuse_body(decision, now)
        else:
            room = RECORD if self._question.keeps_waiting else self._body.piece
            self.capacity = self._pipelined_room() if self._body.complete else min(decision.at_most, room)
            if self.capacity:
                self._stall.end(now)

    # --- out ---------------------------------------------------------------------------------------

    def take_effects(self) -> list[Effect]:
        """Give away what the owner must do, in order."""
        effects, self._effects = self._effects, []
        return effects

    @property
    def next_deadline(self) -> float | None:
        """When `tick`, and `decide` after it, have something to do, in lab time."""
        if self.phase is Phase.CLOSED:
            return None
        if self._delay_over is not None:
            return self._delay_over
        if self._asks_at is not None:
            return self._asks_at if self._body.complete else min(self._asks_at, self._watch.ends)
        return min(self._reads_on_at, self._watch.ends) if self._stall.told else self._watch.ends

    @property
    def stalled(self) -> bool:
        """Whether the body stays unread because the certificate is awaited."""
        return (
            self.phase is Phase.RECEIVING and self._question.is_asked and not self.capacity and not self._body.complete
        )

    @property
    def may_stop_reading(self) -> bool:
        """Whether the question, or that of the next request, may leave a body unread."""
        return self.phase is not Phase.RECEIVING or self._question.keeps_waiting

    @property
    def stall_told(self) -> bool:
        """Whether `note_unread` has told of the present stall."""
        return self._stall.told

    @property
    def activity(self) -> Activity:
        """What is going on, for events about a client that leaves."""
        if self._question.is_asked:
            return Activity.CERTIFICATE_RETRIEVAL
        is_due = self.phase is Phase.RECEIVING and self._body.complete
        return Activity.RESPONSE if is_due else ACTIVITY[self.phase]

    @property
    def body_received(self) -> int:
        """Bytes of the current request's body that have been read."""
        return self._body.received if self._request is not None else 0

    # --- inside ------------------------------------------------------------------------------------

    def _go(self, cause: Cause) -> None:
        self.phase = after(NEXT, self.phase, cause)

    def _start(self, timer: Timer, now: float) -> None:
        if not self._question.is_asked:  # while it is, the renegotiation's timer runs, and nothing replaces it
            self._watch.start(timer, now)

    @property
    def _reads_on_at(self) -> float:
        retrieval = self._question.asked_by
        reads_on_after = retrieval.reads_on_after if retrieval else None
        return float("inf") if reads_on_after is None else self._question.asked_at + reads_on_after

    def _begin(self, cause: Cause, now: float) -> None:
        self._go(cause)
        self._start(Timer.ENTITY_BODY, now)
        self._parse(now)

    def _parse(self, now: float) -> None:
        if self.phase in (Phase.DELAYED, Phase.CLOSED) or (self.phase is Phase.HEAD and self._request is not None):
            return
        try:
            while self._on_event(self._http.next_event(), now):
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(*refusal(error, self._settings.error_page), now)

    def _on_event(self, event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED], now: float) -> bool:
        """Take one event of h11; False when there is nothing more to take now."""
        # By type: to `match` and isinstance h11's events are abstract classes, which answer in Python code.
        if type(event) is h11.Data:
            self._body.take(event.data)
            return True
        if type(event) is h11.Request:
            self._on_head(event, now)
        elif type(event) is h11.EndOfMessage:
            self._body.complete = True
            self._emit(e.EntityBodyReceived, now, length=self._body.received)
        return False

    def _on_head(self, event: h11.Request, now: float) -> None:
        if self.phase is Phase.IDLE:  # pipelined: its bytes came with the previous request
            self._go(Cause.BYTES)
        self._request = request = Request.of(event, now)
        self._body = EntityBody(request.content_length)
        if (refused := head_refusal(event, self._settings)) is not None:
            self._refuse(*refused, now)
            return
        self._emit(
            e.RequestReceived,
            now,
            method=request.method,
            target=request.target,
            http_version=request.http_version,
            content_length=request.content_length,
            expects_continue=self._http.client_is_waiting_for_100_continue,
            user_agent=request.user_agent,
            referer=request.referer,
        )
        self._effects.append(DecideService(request))

    def _head_capacity(self) -> int:
        if self.phase is not Phase.HEAD or self._request is not None:
            return 0
        return min(HEAD_CHUNK, self._settings.limits.request_bytes - len(self._http.trailing_data[0]))

    def _pipelined_room(self) -> int:
        return max(0, self._settings.limits.request_bytes - len(self._http.trailing_data[0]))

    def _decision(self, unread: int, now: float) -> Take | Ask | Cancel | TooLarge:
        asked = self._question.is_asked
        retrieval = self._question.asked_by if asked else self._retrieval
        if retrieval is None or not self._question.keeps_waiting:
            return Take(UNLIMITED)
        progress = BodyProgress(
            received=self._body.received,
            announced=self._body.announced,
            complete=self._body.complete,
            unread=unread,
            client_waits_for_100=self._http.client_is_waiting_for_100_continue,
            asked_at=self._question.asked_at,
            now=now,
            is_time=self._asks_at is None or now >= self._asks_at,
        )
        return retrieval.while_asked(progress) if asked else retrieval.before_asking(progress)

    def _ask(self, now: float) -> None:
        retrieval, self._asks_at = self._retrieval, None
        self._start(Timer.SSL_RENEGOTIATION, now)
        self._question.ask(retrieval, now)
        self._effects.append(RequestClientCertificate())
        if retrieval is not None:
            self._emit(
                e.CertificateRetrievalStarted,
                now,
                kind=getattr(retrieval, "kind", ""),
                body_received=self._body.received,
                body_announced=self._body.announced,
                reads_on=retrieval.reads_on_up_to is not None or self._body.complete,
                timeout_seconds=self._timers.ssl_renegotiation,
            )

    def _continue_if_due(self, now: float) -> None:
        after_certificate = self._continue_after_certificate
        if self._http.client_is_waiting_for_100_continue and not (after_certificate and self._question.keeps_waiting):
            data = self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._effects.append(Send(data or b""))
            self._emit(e.ContinueSent, now, after_certificate=after_certificate)

    def _answer(self) -> None:
        if self._request is not None and not self._answering:
            self._answering = True
            self._effects.append(Answer(self._request, self._body.facts()))

    def _refuse_body(self, decision: TooLarge, now: float) -> None:
        self._emit(
            e.ReadAheadExceeded,
            now,
            body_received=self._body.received,
            size_bytes=decision.size_bytes,
            body_announced=self._body.announced,
        )
        self._answer()

    def _refuse(self, response: Response, detail: str, reason: str, now: float) -> None:
        """Answer what is not a request, log it, and close."""
        self._emit(e.BadRequestReceived, now, detail=detail)
        is_routed = self.phase is Phase.RECEIVING  # a whole head finds its site; this is about the body then
        error_log.log(self._emit, reason, self._request, response.status, now, is_routed=is_routed)
        self._send_response(response, self._request, now, closes=True)
        self._close(ending(self._timers, self._settings.drain_limit, self._body, now))

    def _send_response(self, response: Response, request: Request | None, now: float, *, closes: bool) -> None:
        method = request.method if request else "-"
        self._effects.append(Send(encode(response, method, closes=closes)))
        self._emit(
            e.ResponseSent,
            now,
            status=response.status,
            substatus=response.substatus,
            method=method,
            target=request.target if request else "-",
            certificate=response.certificate,
            win32=response.win32,
            seconds=now - request.received_at if request else 0.0,
        )

    def _close(self, how: Closing) -> None:
        self._go(Cause.CLOSE)
        self.capacity = 0
        self._effects.append(Close(how))
