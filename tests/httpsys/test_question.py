"""The question for the client certificate: one a connection, and what may follow what."""

from __future__ import annotations

import pytest

from tlslab.errors import LocalMisuse
from tlslab.httpsys.client_certificate import Synchronous
from tlslab.httpsys.question import NEXT, Question, QuestionCause, QuestionState

WANT, ASK, ANSWER, CANNOT = "want", "ask", "answer", "cannot"


def moved(*moves: str) -> Question:
    """A question after these moves."""
    question = Question()
    for move in moves:
        question.ask(None, 1.0) if move == ASK else getattr(question, move)()
    return question


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ((), "OPEN"),
        ((WANT,), "WANTED"),
        ((WANT, ASK), "ASKED"),
        ((WANT, ASK, ANSWER), "ANSWERED"),
        ((WANT, ASK, CANNOT), "UNAVAILABLE"),
        ((ASK, ANSWER), "ANSWERED"),  # in the first handshake, or behind a response
        ((ANSWER,), "ANSWERED"),  # a resumed session brought its certificate
    ],
)
def test_the_ways_of_a_question(moves, state):
    """Wanted, asked, answered; or asked in vain; or answered before anybody asks."""
    question = moved(*moves)
    assert question.state is QuestionState[state]
    assert question.is_open is (state == "OPEN")
    assert question.is_asked is (state == "ASKED")
    assert question.keeps_waiting is (state in ("WANTED", "ASKED"))


@pytest.mark.parametrize(
    "moves",
    [(CANNOT,), (WANT, WANT), (WANT, ANSWER), (ASK, ASK), (ASK, WANT), (ASK, ANSWER, ASK), (ANSWER, ANSWER)],
)
def test_what_makes_no_sense_is_misuse(moves):
    """It is asked once, and answered once: anything else is a defect of ours, told at once."""
    moved(*moves[:-1])
    with pytest.raises(LocalMisuse):
        moved(*moves)


def test_nothing_follows_an_answer():
    """The answer holds for the connection, and so does that there can be none."""
    ends = {QuestionState.ANSWERED, QuestionState.UNAVAILABLE}
    assert {state for state, _ in NEXT}.isdisjoint(ends)
    assert {cause for _, cause in NEXT} == set(QuestionCause)


def test_who_asked_and_when():
    """Both are kept for as long as the answer is awaited: how much body may be read hangs on them."""
    question, retrieval = Question(), Synchronous()
    question.ask(retrieval, 12.5)
    assert (question.asked_by, question.asked_at) == (retrieval, 12.5)
