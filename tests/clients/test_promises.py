"""What the scenario files promise, kept by curl and Python's http.client: the YAML is the only place that says it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tlslab.cli.recipes import beyond_clients
from tlslab.client.https import Outcome
from tlslab.events import Event, RequestReceived, ResponseSent, TimerExpired
from tlslab.scenario.load import load
from tlslab.scenario.schema import Expectation, Step, WritingStyle
from tlslab.text import format_seconds
from tlslab.verify.judge import judge
from tlslab.verify.observation import Observation
from tlslab.verify.trials import Trial, trials

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, LabProcess, Labs

SIZES = {"100KB": 100_000, "1MiB": 1024 * 1024, "10MiB": 10 * 1024 * 1024}
PLENTY = 30.0  # wall seconds by which an outcome may be late on a busy machine
DEADLOCK = load("large-post-deadlock").scenario


@dataclass(frozen=True)
class Pace:
    """How fast a lab runs, and what its timers are set to so that nobody waits long and nothing is too short."""

    speed: float
    settings: dict[str, str]


# What freezes needs no time but the timer's; what succeeds gets all the time in the world.
FREEZE = Pace(24, {"timers.ssl_renegotiation": "30s"})
SUCCESS = Pace(2, {})
READ_ON = Pace(40, {"timers.ssl_renegotiation": "600s"})
# curl waits one real second for the 100, so here the lab's seconds must be real ones too.
REAL = Pace(1, {"timers.ssl_renegotiation": "3s"})


def pace(trial: Trial, expect: Expectation) -> Pace:
    """How fast to run a trial."""
    if any("application_delay" in path for path in trial.overrides):
        return REAL
    if "TimerExpired" in expect.events:
        return FREEZE
    return READ_ON if expect.after is not None else SUCCESS


def playable(scenario: str, style: WritingStyle) -> list[Any]:
    """The trials that a client can play; those of large-post-deadlock with the fixes' bodies in three sizes."""
    played = []
    for trial in trials(load(scenario).scenario):
        if any(step.renegotiation == "refuse" or step.gives_up_after is not None for step in trial.client):
            continue  # curl and http.client have no such switch, and giving up has tests of its own
        if any(step.relay or step.wait or not step.post_handshake_auth for step in trial.client):
            continue  # that relay is one in memory, hours are long, and curl always offers to be asked later
        if beyond_clients(trial.client) or any(step.retries or step.pace for step in trial.client):
            continue  # nor these, or not both; curl's have a test below
        if style is WritingStyle.WRITES_EVERYTHING and any(
            step.expect_100 is not None or step.reads_while_writing for step in trial.client
        ):
            continue  # http.client cannot wait, nor look while it writes
        for name, size in sizes(trial).items():
            played.append(pytest.param(resized(trial, size) if size else trial, id=f"{trial.name}-{name}".rstrip("-")))
    return played


def sizes(trial: Trial) -> dict[str, int]:
    """The bodies to upload in a trial: where the file leaves the choice, all three."""
    if trial.name != "symptom" and (not trial.name.startswith("fixes.") or ".defeated_by." in trial.name):
        return {"": 0}
    if not any(step.body for step in trial.client):
        return {"": 0}
    fix = DEADLOCK.fixes.get(trial.name.removeprefix("fixes."))
    limited = fix is not None and "body-exceeds-maximum" in fix.defeated_by  # which is a trial of its own
    return {name: size for name, size in SIZES.items() if not (limited and name == "10MiB")}


def resized(trial: Trial, size: int) -> Trial:
    """Return the same trial with bodies of this size."""
    steps = tuple(step.model_copy(update={"body": size}) if step.body else step for step in trial.client)
    return replace(trial, client=steps)


def serve(labs: Labs, scenario: str, trial: Trial, expect: Expectation) -> LabProcess:
    """Start the lab for a trial."""
    chosen = pace(trial, expect)
    overrides = {path: json.dumps(value) for path, value in trial.overrides.items()}
    return labs(scenario, *trial.fixes, speed=chosen.speed, settings=chosen.settings | overrides)


