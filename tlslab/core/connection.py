"""One connection: TLS, http.sys and IIS put together, bytes in, events and bytes out, no I/O.

Theory of operation. A connection begins without TLS: `reception` reads its ClientHello, for what is in it (the name,
the session id, the versions) decides which OpenSSL context will serve it. From then on three machines run: TLS
(`tls.server`), the requests (`httpsys.pipeline`) and the question for the client certificate (`httpsys.question`). TLS
and the requests do not know each other; both meet in the question, which the pipeline wants and asks, and which the
core puts to TLS. `_run` is where they meet. It goes round three stages until none of them moves anything:

1. The pipeline decides: how much plaintext it would take now (`capacity`), and what must be done (its effects).
2. The effects are carried out: something is written, a certificate asked for, a request answered.
3. TLS is read, for as many bytes as there is capacity, and says what happened: plaintext came, a handshake ended, ...

With a capacity of 0 TLS still lets handshake messages pass, as far as no application data stands in front of them. So
a ClientHello that answers HelloRequest is seen if it stands in front of what is left of the body, and is not if it
stands behind it. That is the deadlock of `large-post-deadlock`. No code acts it out: it follows from the three stages.

How a connection comes and goes is a table (`life.py`). `_end` is the way out for what still lives; the other is
`note_closed`, where the socket went first, as when the lab stops.
"""

from __future__ import annotations

from collections.abc import Callable

from tlslab.core.answers import Answers
from tlslab.core.life import BY_CAUSE, ENDS, Life, LifeCause, with_tls
from tlslab.core.patience import Patience
from tlslab.core.plan import LabPlan, Listener
from tlslab.core.reception import Admitted, Reception, TurnedAway
from tlslab.core.sessions import Choice, Sessions
from tlslab.core.witness import Witness
from tlslab.events import (
    CertificateUnavailable,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    InternalFault,
    PeerClosed,
    PeerReset,
)
from tlslab.httpsys.client_certificate import UNLIMITED
from tlslab.httpsys.effects import Answer, Close, DecideService, Effect, RequestClientCertificate, Send
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.question import Question
from tlslab.httpsys.settings import OnUnavailable
from tlslab.httpsys.timers import Timers
from tlslab.recorder import Recorder
from tlslab.schannel.session_cache import Reason
from tlslab.tables import after
from tlslab.tls.failures import Failure, FailureKind
from tlslab.tls.server import Handshake, HandshakeEnded, Happening, PlaintextWaits, ServerTls, TlsEnded
from tlslab.types import Activity, Closing, Drain, Fault, Reset, Unavailable, frozen_for_mypy

ALERT_DRAIN_BYTES = 1024 * 1024  # chosen: most bytes of the client's thrown away, so that the lab's alert arrives
UNSENT_LIMIT = 64 * 1024  # chosen: bytes of answers after which no further request of a connection is looked at


@frozen_for_mypy
class _Served:
    """What a connection has once a binding serves it. `choice` says which session it offered."""

    binding: str
    tls: ServerTls
    http: Pipeline
    choice: Choice


