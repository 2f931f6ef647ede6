"""The logs of a lab: strict readers of the published formats over what real runs in memory write, and their files."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.capture.logs import EVENTS_JSON, EVENTS_TEXT, Logs
from tlslab.client.identities import People
from tlslab.core.plan import LabPlan
from tlslab.errors import LabError
from tlslab.events import (
    ALL,
    AlertSent,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    HttpErrLogged,
    RequestReceived,
    ResponseSent,
    SstpCertificatesDiffer,
)
from tlslab.httpsys.effects import DecideService, Service
from tlslab.httpsys.error_log import TRUNCATE_SIZE
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.question import Question
from tlslab.httpsys.timers import Timers
from tlslab.iis.w3c_log import FIELDS
from tlslab.pki.store import Pki, open_pki
from tlslab.recorder import Recorder
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.schannel.settings import Schannel
from tlslab.types import ConnectionEnd, EvidenceEnd, EvidenceFile
from tlslab.verify.memory import World

EPOCH = datetime(2026, 3, 4, 23, 59, 0, tzinfo=UTC).timestamp()
DAY = 86_400.0
OPENED = ConnectionOpened(0.0, 1, "", "127.0.0.1:50001", "127.0.0.1:8443")
posix = pytest.mark.skipif(os.name == "nt", reason="/dev/full and links are POSIX")

# --- readers that know the published formats and nothing of the writers ----------------------------------------

# W3C Extended Log File Format (www.w3.org/TR/WD-logfile): the type of each field.
DATE, TIME = r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
NUMBER, TEXT = r"0|[1-9]\d*", r"[^\s\x00-\x1f\x7f]+"
W3C = {
    "date": DATE,
    "time": TIME,
    "s-ip": "ip",
    "cs-method": TEXT,
    "cs-uri-stem": TEXT,
    "cs-uri-query": TEXT,
    "s-port": NUMBER,
    "cs-username": TEXT,
    "c-ip": "ip",
    "cs(User-Agent)": TEXT,
    "cs(Referer)": TEXT,
    "sc-status": r"[1-5]\d\d",
    "sc-substatus": NUMBER,
    "sc-win32-status": NUMBER + "|-",
    "time-taken": NUMBER,
}
HTTPERR = {
    "date": DATE,
    "time": TIME,
    "c-ip": "ip",
    "c-port": NUMBER,
    "s-ip": "ip",
    "s-port": NUMBER,
    "cs-version": r"HTTP/\d\.\d|-",
    "cs-method": TEXT,
    "cs-uri": TEXT,
    "sc-status": r"[1-9]\d\d|-",
    "s-siteid": "-",
    "s-reason": r"[A-Z][A-Za-z_/]+",
    "s-queuename": "-",
}


def columns(line: str, names: Iterable[str], types: dict[str, str]) -> dict[str, str]:
    """Take a line apart; it must have these fields, each of its type."""
    found = dict(zip(names, line.split(" "), strict=True))
    for name, value in found.items():
        if types[name] == "ip":
            ipaddress.ip_address(value)
        else:
            assert re.fullmatch(types[name], value), (name, value)
    return found


def read_w3c(path: Path) -> tuple[list[dict[str, str]], int]:
    """The entries of a site's log, and how often its headings are in it."""
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    entries, names, directives = [], [""], []
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            directive, colon, value = line[1:].partition(": ")
            assert colon
            directives.append(directive)
            names = value.split(" ") if directive == "Fields" else names
        else:
            entries.append(columns(line, names, W3C))
    headings = len(directives) // 4
    assert directives == ["Software", "Version", "Date", "Fields"] * headings
    return entries, headings


def read_httperr(path: Path) -> list[dict[str, str]]:
    """The lines of an HTTPERR file, which has nothing else."""
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    return [columns(line, HTTPERR, HTTPERR) for line in text[:-1].split("\n")]


# --- real runs -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


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


def test_the_freeze_is_in_httperr_alone(walk, tmp_path):
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
def test_what_iis_answers_is_in_the_sites_log_alone(walk, tmp_path, scenario, step, status):
    """Status, substatus and the Windows error behind them, which is `-` where no document shows it."""
    walk(scenario, step)
    [entry], headings = read_w3c(tmp_path / "u_ex260304.log")
    assert headings == 1
    assert [entry[name] for name in ("sc-status", "sc-substatus", "sc-win32-status")] == status.split()
    assert (entry["cs-method"], entry["cs-uri-stem"]) == (step.method, step.target.partition("?")[0])
    assert entry["cs-uri-query"] == (step.target.partition("?")[2] or "-")
    assert [entry[name] for name in ("c-ip", "s-ip", "s-port")] == ["127.0.0.1", "127.0.0.1", "8443"]
    assert not (tmp_path / "httperr1.log").exists()


def test_the_time_taken_is_the_labs(walk, tmp_path):
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


def entries(folder: Path) -> list[dict[str, Any]]:
    """What the event logs have; both files or none."""
    path = folder / EVENTS_JSON
    assert path.exists() is (folder / EVENTS_TEXT).exists()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("certificate", ["deleted", "server"])
