"""What clients do, each kind beside one that does not: a lab and its clients joined in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tlslab.client.identities import People
from tlslab.events import (
    AlertReceived,
    CertificateRequested,
    ClientCertificateReceived,
    ClientHelloReceived,
    ConnectionOpened,
    RenegotiationRefused,
)
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Expectation, Step, WritingStyle
from tlslab.verify.judge import judge
from tlslab.verify.memory import World
from tlslab.verify.observation import Observation

EARLY, LATE = WritingStyle.READS_WHILE_WRITING, WritingStyle.WRITES_EVERYTHING
STYLES = [pytest.param(style, id=style.value) for style in WritingStyle]
PROTOCOLS = ["TLS1.0", "TLS1.2", "TLS1.3"]
FREEZES, ASKS, VERDICTS = "large-post-deadlock", "post-request-renegotiation", "client-certificate-verdicts"
Look = Callable[..., Observation]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def look(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Look:
    """Return a function that takes steps with a lab of a scenario, GET /protected unless they say otherwise."""

    def run(
        scenario: str, *steps: dict[str, Any], style: WritingStyle = EARLY, settings: dict[str, Any] | None = None
    ) -> Observation:
        plan = build(shipped(scenario), (), settings or {}, pki)
        taken = [Step.model_validate({"request": "GET /protected", **step}) for step in steps]
        return World(plan, People(pki), style).walk(taken)

    return run


def upload(**details: Any) -> dict[str, Any]:
    """A step that uploads 1 MiB."""
    return {"request": "POST /upload", "body": 2**20, **details}


def asking(protocol: str, *, first: bool) -> dict[str, Any]:
    """Ask over this protocol, in the first handshake or after the request."""
    ask = "enable" if first else "disable"
    return {"bindings.site.protocols": [protocol], "bindings.site.client_cert_negotiation": ask}


def brief(seen: Observation) -> tuple[str, float, int]:
    """How the last step ended, after how long, and how often its request arrived."""
    return seen.last.kind, round(seen.last.seconds, 1), seen.arrivals


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("first", [True, False], ids=["at-once", "later"])
@pytest.mark.parametrize("identity", ["alice", "none"])
def test_a_person_takes_time(look, protocol, first, identity):
    """Whenever it is asked, the client answers when the person is done, and the server waits for as long as it does."""
    settings = asking(protocol, first=first)
    answer = "200" if identity == "alice" else "403.7"
    for takes in (0, 30, 119):
        assert brief(look(ASKS, {"answers_after": takes, "identity": identity}, settings=settings)) == (
            answer,
            takes,
            1,
        )
    late = look(ASKS, {"answers_after": 121, "identity": identity}, settings=settings)
    assert brief(late) == ("reset", 120, 0 if first else 1)
    assert late.httperr_reasons() == ["Timer_HeaderWait" if first else "Timer_SslRenegotiation"]


@pytest.mark.parametrize("style", STYLES)
def test_a_person_is_asked_once_for_a_connection(look, style):
    """The certificate is remembered; on another connection somebody has to type again."""
    slow = {"answers_after": 30}
    assert brief(look(ASKS, slow, slow | {"same_connection": True}, style=style)) == ("200", 0, 1)
    assert brief(look(ASKS, slow, slow, style=style)) == ("200", 30, 1)


def test_a_person_who_is_asked_between_two_requests(look):
    """The server asks after its answer; the next request waits until the person is done, and is somebody's."""
    settings = {"sites./upload.client_cert_retrieval": {"kind": "after_response", "max": "4MiB"}}
    slow = upload(answers_after=30)
    seen = look(FREEZES, slow, slow | {"wait": 10, "same_connection": True}, settings=settings)
    assert [(one.kind, one.seconds, one.certificate) for one in seen.outcomes] == [
        ("200", 0, None),
        ("200", 20, "CN=alice"),
    ]


