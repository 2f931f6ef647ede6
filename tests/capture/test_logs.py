"""The logs of a lab: strict readers of the published formats over what real runs in memory write."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.capture.logs import EVENTS_JSON, EVENTS_TEXT, Logs
from tlslab.client.identities import People
from tlslab.core.plan import LabPlan
from tlslab.pki.store import Pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.verify.memory import World

EPOCH = datetime(2026, 3, 4, 23, 59, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def walk(pki: Pki, tmp_path: Path, shipped: Callable[[str], LoadedScenario]) -> Callable[..., LabPlan]:
    """Let a client walk through a scenario, and its lab write logs; with the symptom's steps, or one request."""

    def run(name: str, *steps: Step, **overrides: Any) -> LabPlan:
        loaded = shipped(name)
        plan = build(loaded, (), {path.replace("__", "."): value for path, value in overrides.items()}, pki)
        world = World(plan, People(pki), WritingStyle.READS_WHILE_WRITING)
        with Logs(tmp_path, EPOCH, plan.setup.schannel, capi2=plan.setup.capi2_operational_log) as logs:
            for event in world.walk(steps or loaded.scenario.symptom.client or ()).events:
                if type(event) in logs.kinds:
                    logs.note(event)
            assert logs.failures == []
        return plan

    return run


def test_the_freeze_is_in_httperr_alone(walk, tmp_path, read_httperr):
    """What never got to its site is not in the site's log; a timer answers nothing, so there is no status."""
    walk("large-post-deadlock")
    assert not list(tmp_path.glob("u_ex*"))
    [line] = read_httperr(tmp_path / "httperr1.log")
    assert line["s-reason"] == "Timer_SslRenegotiation"
    assert [line[name] for name in ("cs-version", "cs-method", "cs-uri", "sc-status")] == [
        "HTTP/1.1",
        "POST",
        "/upload",
        "-",
    ]
    assert (line["date"], line["time"][:5]) == ("2026-03-05", "00:01")  # 120 seconds of the lab's time later


@pytest.mark.parametrize(
    ("scenario", "step", "status"),
    [
        ("client-certificate-verdicts", Step(request="GET /protected?a=1", identity="none"), "403 7 5"),
        ("client-certificate-verdicts", Step(request="GET /protected", identity="wrong-ca"), "403 16 2148204809"),
        ("client-certificate-verdicts", Step(request="GET /protected", identity="leaf-only"), "403 16 -"),
        ("client-certificate-verdicts", Step(request="GET /protected", identity="expired"), "403 17 -"),
        ("client-certificate-verdicts", Step(request="GET /protected"), "200 0 0"),
        ("upload-read-ahead-413", Step(request="POST /upload", body=2**20), "413 0 -"),
    ],
)
def test_what_iis_answers_is_in_the_sites_log_alone(walk, tmp_path, scenario, step, status, read_w3c):
    """Status, substatus and the Windows error behind them, which is `-` where no document shows it."""
    walk(scenario, step)
    [entry], headings = read_w3c(tmp_path / "u_ex260304.log")
    assert headings == 1
    assert [entry[name] for name in ("sc-status", "sc-substatus", "sc-win32-status")] == status.split()
    assert (entry["cs-method"], entry["cs-uri-stem"]) == (step.method, step.target.partition("?")[0])
    assert entry["cs-uri-query"] == (step.target.partition("?")[2] or "-")
    assert [entry[name] for name in ("c-ip", "s-ip", "s-port")] == ["127.0.0.1", "127.0.0.1", "8443"]
    assert not (tmp_path / "httperr1.log").exists()


def test_the_time_taken_is_the_labs(walk, tmp_path, read_w3c):
    """A lab that reads on after a minute answers after that minute."""
    walk("large-post-deadlock", **{"sites__/upload__client_cert_retrieval__read_on_after": 60.0})
    [entry], _ = read_w3c(tmp_path / "u_ex260305.log")
    assert 60_000 <= int(entry["time-taken"]) < 61_000
    assert (entry["date"], entry["time"]) == ("2026-03-05", "00:00:00")