class Connection:
    """The server's side of one TCP connection.

    After it was made, and after every call that brings something in, you must call `take_flights` and `take_events`,
    and then obey `closing`, `reading_paused`, `read_limit`, `holds_back`, `wants_unread_count` and `next_deadline`. A
    `Driver` does the first two, in the order that a tap needs. Call `note_closed` in any case, or OpenSSL drops the
    session. Nothing raises on what a peer does. Times are lab time in seconds, and never go back.

    `closing` is None as long as the connection goes on; then it says how the owner ends it, and nothing more is taken.
    `holds_back`: requests that have come are left until the answers to others are sent; bring nothing in then, and call
    `tick` once those answers are sent. Otherwise a few KiB of requests whose answers nobody reads would be megabytes.
    """

    def __init__(
        self,
        plan: LabPlan,
        answers: Answers,
        sessions: Sessions,
        emit: Recorder,
        listener: Listener,
        peer: str,
        local: str,
        patience: Patience,
        timers: Timers,
        now: float,
    ) -> None:
        self._plan = plan
        self._answers = answers
        self._sessions = sessions
        self._emit = emit
        self._patience = patience
        self._timers = timers
        self._opened = now
        self._life = Life.GREETING
        self._reception: Reception | None = Reception(listener, plan.setup.binding_precedence, timers, emit, now)
        self._served: _Served | None = None
        self._question = Question()
        self._flights: list[bytes] = []
        self._fin_overdue = 0.0  # when the client's FIN is, while PARTING
        self._after_goodbye = 0  # bytes since its close_notify, thrown away
        self.closing: Closing | None = None
        self.holds_back = False
        # Gives away what happened since the last call, in order. Asked after each step, so there is no call in between;
        # the recorder of the binding, later, shares what this one has.
        self.take_events: Callable[[], list[Event]] = emit.take
        emit(ConnectionOpened, now, peer=peer, local=local)

    @property
    def number(self) -> int:
        """What events call this connection."""
        return self._emit.connection

    # --- in ----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the socket: at most `read_limit`, and none while `reading_paused` or `holds_back`."""
        served = self._served
        if self.closing is not None:
            if served is not None and self._says_goodbye:
                served.tls.look_for_close_notify(data)
        elif self._reception is not None:
            self._receive(self._reception.receive(data, now), now)
        elif self._life is Life.PARTING:
            self._after_goodbye += len(data)
            if self._after_goodbye > ALERT_DRAIN_BYTES:
                self._end(Reset(), now)
        elif served is not None:
            served.tls.receive(data)
            if self._sessions.purges_idle:
                self._sessions.touch(served.binding, served.tls.session_id, now, self.number)
            self._run(served, now)

    def receive_eof(self, now: float, *, fin_stuck: bool = False) -> None:
        """The peer ended its side, maybe behind bytes that nobody has read; `fin_stuck` as in `PeerClosed`."""
        if self.closing is not None:
            return
        if self._life is not Life.PARTING:
            self._emit(PeerClosed, now, during=self._activity, fin_stuck=fin_stuck)
        # Where bytes stay unread, closing the socket makes a reset in any case, and the table is to say so.
        self._end(Reset() if self.reading_paused else Drain(now, 0), now)

    def receive_reset(self, now: float) -> None:
        """The peer or the network reset the connection."""
        if self.closing is None:
            self._emit(PeerReset, now, during=self._activity)
            self._end(Reset(), now, by_peer=True)

    def note_unread(self, socket_bytes: int, now: float) -> None:
        """How many bytes wait in the socket: call it when `wants_unread_count`, and again to tell that it changed."""
        served = self._served
        if served is not None and self.closing is None and served.http.stalled:
            waiting_for = "Certificate" if served.tls.is_tls13 else "ClientHello"
            served.http.note_unread(served.tls.unread, socket_bytes, waiting_for, now)

    def tick(self, now: float) -> None:
        """Let time do its work: call it when `next_deadline` has come, or what `holds_back` waits for is sent."""
        served = self._served
        if self.closing is not None:
            return
        if self._reception is not None:
            self._receive(self._reception.tick(now), now)
        elif self._life is Life.PARTING:
            if now >= self._fin_overdue:
                self._end(self._alert_drain(now), now)
        elif served is not None:
            served.http.tick(now)
            self._run(served, now)

    def hasten(self, now: float) -> None:
        """Let the timer that runs on it run out now, for somebody who will not wait two minutes for what comes then."""
        if self._reception is not None:
            self._reception.hasten(now)
        elif self._served is not None:
            self._served.http.hasten(now)
        self.tick(now)

    def note_closed(self, now: float) -> None:
        """The socket is closed: nothing comes in after this. Take the events once more."""
        served = self._served
        if served is not None:
            if self._says_goodbye and served.tls.session_id and not served.tls.said_close_notify:
                reason = Reason.NO_CLOSE_NOTIFY
                self._sessions.forget(served.binding, served.tls.session_id, reason, now)
            served.tls.leave_resumable()
        if self._life is not Life.OVER:
            self._emit(ConnectionClosed, now, how=ENDS[self._life], seconds=now - self._opened)
            self._go(LifeCause.SOCKET_CLOSED)

    # --- out ---------------------------------------------------------------------------------------

    def take_flights(self) -> list[bytes]:
        """Give away the bytes that belong on the wire now, in flights: each is a write of its own.

        An answer that follows a handshake is a flight of its own, as in Microsoft's trace of 2013 (frames 87 and 89).
        """
        flights, self._flights = self._flights, []
        if self._served is not None and (last := self._served.tls.data_to_send()):
            flights.append(last)
        return flights

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do, in lab time; None for never. Look at it again after every other call."""
        if self.closing is not None:
            return None
        if self._reception is not None:
            return self._reception.next_deadline
        if self._life is Life.PARTING:
            return self._fin_overdue
        return self._served.http.next_deadline if self._served is not None else None

    @property
    def reading_paused(self) -> bool:
        """Whether the socket must be left unread now; FIN and reset are to be noticed all the same."""
        served = self._served
        return served is not None and served.http.capacity == 0 and served.tls.blocked

    @property
    def read_limit(self) -> int:
        """How many bytes to read at most: few while a question may stop the reading, for what is held here is memory.

        Thousands of stalled uploads are part of the job; what nobody takes stays in their sockets.
        """
        served = self._served
        return served.tls.read_limit if served is not None and served.http.may_stop_reading else UNLIMITED

    @property
    def wants_unread_count(self) -> bool:
        """Whether a stall has begun that `note_unread` has not been called for."""
        served = self._served
        if served is None or self.closing is not None:
            return False
        return served.http.stalled and not served.http.stall_told and self.reading_paused

    # --- beginning and end -------------------------------------------------------------------------

    def _receive(self, outcome: Admitted | TurnedAway | None, now: float) -> None:
        match outcome:
            case TurnedAway(emit, resets, alert):
                self._emit, self._reception = emit, None
                if alert:
                    self._flights.append(alert)
                self._end(Reset() if resets else self._alert_drain(now), now)
            case Admitted():
                self._serve(outcome, now)

    def _serve(self, admitted: Admitted, now: float) -> None:
        plan, name, emit = self._plan, admitted.binding.name, admitted.emit
        self._go(LifeCause.BINDING_CHOSEN)
        self._emit = emit
        if plan.tls[name].asks_in_handshake:
            self._question.ask(None, now)
        http = Pipeline(self._timers, self._question, emit, self._opened, plan.setup.requests)
        choice = self._sessions.choose(name, admitted.hello, now)
        tls = ServerTls(choice.context, emit, Witness(http, plan.cut_issuers.get(name), plan.setup.schannel, emit))
        self._reception = None  # with all that it kept
        self._served = served = _Served(name, tls, http, choice)
        tls.receive(admitted.received)
        self._run(served, now)

    def _go(self, cause: LifeCause) -> None:
        self._life = after(BY_CAUSE, self._life, cause)

    def _end(self, how: Closing, now: float, *, by_peer: bool = False) -> None:
        """Decide how the connection ends, once; where it is drained, with close_notify if http.sys is set to send it.

        Unless it is set to, it answers a FIN, or a close_notify, with a bare FIN (trace of 2013, frame 95).
        """
        if self.closing is not None:
            return
        by_lab = LifeCause.RESET if isinstance(how, Reset) else LifeCause.DRAIN
        self._go(LifeCause.PEER_RESET if by_peer else by_lab)
        self.closing = how
        if self._served is not None and isinstance(how, Drain) and self._says_goodbye:
            self._served.tls.close(now)

    @property
    def _says_goodbye(self) -> bool:
        return self._plan.setup.enable_ssl_close_notify

    def _alert_drain(self, now: float) -> Drain:
        return Drain(now + self._patience.alert_drain, ALERT_DRAIN_BYTES)

    @property
    def _activity(self) -> Activity:
        served = self._served
        if served is None or self._life is Life.HANDSHAKE:
            return Activity.TLS_HANDSHAKE
        # Until its ClientHello comes, a renegotiation is only waited for.
        return Activity.RENEGOTIATION if served.tls.handshake is Handshake.RENEGOTIATION else served.http.activity

    # --- where the machines meet -------------------------------------------------------------------

    def _run(self, served: _Served, now: float) -> None:
        """Decide, act and read until nothing moves any more, or enough answers wait to be sent."""
        tls, http = served.tls, served.http
        self.holds_back = False
        while self._life is Life.SERVING or self._life is Life.HANDSHAKE:
            if tls.unsent_plaintext > UNSENT_LIMIT:
                self.holds_back = True
                return
            http.decide(tls.pending_plaintext, now)
            if effects := http.take_effects():
                self._perform(effects, served, now)
                continue
            happened = tls.read(http.capacity, now)
            if not happened:
                return
            for one in happened:
                self._on_happening(one, served, now)

    def _perform(self, effects: list[Effect], served: _Served, now: float) -> None:
        """Carry out what the pipeline wants."""
        for effect in effects:
            match effect:
                case Send(plaintext):
                    served.tls.write(plaintext, now)
                case DecideService(request):
                    served.http.serve(self._answers.service(request), now)
                case RequestClientCertificate():
                    self._request_certificate(served, now)
                case Answer(request, body):
                    facts = served.tls.facts()
                    response = self._answers.response(request, body, facts, served.binding, self._question)
                    served.http.respond(response, now)
                case Close(how):
                    self._end(how, now)

    def _on_happening(self, happened: Happening, served: _Served, now: float) -> None:
        match happened:
            case bytes():
                served.http.receive(happened, now)
            case HandshakeEnded():
                self._on_handshake(happened, served, now)
            case TlsEnded(failure):
                self._on_tls_end(failure, served, now)
            case PlaintextWaits():
                pass  # `decide` is asked again, and now knows that bytes wait

    def _request_certificate(self, served: _Served, now: float) -> None:
        if served.tls.request_client_certificate(now):
            return
        self._emit(CertificateUnavailable, now, reason=Unavailable.NO_POST_HANDSHAKE_AUTH)
        how = self._plan.setup.on_unavailable
        if how is OnUnavailable.NO_CERTIFICATE:
            self._question.answer()
        else:
            self._question.cannot()
        if how is OnUnavailable.RESET:
            self._end(Reset(), now)
        else:
            served.http.question_over(now)

    def _on_handshake(self, ended: HandshakeEnded, served: _Served, now: float) -> None:
        tls = served.tls
        if flight := tls.data_to_send():
            self._flights.append(flight)
        self._life = with_tls(self._life, tls.handshake)
        # A session that was resumed brings the certificate of then along, and nobody is asked.
        if self._question.is_asked or (self._question.is_open and ended.certificate is not None):
            self._question.answer()
        if ended.handshake is not Handshake.FIRST:
            served.http.question_over(now)
        if tls.session_id:
            self._update_sessions(ended.handshake, served, now)

    def _update_sessions(self, ended: Handshake, served: _Served, now: float) -> None:
        """Tell the session table what ServerHello said."""
        tls, choice = served.tls, served.choice
        if not tls.resumed:
            if choice.offered and ended is Handshake.FIRST:
                self._sessions.not_resumed(self._emit, choice, tls.session_id, now)
            self._sessions.issued(served.binding, tls.session_id, choice.context, now, self.number)
        elif choice.miss is not None:
            fault = Fault.EVICTED_SESSION_RESUMED
            self._emit(InternalFault, now, fault=fault, detail=choice.miss.reason, traceback="")

    def _on_tls_end(self, failure: Failure | None, served: _Served, now: float) -> None:
        if failure is None:
            self._emit(PeerClosed, now, during=self._activity, fin_stuck=False)
            self._go(LifeCause.CLOSE_NOTIFY)
            self._fin_overdue = now + self._patience.fin
            return
        refused = failure.kind is FailureKind.RENEGOTIATION_REFUSED
        is_reset = refused or failure.kind is FailureKind.MESSAGE_OVER_LIMIT  # how it ends is not documented
        if served.tls.session_id:
            reason = Reason.RENEGOTIATION_REFUSED if refused else Reason.FATAL_ALERT
            self._sessions.forget(served.binding, served.tls.session_id, reason, now)
        self._end(Reset() if is_reset else self._alert_drain(now), now)
