"""The lab's own client over real sockets: what it sees there is what it sees in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
import trio

from tlslab.client.https import Outcome
from tlslab.client.identities import People
from tlslab.client.sockets import walk
from tlslab.core.machine import Machine
from tlslab.events import ALL, Event, SessionEvicted, SessionNotResumed
from tlslab.net.bus import Bus
from tlslab.net.clock import RateClock
from tlslab.net.server import bind, close_all, serve
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Step, WritingStyle

BIG = Step(request="POST /upload", body=2**20)
STYLES = [pytest.param(style, id=style.value) for style in WritingStyle]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def see(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Callable[..., Awaitable[list[Outcome]]]:
    """Return a function that serves a scenario, takes the steps, and says how each ended."""

    async def run(
        style: WritingStyle,
        steps: list[Step],
        fixes: tuple[str, ...] = (),
        scenario: str = "large-post-deadlock",
        **overrides: object,
    ) -> list[Outcome]:
        plan = build(shipped(scenario), fixes, overrides, pki, port=0)
        bound = bind(plan.listeners)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, Machine(plan, set()), bound, Bus())
                outcomes = await walk(steps, {None: (bound[0].host, bound[0].port, "localhost")}, People(pki), style)
                nursery.cancel_scope.cancel()
        finally:
            close_all(bound)
        return outcomes

    return run


@pytest.fixture
def clock() -> RateClock:
    """A clock that brings two minutes down to a second (pytest-trio takes it for the test's)."""
    return RateClock(120)


@pytest.mark.parametrize("style", STYLES)
async def test_a_large_upload_is_reset(see, clock, style) -> None:
    """The symptom, and with the fix it is gone."""
    (outcome,) = await see(style, [BIG], **{"timers.ssl_renegotiation": "30s"})
    assert outcome.kind == "reset"
    assert outcome.seconds >= 29


@pytest.mark.parametrize("style", STYLES)
async def test_with_the_fix_it_is_answered(see, style) -> None:
    """The contrast: the same upload where the binding negotiates."""
    (outcome,) = await see(style, [BIG], ("negotiate-on-binding",))
    assert (outcome.kind, outcome.certificate, outcome.body_length) == ("200", "CN=alice", 2**20)


@pytest.mark.parametrize("style", STYLES)
async def test_steps_share_a_connection(see, style) -> None:
    """A primed connection is used again, and a step that does not say so opens another."""
    get = Step(request="GET /upload")
    upload = Step(request="POST /upload", body=2**20, same_connection=True)
    outcomes = await see(style, [get, upload, Step(request="GET /upload", identity="none")])
    assert [outcome.kind for outcome in outcomes] == ["200", "200", "403.7"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("size", "status"), [(49_152, "200"), (49_153, "413"), (10 * 2**20, "413")])
async def test_an_early_answer_reaches_a_client_that_writes(see, style, size, status) -> None:
    """A 413 that comes in the middle of 10 MiB is read by who looks early and by who looks late."""
    step = Step(request="POST /upload", body=size)
    (outcome,) = await see(style, [step], scenario="upload-read-ahead-413")
    assert outcome.kind == status


SHOP = Step(request="GET /shop")


def back(**details: object) -> Step:
    """Somebody comes back with the session of before."""
    return Step.model_validate({"request": "GET /shop", "resumes": True, **details})


@pytest.fixture
def rush() -> RateClock:
    """A clock for minutes in which nothing happens.

    What must not be over when a client comes has tenths of a second left, which a busy machine may need.
    """
    return RateClock(600)


async def test_sessions_and_idle_minutes(see, rush) -> None:
    """One minute later a session is there, six minutes after that it is gone; all in lab time."""
    style, scenario = WritingStyle.READS_WHILE_WRITING, "session-idle-purge"
    steps = [SHOP, back(wait="1min"), back(wait="6min")]
    outcomes = await see(style, steps, scenario=scenario, **{"timers.header_wait": "24h"})
    assert [(one.kind, one.resumed) for one in outcomes] == [("200", False), ("200", True), ("200", False)]


@pytest.mark.parametrize("style", STYLES)
async def test_sessions_and_others(see, style) -> None:
    """Nineteen others leave a session in a table of twenty, and one more takes it away."""
    outcomes = await see(style, [SHOP, back(others=19), back(others=1)], scenario="session-fifo-eviction")
    assert [one.resumed for one in outcomes] == [False, True, False]


@pytest.mark.parametrize("style", STYLES)
async def test_a_connection_that_ended_in_the_meantime(see, rush, style) -> None:
    """Who waits for longer than the lab keeps idle connections takes another one, as a real client would."""
    steps = [SHOP, Step(request="GET /shop", same_connection=True, wait=360)]
    settings = {"timers.idle_connection": "60s", "timers.header_wait": "24h"}
    outcomes = await see(style, steps, scenario="session-idle-purge", **settings)
    assert [one.kind for one in outcomes] == ["200", "200"]


async def test_what_clients_do(see, rush) -> None:
    """Over sockets as in memory: a person takes time, a browser comes back, others ignore, retry, or send slowly."""
    style, get = WritingStyle.READS_WHILE_WRITING, {"request": "GET /upload"}
    steps = [
        (get | {"answers_after": "60s"}, "200", 60),
        (get | {"answers_after": "10min", "gives_up_after": "60s"}, "gave_up", 60),
        (get | {"leaves_at": "certificate_request", "answers_after": "60s"}, "200", 60),
        (get | {"renegotiation": "ignore"}, "closed", 0),
        ({"request": "POST /upload", "body": "40KiB", "pace": 512}, "200", 80),
        ({"request": "POST /upload", "body": "1MiB", "retries": 1}, "reset", 2 * 240),
    ]
    timers = {"timers.ssl_renegotiation": "240s", "timers.header_wait": "24h", "timers.entity_body": "24h"}
    outcomes = await see(style, [Step.model_validate(step) for step, _, _ in steps], **timers)
    assert [one.kind for one in outcomes] == [kind for _, kind, _ in steps]
    assert all(one.seconds >= least for one, (_, _, least) in zip(outcomes, steps, strict=True))


async def test_a_client_without_a_server_name(see) -> None:
    """A record for a name is found by that name alone."""
    named = Step(request="GET /adfs", identity="none", sni="sts.localhost")
    nameless = named.model_copy(update={"sni": False})
    outcomes = await see(WritingStyle.WRITES_EVERYTHING, [named, nameless], scenario="sni-missing")
    assert [one.kind for one in outcomes] == ["200", "reset"]


async def test_a_client_gives_up(see) -> None:
    """Its own patience ends the step, not the lab's timer."""
    impatient = Step(request="POST /upload", body=2**20, gives_up_after=0.2)
    (outcome,) = await see(WritingStyle.WRITES_EVERYTHING, [impatient])
    assert outcome.kind == "gave_up"


async def test_what_happens_is_told_in_the_order_of_time(pki, shipped) -> None:
    """What a connection did to the lab stands before what follows from it: the eviction before the session missed."""
    table = {"schannel.maximum_cache_size": 1}
    plan = build(shipped("session-fifo-eviction"), (), table, pki, port=0)
    told: list[Event] = []
    bus = Bus()
    bus.record(ALL, told.append)
    bound = bind(plan.listeners)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, Machine(plan, bus.wanted), bound, bus)
            targets: dict[str | None, tuple[str, int, str]] = {None: (bound[0].host, bound[0].port, "localhost")}
            await walk([SHOP, back(others=3)], targets, People(pki), WritingStyle.READS_WHILE_WRITING)
            nursery.cancel_scope.cancel()
    finally:
        close_all(bound)
    kinds = [type(event) for event in told]
    assert kinds.index(SessionEvicted) < kinds.index(SessionNotResumed)
    assert [event.at for event in told] == sorted(event.at for event in told)
