"""The timers of http.sys, and the line each leaves in the HTTPERR log."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tlslab.events import EntityBodyReceived, HttpErrLogged, TimerExpired
from tlslab.httpsys.client_certificate import AfterResponse, Synchronous
from tlslab.httpsys.effects import Service
from tlslab.httpsys.timers import HTTPERR_REASON, Stopwatch, Timer, Timers
from tlslab.types import Reset

TIMERS = Timers(ssl_renegotiation=10, entity_body=20, header_wait=30, idle_connection=40)
HEAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize("timer", list(Timer))
def test_two_minutes_each(timer):
    """The documented default of every timer; and each has its reason."""
    assert Stopwatch(Timers(), timer, 0.0).seconds == 120.0
    assert HTTPERR_REASON[timer].startswith("Timer_")


@pytest.mark.parametrize("value", [0, "0s", -1, "soon"])
def test_a_timer_takes_time(value):
    """A timer of no length would end every connection before it began."""
    with pytest.raises(ValidationError):
        Timers(ssl_renegotiation=value)


def test_a_stopwatch_runs_one_timer_at_a_time():
    """Starting another ends the one before."""
    watch = Stopwatch(TIMERS, Timer.HEADER_WAIT, 100.0)
    assert (watch.timer, watch.seconds, watch.ends) == (Timer.HEADER_WAIT, 30.0, 130.0)
    watch.start(Timer.ENTITY_BODY, 110.0)
    assert (watch.timer, watch.seconds, watch.ends) == (Timer.ENTITY_BODY, 20.0, 130.0)


def silent(_talk):
    """A client that connects and says nothing."""


def half_a_head(talk):
    """A client that stops in the middle of its headers."""
    talk.feed(b"GET / HTT")


def half_a_body(talk):
    """A client that stops in the middle of its body."""
    talk.feed(HEAD + bytes(99))


def no_certificate(talk):
    """A client that was asked for its certificate and does not answer."""
    talk.service = Service(Synchronous(buffer=2000, http_sys_buffer=0))
    talk.feed(HEAD.replace(b"100", b"3000") + bytes(2001))


def nothing_more(talk):
    """A client that was answered and keeps the connection."""
    talk.feed(HEAD + bytes(100))


@pytest.mark.parametrize(
    ("client", "timer", "seconds", "method"),
    [
        (silent, "header_wait", 30, None),
        (half_a_head, "header_wait", 30, None),
        (half_a_body, "entity_body", 20, "POST"),
        (no_certificate, "ssl_renegotiation", 10, "POST"),
        (nothing_more, "idle_connection", 40, None),
    ],
)
def test_each_timer_ends_the_connection_with_its_reason(converse, client, timer, seconds, method):
    """A reset when the time is up, not a moment before, and one HTTPERR line that names the request, if any."""
    talk = converse(TIMERS)
    client(talk)
    assert talk.pipeline.next_deadline == seconds
    talk.pass_time(seconds - 0.001)
    assert talk.closed is None
    talk.pass_time(0.001)
    assert talk.closed == Reset()
    assert talk.pipeline.next_deadline is None
    expired, logged = talk.only(TimerExpired), talk.only(HttpErrLogged)
    assert (expired.timer, expired.seconds) == (timer, seconds)
    assert (logged.reason, logged.method) == (HTTPERR_REASON[Timer(timer)], method)
    assert logged.target == ("/upload" if method else None)


@pytest.mark.parametrize("steps", [1, 5])
def test_activity_restarts_entity_body(converse, steps):
    """Each piece of a body gives the client the whole time anew (KB820729): slow is not dead."""
    talk = converse(TIMERS)
    talk.feed(HEAD)
    for _ in range(steps):
        talk.pass_time(19)
        talk.feed(b"x")
    assert talk.closed is None
    talk.pass_time(20)
    assert talk.only(HttpErrLogged).reason == "Timer_EntityBody"


def test_activity_does_not_restart_header_wait(converse):
    """A head that drips in is over after the time of one."""
    talk = converse(TIMERS)
    for piece in (b"G", b"E", b"T"):
        talk.feed(piece)
        talk.pass_time(10)
    assert talk.only(HttpErrLogged).reason == "Timer_HeaderWait"


def test_activity_does_not_restart_the_renegotiation_timer(converse):
    """While the certificate is awaited, body that goes on arriving buys no time."""
    talk = converse(TIMERS)
    no_certificate(talk)
    talk.pass_time(9)
    talk.feed(b"x")
    talk.pass_time(1)
    assert talk.only(HttpErrLogged).reason == "Timer_SslRenegotiation"


def test_the_next_request_does_not_restart_the_renegotiation_timer(converse):
    """Asked after the response, a client cannot buy time by a new request."""
    talk = converse(TIMERS, Service(AfterResponse()))
    nothing_more(talk)
    talk.pass_time(9)
    talk.feed(HEAD)
    assert talk.pipeline.next_deadline == 10
    talk.pass_time(1)
    assert talk.only(HttpErrLogged).reason == "Timer_SslRenegotiation"


def test_a_certificate_ends_the_renegotiation_timer(converse):
    """Once it came, the time of the body counts again."""
    talk = converse(TIMERS)
    no_certificate(talk)
    talk.pass_time(9)
    talk.settle()
    assert talk.pipeline.next_deadline == 9 + 20
    talk.pass_time(19)
    talk.feed(bytes(999))
    assert talk.only(EntityBodyReceived).length == 3000
    assert talk.closed is None


def test_the_next_request_starts_its_own_timer(converse):
    """On a kept connection the idle time ends where the next head begins."""
    talk = converse(TIMERS)
    nothing_more(talk)
    talk.pass_time(39)
    talk.feed(b"GET")
    assert talk.pipeline.next_deadline == 39 + 30


def test_the_applications_own_time_is_not_the_clients(converse):
    """No timer of http.sys runs while the application thinks; the delay ends by itself."""
    talk = converse(TIMERS, Service(Synchronous(), delay_seconds=1000))
    talk.feed(HEAD)
    assert talk.pipeline.next_deadline == 1000
    talk.pass_time(999)
    assert talk.closed is None
    talk.pass_time(1)
    assert talk.pipeline.next_deadline == 1020
    talk.feed(bytes(100))
    talk.settle()
    assert talk.statuses() == [200]