def differences(
    expect: Expectation, outcome: Outcome, events: Sequence[Event], chosen: Pace, timer_seconds: float
) -> list[str]:
    """Judge as the lab's own verifier does, but with patience: a busy machine is late, never early."""
    observation = Observation((outcome,), tuple(events))
    found = judge(expect.model_copy(update={"after": None}), observation)
    if expect.after is None:
        return found
    expired = [event.seconds for event in events if isinstance(event, TimerExpired)]
    after = expect.after - (timer_seconds - expired[0] if expired else 0)
    took = seconds(events)
    if not after - 0.01 <= took <= after + PLENTY * chosen.speed:
        found.append(f"after: expected {format_seconds(after)}, saw {format_seconds(took)}")
    return found


def seconds(events: Sequence[Event]) -> float:
    """Lab time from the last request to its answer, or to the end of its connection."""
    began = [event for event in events if isinstance(event, RequestReceived)][-1]
    same = [event for event in events if event.connection == began.connection and event.at >= began.at]
    answered = [event for event in same if isinstance(event, ResponseSent)]
    return (answered or same)[-1].at - began.at


def check(scenario: str, trial: Trial, expect: Expectation, outcome: Outcome, events: Sequence[Event]) -> None:
    """Fail with every difference between what the file promises and what was seen."""
    timer = load(scenario).scenario.timers.ssl_renegotiation
    found = differences(expect, outcome, events, pace(trial, expect), timer)
    assert not found, "\n".join([f"{scenario} {trial.name}:", *found, str(outcome), *map(str, events)])


# --- curl -----------------------------------------------------------------------------------------------------

CURL = WritingStyle.READS_WHILE_WRITING


