"""The question for the client certificate: whether a connection has been asked, and what became of it.

A connection has one question, and whoever has to know where it stands reads it here: the pipeline, which wants and asks
it; the core, which asks in the first handshake, puts the question to TLS, and says what came of it; the pages, whose
status hangs on it. It is asked once. The answer holds for the connection, "none" too. (An assumption: what Windows does
on a second request is documented nowhere.)
"""

from __future__ import annotations

from enum import auto

from tlslab.httpsys.client_certificate import Retrieval
from tlslab.tables import TableKey, after


class QuestionState(TableKey):
    """Where the question stands."""

    OPEN = auto()  # nobody has been asked
    WANTED = auto()  # a request needs the answer and has not asked yet
    ASKED = auto()  # the client has been asked, and has not answered
    ANSWERED = auto()  # a certificate came, or the word that there is none
    UNAVAILABLE = auto()  # on this connection it cannot be asked


class QuestionCause(TableKey):
    """What moves the question on."""

    WANT = auto()
    ASK = auto()
    ANSWER = auto()
    CANNOT = auto()


NEXT: dict[tuple[QuestionState, QuestionCause], QuestionState] = {
    (QuestionState.OPEN, QuestionCause.WANT): QuestionState.WANTED,
    (QuestionState.OPEN, QuestionCause.ASK): QuestionState.ASKED,  # in the first handshake, or after a response
    (QuestionState.OPEN, QuestionCause.ANSWER): QuestionState.ANSWERED,  # a resumed session brings its certificate
    (QuestionState.WANTED, QuestionCause.ASK): QuestionState.ASKED,
    (QuestionState.ASKED, QuestionCause.ANSWER): QuestionState.ANSWERED,
    (QuestionState.ASKED, QuestionCause.CANNOT): QuestionState.UNAVAILABLE,
}


class Question:
    """The question of one connection. LocalMisuse: a move that makes no sense where it stands.

    After `answer` and `cannot` of what a request asked, the pipeline has to go on: call its `question_over`.
    `is_open`: nothing has happened to it yet, so that a request may still ask. `is_asked`: the answer is awaited.
    `keeps_waiting`: a request has to wait for the answer, which is wanted or awaited.
    `asked_by` is the retrieval of the request that asked, None where none did; `asked_at` is lab time.
    """

    __slots__ = ("asked_at", "asked_by", "is_asked", "is_open", "keeps_waiting", "state")

    def __init__(self) -> None:
        self._stand(QuestionState.OPEN)
        self.asked_by: Retrieval | None = None
        self.asked_at = 0.0

    def want(self) -> None:
        """A request needs the answer before it is served."""
        self._go(QuestionCause.WANT)

    def ask(self, by: Retrieval | None, now: float) -> None:
        """The client is asked now."""
        self._go(QuestionCause.ASK)
        self.asked_by, self.asked_at = by, now

    def answer(self) -> None:
        """The certificate is known, or its absence."""
        self._go(QuestionCause.ANSWER)

    def cannot(self) -> None:
        """There is no way to ask this client."""
        self._go(QuestionCause.CANNOT)

    def _go(self, cause: QuestionCause) -> None:
        self._stand(after(NEXT, self.state, cause))

    def _stand(self, state: QuestionState) -> None:
        """Move, and say at once what is asked of it at every step."""
        self.state = state
        self.is_open = state is QuestionState.OPEN
        self.is_asked = state is QuestionState.ASKED
        self.keeps_waiting = state is QuestionState.WANTED or state is QuestionState.ASKED