def test_a_binding_without_its_certificate(walk, tmp_path, certificate):
    """Each of its connections is an entry of HttpEvent and no line of any other log; the contrast leaves no entry."""
    get = Step(request="GET /public", identity="none")
    walk(
        "stale-binding",
        get,
        Step(**get.model_dump() | {"binding": "other"}),
        get,
        bindings__site__certificate=certificate,
    )
    found = entries(tmp_path)
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
def test_sstp_complains_once(walk, tmp_path, bindings, port, data):
    """At the start, of the machine and not of a connection, however many come; not where SSTP has one certificate."""
    records = {
        f"b{number}": {"endpoint": f"{host}:8443", "certificate": certificate, "protocols": ["TLS1.2"]}
        for number, (host, certificate) in enumerate(bindings.items())
    }
    get = Step(request="GET /public", identity="none")
    walk("post-request-renegotiation", get, get, bindings=records, sstp_listener_port=port)
    found = entries(tmp_path)
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


# --- what http.sys refuses -------------------------------------------------------------------------------------


def talk(*pieces: bytes) -> list[Event]:
    """What a pipeline tells of a client that says this."""
    emit = Recorder(1, ALL)
    pipeline = Pipeline(Timers(), Question(), emit, 0.0)
    for piece in pieces:
        pipeline.receive(piece, 0.0)
        if any(isinstance(effect, DecideService) for effect in pipeline.take_effects()):
            pipeline.serve(Service(), 0.0)
    return emit.take()


@pytest.mark.parametrize(
    ("pieces", "status", "request_line"),
    [
        ((b"GET / HTTP/1.1\r\n\r\n",), "400", "- - -"),
        ((b"GET /a?b HTTP/3.0\r\nHost: x\r\n\r\n",), "505", "HTTP/3.0 GET /a?b"),
        (
            (b"PUT /u HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
            "400",
            "HTTP/1.1 PUT /u",
        ),
    ],
)
def test_a_bad_request_is_in_httperr_alone(walk_events, tmp_path, pieces, status, request_line):
    """Also one whose head was in order: nothing is logged twice."""
    events = talk(*pieces)
    assert [event.status for event in events if isinstance(event, ResponseSent)] == [int(status)]
    walk_events(events)
    [line] = read_httperr(tmp_path / "httperr1.log")
    assert line["sc-status"] == status
    assert " ".join(line[name] for name in ("cs-version", "cs-method", "cs-uri")) == request_line
    assert not list(tmp_path.glob("u_ex*"))


# --- the files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schannel(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Schannel:
    """A machine as its profile has it."""
    return build(shipped("large-post-deadlock"), (), {}, pki).setup.schannel


@pytest.fixture
def make(schannel: Schannel, tmp_path: Path) -> Callable[..., Logs]:
    """Make logs in a folder of its own."""

    def logs(folder: Path = tmp_path, **more: Any) -> Logs:
        return Logs(folder, EPOCH, schannel, **more)

    return logs


@pytest.fixture
def walk_events(make) -> Callable[[Iterable[Event]], None]:
    """Let logs note the events of a connection."""

    def note(events: Iterable[Event]) -> None:
        with make() as logs:
            for event in (OPENED, *events):
                logs.note(event)

    return note


def exchange(at: float, user_agent: str = "x") -> list[Event]:
    """A request and its answer."""
    request = RequestReceived(at, 1, "site", "GET", "/", "1.1", 0, False, user_agent, "")
    return [request, ResponseSent(at, 1, "site", 200, 0, "GET", "/", None, 0, 0.0)]


def failure(at: float = 0.0) -> HttpErrLogged:
    """Something for HTTPERR."""
    return HttpErrLogged(at, 1, "site", "BadRequest", None, None, None, 400)


def test_nothing_to_write(tmp_path, make):
    """The folder is made, files are not before there is something in them."""
    folder = tmp_path / "a" / "b"
    with make(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_file_a_day(walk_events, tmp_path):
    """UTC days of the lab's time, each file with the headings at its top."""
    walk_events([*exchange(0.0), *exchange(59.9), *exchange(60.0), *exchange(60.0 + DAY)])
    found = {path.name: read_w3c(path) for path in sorted(tmp_path.iterdir())}
    assert {name: (len(entries), headings) for name, (entries, headings) in found.items()} == {
        "u_ex260304.log": (2, 1),
        "u_ex260305.log": (1, 1),
        "u_ex260306.log": (1, 1),
    }


def test_a_second_lab_goes_on(walk_events, tmp_path):
    """What is there stays; the headings come again, as in IIS after a restart."""
    for _ in range(2):
        walk_events([*exchange(0.0), failure(), AlertSent(0.0, 1, "", "fatal", "handshake_failure", 40)])
    entries, headings = read_w3c(tmp_path / "u_ex260304.log")
    assert (len(entries), headings) == (2, 2)
    assert len(read_httperr(tmp_path / "httperr1.log")) == 2
    assert len((tmp_path / EVENTS_JSON).read_text().splitlines()) == 2


def test_httperr_goes_on_in_the_next_file(walk_events, tmp_path):
    """ErrorLogFileTruncateSize is not passed, and a later lab goes on in the last file."""
    line = b"-" * (TRUNCATE_SIZE - 80) + b"\n"
    (tmp_path / "httperr9.log").write_bytes(line)
    walk_events([failure(), failure()])
    walk_events([failure()])
    assert (tmp_path / "httperr9.log").read_bytes().startswith(line)
    sizes = [(tmp_path / f"httperr{number}.log").stat().st_size for number in (9, 10)]
    assert sizes[0] <= TRUNCATE_SIZE
    assert (sizes[0] - len(line) + sizes[1]) // 3 == len("2026-03-04 23:59:00 127.0.0.1 50001 127.0.0.1 8443") + len(
        " - - - 400 - BadRequest -\n"
    )


def test_nobody_breaks_a_file(walk_events, tmp_path):
    """A User-Agent of everything that could is one field."""
    nasty = 'x\r\n#Fields: a b\r\n2026-03-04 "\t\x00\x85\u2028 \x1b[2J'
    walk_events(exchange(0.0, nasty))
    [entry], headings = read_w3c(tmp_path / "u_ex260304.log")
    assert (headings, entry["cs(User-Agent)"]) == (1, 'x++#Fields:+a+b++2026-03-04+"++++++[2J')


def test_ipv6(make, tmp_path):
    """Both ends without the brackets, as IIS writes them."""
    with make() as logs:
        for peer in ("[::1]:50001", "::1:50001"):
            for event in (ConnectionOpened(0.0, 1, "", peer, "[::1]:443"), *exchange(0.0), failure()):
                logs.note(event)
    entries, _ = read_w3c(tmp_path / "u_ex260304.log")
    assert [(entry["c-ip"], entry["s-ip"], entry["s-port"]) for entry in entries] == [("::1", "::1", "443")] * 2
    assert [line["c-port"] for line in read_httperr(tmp_path / "httperr1.log")] == ["50001", "50001"]


def test_what_comes_of_nobody(make, tmp_path):
    """The lab's own events are entries where Windows has one; of a connection that is unknown nothing is."""
    with make() as logs:
        for number in (0, 1):
            logs.note(SstpCertificatesDiffer(1.0, number, "", 443, "server", ""))
            logs.note(HttpErrLogged(1.0, number, "", "BadRequest", None, None, None, 400))
    assert [entry["id"] for entry in entries(tmp_path)] == [24]
    assert sorted(path.name for path in tmp_path.iterdir()) == [EVENTS_JSON, EVENTS_TEXT]


def test_a_connection_is_forgotten(walk_events, tmp_path):
    """With it the request that nobody answered; its end is no line in any log."""
    request, response = exchange(0.0)
    walk_events([request, ConnectionClosed(0.0, 1, "", ConnectionEnd.RESET, 1.0), response])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["file", "file/below", "a\0b"])