@pytest.mark.parametrize("trial", playable("large-post-deadlock", CURL))
def test_curl_large_post_deadlock(trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """What the file says of a client that reads while it writes holds for curl."""
    play_with_curl("large-post-deadlock", trial, labs, curl)


@pytest.mark.parametrize("trial", playable("post-request-renegotiation", CURL))
def test_curl_post_request_renegotiation(trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """What the file says of requests without a body holds for curl."""
    play_with_curl("post-request-renegotiation", trial, labs, curl)


@pytest.mark.parametrize("trial", playable("stale-binding", CURL))
def test_curl_stale_binding(trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """What the file says of a binding without its certificate holds for curl, a reset in the handshake."""
    play_with_curl("stale-binding", trial, labs, curl)


@pytest.mark.parametrize("trial", playable("sni-missing", CURL))
def test_curl_sni_missing(trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """What the file says of clients with and without a server name holds for curl, which sends none to an address."""
    play_with_curl("sni-missing", trial, labs, curl)


@pytest.mark.parametrize(
    ("scenario", "trial"),
    [
        pytest.param(scenario, *one.values, id=f"{scenario}-{one.id}")
        for scenario in ("tls13-certificate-on-demand", "revocation-freshness")
        for one in playable(scenario, CURL)
    ],
)
def test_curl_gets_the_status(scenario: str, trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """What the files say of verdicts, and of a client that TLS 1.3 can ask later, holds for curl."""
    play_with_curl(scenario, trial, labs, curl)


def play_with_curl(scenario: str, trial: Trial, labs: Labs, curl: CurlClient) -> None:
    """Run the commands that the lab prints, and judge."""
    expect = trial.expect.for_style(CURL)
    lab = serve(labs, scenario, trial, expect)
    seen = lab.watch()
    ends = curl.walk(lab, trial.client)
    assert not any(end.code for end in ends[:-1]), ends
    check(scenario, trial, expect, ends[-1].outcome, seen.settled())


@pytest.mark.parametrize(
    ("settings", "arrivals", "least"),
    [({}, 2, 60), ({"bindings.site.client_cert_negotiation": "enable"}, 1, 4)],
    ids=["frozen-twice", "negotiated"],
)
def test_curl_sends_it_again_and_slowly(
    labs: Labs, curl: CurlClient, settings: dict[str, str], arrivals: int, least: float
) -> None:
    """Its options for that do what the steps say: a freeze is seen twice, and 1 MiB at 256 KiB a second takes four."""
    lab = labs("large-post-deadlock", speed=FREEZE.speed, settings=FREEZE.settings | settings)
    seen = lab.watch()
    [end] = curl.walk(lab, [Step(request="POST /upload", body=2**20, retries=1, pace=2**18)])
    events = seen.settled()
    assert end.outcome.kind == ("200" if settings else "reset")
    assert sum(isinstance(event, RequestReceived) for event in events) == arrivals
    assert events[-1].at - events[0].at >= least


# --- http.client ----------------------------------------------------------------------------------------------

PYTHON = WritingStyle.WRITES_EVERYTHING


@pytest.mark.parametrize("trial", playable("large-post-deadlock", PYTHON))
def test_http_client_large_post_deadlock(trial: Trial, labs: Labs) -> None:
    """What the file says of a client that writes everything first holds for Python's http.client."""
    play_with_http_client("large-post-deadlock", trial, labs)


@pytest.mark.parametrize("trial", playable("post-request-renegotiation", PYTHON))
def test_http_client_post_request_renegotiation(trial: Trial, labs: Labs) -> None:
    """What the file says of requests without a body holds for Python's http.client."""
    play_with_http_client("post-request-renegotiation", trial, labs)


def play_with_http_client(scenario: str, trial: Trial, labs: Labs) -> None:
    """Take the steps with http.client, and judge."""
    expect = trial.expect.for_style(PYTHON)
    lab = serve(labs, scenario, trial, expect)
    seen = lab.watch()
    outcome = HttpClient(lab).walk(trial.client)
    check(scenario, trial, expect, outcome, seen.settled())


class HttpClient:
    """Python's http.client, taking the steps of a scenario."""

    def __init__(self, lab: LabProcess) -> None:
        self._lab = lab

    def walk(self, steps: Sequence[Step]) -> Outcome:
        """Take the steps; the last one's outcome."""
        with contextlib.ExitStack() as stack:
            for step in steps:
                if not step.same_connection:
                    connection = stack.enter_context(contextlib.closing(self._connect(step)))
                outcome = self._take(connection, step)
        return outcome

    def _connect(self, step: Step) -> http.client.HTTPSConnection:
        bindings = self._lab.ready["bindings"]
        binding = next((one for one in bindings if one["name"] == step.binding), bindings[0])
        context = ssl.create_default_context(cafile=self._lab.ca_file)
        if step.identity == "alice":
            context.load_cert_chain(*self._lab.alice)
        connection = http.client.HTTPSConnection(binding["hostname"], binding["port"], context=context)
        sock = socket.create_connection((binding["host"], binding["port"]), timeout=60)
        connection.sock = context.wrap_socket(sock, server_hostname=binding["hostname"])
        return connection

    def _take(self, connection: http.client.HTTPSConnection, step: Step) -> Outcome:
        body = bytes(step.body) if step.body or step.method in ("POST", "PUT") else None
        try:
            connection.request(step.method, step.target, body, encode_chunked=step.chunked, headers=_headers(step))
            response = connection.getresponse()
            content = response.read()
        except (ConnectionError, ssl.SSLEOFError):
            return Outcome("reset", 0.0, 0.0)
        fields = json.loads(content or b"{}")
        certificate = fields.get("client_certificate") or {}
        return Outcome(_status(fields, response.status), 0.0, 0.0, certificate.get("subject"))


def _status(fields: dict[str, Any], code: int) -> str:
    return str(fields.get("status", code)).removesuffix(".0")


def _headers(step: Step) -> dict[str, str]:
    return {"Transfer-Encoding": "chunked"} if step.chunked else {}