@pytest.mark.parametrize("filters", [True, False])
def test_a_client_that_waits_still_goes_by_the_list(look, filters):
    """Time and choice are two things: who filters by issuer does so when the person has answered."""
    seen = look("ca-list-truncation", {"answers_after": 30, "filters_by_issuer": filters})
    assert brief(seen) == ("403.7" if filters else "200", 30, 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("style", STYLES)
def test_leaving_and_coming_back(look, protocol, style):
    """Asked after its request, a browser sends that twice; asked at once, once. One that stays needs no second one."""
    leaves = {"leaves_at": "certificate_request"}
    for first, arrivals in ((True, 1), (False, 2)):
        seen = look(ASKS, leaves, style=style, settings=asking(protocol, first=first))
        assert brief(seen) == ("200", 0, arrivals)
        assert seen.last.certificate == "CN=alice"
        assert connections(seen) == 2
        assert len(all_of(seen, CertificateRequested)) == 2
        assert len(all_of(seen, ClientCertificateReceived)) == 1
    assert connections(look(ASKS, {}, style=style, settings=asking(protocol, first=False))) == 1


def test_a_dialog_is_up_while_there_is_no_connection(look):
    """So a person may take longer than any timer of the server's; the client's own patience goes on."""
    browser = {"leaves_at": "certificate_request", "answers_after": 300}
    assert brief(look(ASKS, browser)) == ("200", 300, 2)
    assert brief(look(ASKS, browser | {"gives_up_after": 100})) == ("gave_up", 100, 1)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_sent_again_it_freezes_again(look, retries):
    """Each try is another connection and another two minutes; one that is answered is not sent again."""
    tries = 1 + retries
    seen = look(FREEZES, upload(retries=retries))
    assert (*brief(seen), connections(seen)) == ("reset", 120 * tries, tries, tries)
    assert seen.httperr_reasons() == ["Timer_SslRenegotiation"] * tries
    answered = look(FREEZES, {"request": "GET /upload", "retries": retries})
    assert brief(answered) == ("200", 0, 1)


def test_patience_is_for_all_tries(look):
    """A client that waits for three minutes sees one freeze and half of the next."""
    assert brief(look(FREEZES, upload(retries=5, gives_up_after=180))) == ("gave_up", 180, 2)


@pytest.mark.parametrize("protocol", ["TLS1.0", "TLS1.2"])
@pytest.mark.parametrize(
    ("renegotiation", "patience", "ends", "refusals"),
    [
        ("accept", None, ("200", 0), 0),
        ("refuse", None, ("reset", 0), 1),
        ("ignore", None, ("closed", 0), 0),
        ("ignore", "10min", ("reset", 120), 0),
        ("ignore", "1min", ("gave_up", 60), 0),
    ],
)
def test_three_kinds_of_clients(look, protocol, renegotiation, patience, ends, refusals):
    """Who follows is answered, who refuses is reset, and who does neither leaves or is waited for."""
    step = {"renegotiation": renegotiation, "gives_up_after": patience}
    seen = look(ASKS, step, settings=asking(protocol, first=False))
    assert brief(seen)[:2] == ends
    assert len(all_of(seen, RenegotiationRefused)) == len(all_of(seen, AlertReceived)) == refusals
    assert [event.renegotiation for event in all_of(seen, ClientHelloReceived)] == [False, True][
        : 1 + (ends[0] == "200")
    ]


def test_ignoring_needs_a_question(look):
    """Where nobody asks it to renegotiate, such a client is like any other, with bodies and on one connection."""
    ignoring = {"renegotiation": "ignore"}
    again = ignoring | {"same_connection": True}
    seen = look(ASKS, ignoring, again, settings=asking("TLS1.2", first=True))
    assert [one.kind for one in seen.outcomes] == ["200", "200"]
    public = {"request": "POST /public", "body": 99_999, **ignoring}
    assert brief(look(ASKS, public)) == ("200", 0, 1)


def test_ignoring_in_the_middle_of_an_upload(look):
    """Who reads while it writes sees the question and leaves; who writes everything first does not get that far."""
    assert brief(look(FREEZES, upload(renegotiation="ignore"), style=EARLY)) == ("closed", 0, 1)
    assert brief(look(FREEZES, upload(renegotiation="ignore"), style=LATE)) == ("reset", 120, 1)


@pytest.mark.parametrize(
    ("identity", "sends", "status"),
    [
        ("leaf-only", None, "403.16"),
        ("leaf-only", "leaf", "403.16"),
        ("leaf-only", "chain", "200"),
        ("leaf-only", "all", "200"),
        ("full-chain", None, "200"),
        ("full-chain", "leaf", "403.16"),
        ("wrong-ca", "all", "403.16"),
        ("alice", "leaf", "200"),
    ],
)
def test_what_goes_out_of_the_chain(look, identity, sends, status):
    """The intermediate has to be sent, the root need not be."""
    assert look(VERDICTS, {"identity": identity, "sends": sends}).last.kind == status


@pytest.mark.parametrize(
    ("identity", "by_usage", "status"),
    [("wrong-eku", True, "403.7"), ("wrong-eku", False, "403.16"), ("alice", True, "200"), ("none", True, "403.7")],
)
def test_going_by_the_usage(look, identity, by_usage, status):
    """A certificate that is not for clients is not offered: no certificate, instead of a bad one."""
    assert look(VERDICTS, {"identity": identity, "filters_by_usage": by_usage}).last.kind == status


@pytest.mark.parametrize(
    ("sni", "sent", "kind"),
    [
        (None, "sts.localhost", "200"),
        ("sts.localhost", "sts.localhost", "200"),
        (False, None, "reset"),
        ("localhost", "localhost", "reset"),
    ],
)
def test_the_server_name(look, sni, sent, kind):
    """A step says which name goes out, or that none does; where there are names only, no other gets in."""
    seen = look("sni-missing", {"request": "GET /adfs", "identity": "none", "sni": sni})
    [hello] = all_of(seen, ClientHelloReceived)
    assert (hello.server_name, seen.last.kind) == (sent, kind)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(("pace", "seconds"), [(None, 0), ("1MiB", 1), ("64KiB", 16), (1000, 1048.6)])
def test_the_pace_of_an_upload(look, style, chunked, pace, seconds):
    """So many bytes of the body in a second, whatever the size of a record."""
    negotiated = {"bindings.site.client_cert_negotiation": "enable", "timers.entity_body": "1h"}
    seen = look(FREEZES, upload(pace=pace, chunked=chunked), style=style, settings=negotiated)
    assert seen.last.kind == "200"
    assert seen.last.seconds == pytest.approx(seconds, abs=0.1)
    assert seen.last.body_length == 2**20


def test_arrivals_are_those_of_the_last_step(look):
    """What was sent before does not count, and what is missing is said."""
    seen = look(ASKS, {"leaves_at": "certificate_request"}, {"request": "GET /public"})
    assert judge(Expectation(outcome="200", arrivals=1), seen) == []
    assert judge(Expectation(outcome="200", arrivals=2), seen) == ["arrivals: expected twice, saw once"]
    nobody = look("stale-binding", {"request": "GET /public"})
    assert judge(Expectation(outcome="reset", arrivals=1), nobody) == ["arrivals: expected once, saw never"]


def connections(seen: Observation) -> int:
    """How many connections there were."""
    return len(all_of(seen, ConnectionOpened))


def all_of(seen: Observation, kind: type[Any]) -> list[Any]:
    """The events of one type."""
    return [event for event in seen.events if isinstance(event, kind)]