def test_a_folder_that_cannot_be(make, tmp_path, folder):
    """It is said at once."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot write logs in"):
        make(tmp_path / folder)


@posix
def test_a_full_disk_ends_one_log(make, tmp_path):
    """The others go on."""
    (tmp_path / "httperr1.log").symlink_to("/dev/full")
    with make() as logs:
        for event in (OPENED, failure(), *exchange(0.0)):
            logs.note(event)
    assert logs.failures == ["the HTTPERR log ends before the lab did: No space left on device"]
    assert len(read_w3c(tmp_path / "u_ex260304.log")[0]) == 1


@posix
def test_a_folder_that_goes(make, tmp_path):
    """The log whose next file cannot be opened ends, and says so once; the lab does not."""
    told: list[tuple[str, ...]] = []
    with make(tmp_path / "logs", on_end=lambda *end: told.append(end)) as logs:
        for event in (OPENED, *exchange(0.0)):
            logs.note(event)
        shutil.rmtree(tmp_path / "logs")
        for event in (*exchange(1.0), *exchange(2.0)):
            logs.note(event)
    path = tmp_path / "logs" / "u_ex260304.log"
    assert told == [(EvidenceFile.SITE_LOG, EvidenceEnd.FAILED, f"{path}: No such file or directory")]
    assert logs.failures == [f"the site's log ends before the lab did: {path}: No such file or directory"]


@posix
def test_a_file_that_goes(make, tmp_path):
    """Somebody tidies up while the lab runs: the log goes on in a file of the same name, with its headings."""
    with make(tmp_path / "logs") as logs:
        for event in (OPENED, *exchange(0.0)):
            logs.note(event)
        [file] = (tmp_path / "logs").glob("u_ex*.log")
        first = file.read_text()
        file.unlink()
        for event in exchange(1.0):
            logs.note(event)
        assert (len(file.read_text().splitlines()), file.read_text()[:10]) == (len(first.splitlines()), first[:10])


def test_the_fields_are_the_published_ones():
    """The reader above has its list from the format's description, the writer from IIS's."""
    assert list(W3C) == FIELDS.split()
