"""The API, asked over loopback: labs that are started, changed, watched and ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tlslab.control.app import CALLS, LARGEST_BODY
from tlslab.control.labs import Labs
from tlslab.control.service import ControlService
from tlslab.events import ConnectionOpened
from tlslab.lab.options import Options
from tlslab.lab.threaded import ThreadedLab
from tlslab.net.bus import Bus

LARGE = "large-post-deadlock"


def upload(lab: dict[str, Any]) -> int:
    """POST a MiB as alice, and return the status. OSError: the lab ended the connection."""
    place, alice = urlsplit(lab["target_url"]), lab["identities"]["alice"]
    context = ssl.create_default_context(cafile=lab["ca_file"])
    context.load_cert_chain(alice["cert_file"], alice["key_file"])
    client = http.client.HTTPSConnection(str(place.hostname), place.port, context=context, timeout=60)
    try:
        client.request("POST", place.path, bytes(2**20))
        return client.getresponse().status
    finally:
        client.close()


def test_a_freeze_seen_ended_and_mended(ask, service):
    """Started, stuck, ended by hand, mended while it runs, put back, and gone with its port."""
    status, lab = ask("POST", "/labs", {"scenario": LARGE})
    assert (status, lab["id"], lab["fixes"]) == (201, LARGE, [])
    ended: list[BaseException] = []

    def freeze() -> None:
        try:
            upload(lab)
        except OSError as error:
            ended.append(error)

    thread = threading.Thread(target=freeze)
    thread.start()
    stalled = first(service, LARGE, "EntityBodyStalled")
    assert [one["stalled"] for one in ask("GET", f"/labs/{LARGE}/connections")[1]] == [True]
    assert ask("DELETE", f"/labs/{LARGE}/connections/{stalled['connection']}")[0] == 204
    thread.join(30)
    assert ended
    assert ask("PATCH", f"/labs/{LARGE}", {"fixes": ["negotiate-on-binding"]})[1] == {
        "from_connection": 2,
        "fixes": ["negotiate-on-binding"],
        "set": {},
    }
    assert upload(lab) == 200
    assert ask("GET", f"/labs/{LARGE}/connections?last=1")[1][0]["statuses"] == ["200"]
    assert ask("GET", f"/labs/{LARGE}/connections/2")[1]["certificate"].startswith("CN=alice")
    assert ask("POST", "/reset")[1] == [{"from_connection": 3, "fixes": [], "set": {}}]
    assert ask("GET", f"/labs/{LARGE}")[1]["connections"] == 2
    assert ask("DELETE", f"/labs/{LARGE}") == (204, "")
    assert ask("GET", "/labs")[1] == []
    with pytest.raises(ConnectionRefusedError):
        upload(lab)


def first(service: ControlService, lab: str, kind: str) -> dict[str, Any]:
    """The first event of a kind, by server-sent events, whenever it comes."""
    place = urlsplit(service.url)
    client = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    target = f"/labs/{lab}/events?token={service.as_json()['token']}"
    with contextlib.closing(client):
        client.request("GET", target, headers={"Accept": "text/event-stream"})
        with client.getresponse() as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            said = (line.removeprefix(b"data: ") for line in response if line.startswith(b"data: "))
            return next(event for event in map(json.loads, said) if event["event"] == kind)


def test_what_a_client_knows_the_api_tells(asking):
    """A turn is told at its end, when its answers are on their way already: whoever asks in between waits for that."""
    buses: list[Bus] = []
    lab = ThreadedLab(Options(LARGE, port=0), buses.append)
    service = ControlService(Labs(None, ()), "127.0.0.1", 0, [])
    service.adopt(lab.steering, buses[0])
    told: list[int] = []
    asks = threading.Thread(target=lambda: told.append(len(asking(service)("GET", f"/labs/{LARGE}/connections")[1])))

    def turn() -> None:
        with buses[0].turn():
            buses[0].publish([ConnectionOpened(0.0, 1, "", peer="127.0.0.1:1", local="127.0.0.1:2")])
            asks.start()
            asks.join(0.2)  # time for a wrong answer

    try:
        lab.start()
        lab.steering.call(turn)
        asks.join(30)
        lab.stop()
        assert told == [1]
        assert len(asking(service)("GET", f"/labs/{LARGE}/connections")[1]) == 1, "one that has ended waits for nothing"
    finally:
        lab.stop()
        service.stop()


def test_events_that_are_kept(ask):
    """Each has its number; what came before one that is named is left out."""
    lab = ask("POST", "/labs", {"scenario": "stale-binding", "name": "one", "speed": 24})[1]
    for _ in range(2):
        with pytest.raises(ConnectionError):
            upload(lab)
    found = [json.loads(line) for line in ask("GET", "/labs/one/events?limit=2")[1].splitlines()]
    assert [(one["seq"], one["event"]) for one in found] == [(1, "ConnectionOpened"), (2, "ClientHelloReceived")]
    assert ask("GET", f"/labs/one/events?after={'9' * 5000}")[0] == 422
    later = json.loads(ask("GET", "/labs/one/events?limit=1&after=2")[1])
    assert later["seq"] == 3
    assert ask("DELETE", "/labs/one")[0] == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/nowhere", None, 404, "there is no such path"),
        ("PUT", "/labs", None, 405, "not with this method"),
        ("GET", "/labs/x", None, 404, "there is no lab x"),
        ("DELETE", "/labs/x", None, 404, "there is no lab x"),
        ("GET", "/scenarios/x", None, 404, "there is no scenario x"),
        ("POST", "/labs", b"x", 400, "the body is no JSON"),
        ("POST", "/labs", b"[]", 422, "the body: "),
        ("POST", "/labs", bytes(LARGEST_BODY + 1), 413, "the body is larger than 65,536 bytes"),
        ("POST", "/labs", {}, 422, "scenario: field required"),
        ("POST", "/labs", {"scenario": LARGE, "fix": []}, 422, "fix: extra inputs are not permitted"),
        ("POST", "/labs", {"scenario": "large-post-deadlok"}, 404, "there is no scenario 'large-post-deadlok'"),
        ("POST", "/labs", {"scenario": LARGE, "fixes": ["pray"]}, 422, f"{LARGE} has no fix 'pray'"),
        ("POST", "/labs", {"scenario": LARGE, "set": {"timers.x": 1}}, 422, "cannot set timers.x"),
        ("POST", "/labs", {"scenario": LARGE, "speed": 0}, 422, "speed: input should be greater"),
        ("POST", "/labs", {"scenario": LARGE, "name": "../x"}, 422, "name: string should match pattern"),
    ],
)
def test_what_cannot_be_had(ask, method, path, body, status, error):
    """Said in JSON, with what to try; no lab is left behind."""
    found, said = ask(method, path, body)
    assert (found, said["error"][: len(error)]) == (status, error)
    assert set(said) == {"error", "hint"}
    assert ask("GET", "/labs")[1] == []


@pytest.mark.parametrize("call", [call for call in CALLS if call.path != "/health"], ids=lambda call: call.summary)
def test_nobody_else_gets_in(ask, call):
    """No request without the token, by another name, or from a page of somebody else's."""
    path = call.path.replace("{number:int}", "1").replace("{id}", "x").replace("{name}", "x")
    assert ask(call.method, path, headers={"Authorization": ""})[0] == 401
    assert ask(call.method, path, headers={"Authorization": "Bearer " + "x" * 43})[0] == 401
    assert ask(call.method, path, headers={"Host": "attacker.example"})[0] == 403
    assert ask(call.method, path, headers={"Origin": "http://attacker.example"})[0] == 403
    assert ask(call.method, path, headers={"Origin": "null"})[0] == 403


def test_who_gets_in(ask, service):
    """By address, as localhost or by a name of --san; from a page of its own; without a token to ask for its health."""
    for host in ("127.0.0.1:1", "[::1]:1", "localhost", "LAB.test:80"):
        assert ask("GET", "/version", headers={"Host": host})[0] == 200
    assert ask("GET", "/version", headers={"Origin": service.url})[0] == 200
    assert ask("GET", "/health", headers={"Authorization": ""}) == (200, {"status": "ok", "labs": 0})
    assert ask("GET", "/health", headers={"Host": "attacker.example"})[0] == 403


def test_what_can_be_served(ask):
    """Every scenario, and of one what can be chosen."""
    assert LARGE in [one["name"] for one in ask("GET", "/scenarios")[1]]
    said = ask("GET", f"/scenarios/{LARGE}")[1]
    assert {"name": "negotiate-on-binding", "recommended": True}.items() <= next(
        fix for fix in said["fixes"] if fix["name"] == "negotiate-on-binding"
    ).items()
    assert "timers.ssl_renegotiation" in [knob["path"] for knob in said["knobs"]]