@pytest.mark.parametrize(("mask", "levels"), [(1, []), (3, ["Warning"]), (7, ["Information", "Warning"])])
def test_warnings_are_logged_on_request(walk, tmp_path, mask, levels):
    """EventLogging 1, the default, says nothing of the list that was cut; 3 does."""
    walk("ca-list-truncation", schannel__event_logging=mask)
    path = tmp_path / EVENTS_JSON
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    assert sorted({entry["level"] for entry in entries}) == levels
    cut = [entry for entry in entries if entry["id"] == 36885]
    assert bool(cut) is (mask > 1)
    assert all(entry["data"]["names_dropped"] > 0 for entry in cut)
    assert (tmp_path / EVENTS_TEXT).exists() is path.exists()


def test_capi2(walk, tmp_path):
    """The chain of a client that nobody trusts, where the log is on."""
    step = Step(request="GET /protected", identity="wrong-ca")
    walk("client-certificate-verdicts", step)
    assert not (tmp_path / EVENTS_JSON).exists()
    walk("client-certificate-verdicts", step, capi2_operational_log=True)
    entry = json.loads((tmp_path / EVENTS_JSON).read_text())
    assert (entry["id"], entry["source"], entry["level"], entry["data"]["verdict"]) == (
        11,
        "CAPI2",
        "Error",
        "untrusted",
    )


@pytest.mark.parametrize("certificate", ["deleted", "server"])
def test_a_binding_without_its_certificate(walk, tmp_path, certificate, read_w3c, read_entries):
    """Each of its connections is an entry of HttpEvent and no line of any other log; the contrast leaves no entry."""
    get = Step(request="GET /public", identity="none")
    walk(
        "stale-binding",
        get,
        Step(**get.model_dump() | {"binding": "other"}),
        get,
        bindings__site__certificate=certificate,
    )
    found = read_entries(tmp_path)
    gone = certificate == "deleted"
    assert [entry["connection"] for entry in found] == [1, 3] * gone
    for entry in found:
        named = [entry[name] for name in ("id", "source", "channel", "level", "data")]
        assert named == [15021, "HttpEvent", "System", "Error", {"endpoint": "0.0.0.0:8443"}]
        assert entry["peer"].startswith("127.0.0.1:")
        assert "each connection" in entry["unverified"]
    answered, _ = read_w3c(tmp_path / "u_ex260304.log")
    assert [entry["s-port"] for entry in answered] == (["8444"] if gone else ["8443", "8444", "8443"])
    assert not (tmp_path / "httperr1.log").exists()


@pytest.mark.parametrize(
    ("bindings", "port", "data"),
    [
        ({"0.0.0.0": "server", "[::]": "server"}, 8443, None),
        ({"0.0.0.0": "server", "[::]": "server-rsa"}, 8443, ("server", "server-rsa")),
        ({"0.0.0.0": "server"}, 8443, ("server", "none")),
        ({"[::]": "server", "localhost": "server"}, 8443, ("none", "server")),
        ({"0.0.0.0": "server"}, 443, None),
        ({"0.0.0.0": "server"}, None, None),
    ],
)
def test_sstp_complains_once(walk, tmp_path, bindings, port, data, read_entries):
    """At the start, of the machine and not of a connection, however many come; not where SSTP has one certificate."""
    records = {
        f"b{number}": {"endpoint": f"{host}:8443", "certificate": certificate, "protocols": ["TLS1.2"]}
        for number, (host, certificate) in enumerate(bindings.items())
    }
    get = Step(request="GET /public", identity="none")
    walk("post-request-renegotiation", get, get, bindings=records, sstp_listener_port=port)
    found = read_entries(tmp_path)
    assert len(found) == (data is not None)
    for entry in found:
        assert [entry[name] for name in ("id", "source", "level", "connection", "peer")] == [
            24,
            "RasSstp",
            None,
            0,
            None,
        ]
        assert entry["data"] == {"port": 8443, "ipv4": data[0], "ipv6": data[1]}
        assert datetime.fromisoformat(entry["time"]).timestamp() == EPOCH
