"""What a lab's logs make of single events, and their files: one a day, of what size, and what ends them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.capture import writers
from tlslab.capture.logs import EVENTS_JSON, EVENTS_TEXT, Logs
from tlslab.errors import LabError
from tlslab.events import (
    ALL,
    AlertSent,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    EvidenceEnded,
    EvidenceResumed,
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
from tlslab.pki.store import Pki
from tlslab.recorder import Recorder
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.schannel.settings import Schannel
from tlslab.types import ConnectionEnd, EvidenceEnd, EvidenceFile

EPOCH = datetime(2026, 3, 4, 23, 59, 0, tzinfo=UTC).timestamp()
DAY = 86_400.0
OPENED = ConnectionOpened(0.0, 1, "", "127.0.0.1:50001", "127.0.0.1:8443")
posix = pytest.mark.skipif(os.name == "nt", reason="/dev/full and links are POSIX")


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


def test_the_fields_are_the_published_ones(w3c_fields):
    """The reader has its list from the format's description, the writer from IIS's."""
    assert w3c_fields == FIELDS.split()


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
def test_a_bad_request_is_in_httperr_alone(walk_events, tmp_path, pieces, status, request_line, read_httperr):
    """Also one whose head was in order: nothing is logged twice."""
    events = talk(*pieces)
    assert [event.status for event in events if isinstance(event, ResponseSent)] == [int(status)]
    walk_events(events)
    [line] = read_httperr(tmp_path / "httperr1.log")
    assert line["sc-status"] == status
    assert " ".join(line[name] for name in ("cs-version", "cs-method", "cs-uri")) == request_line
    assert not list(tmp_path.glob("u_ex*"))


# --- the files -------------------------------------------------------------------------------------------------


def test_nothing_to_write(tmp_path, make):
    """The folder is made, files are not before there is something in them."""
    folder = tmp_path / "a" / "b"
    with make(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_file_a_day(walk_events, tmp_path, read_w3c):
    """UTC days of the lab's time, each file with the headings at its top."""
    walk_events([*exchange(0.0), *exchange(59.9), *exchange(60.0), *exchange(60.0 + DAY)])
    found = {path.name: read_w3c(path) for path in sorted(tmp_path.iterdir())}
    assert {name: (len(entries), headings) for name, (entries, headings) in found.items()} == {
        "u_ex260304.log": (2, 1),
        "u_ex260305.log": (1, 1),
        "u_ex260306.log": (1, 1),
    }


def test_a_second_lab_goes_on(walk_events, tmp_path, read_w3c, read_httperr):
    """What is there stays; the headings come again, as in IIS after a restart."""
    for _ in range(2):
        walk_events([*exchange(0.0), failure(), AlertSent(0.0, 1, "", "fatal", "handshake_failure", 40)])
    entries, headings = read_w3c(tmp_path / "u_ex260304.log")
    assert (len(entries), headings) == (2, 2)
    assert len(read_httperr(tmp_path / "httperr1.log")) == 2
    assert len((tmp_path / EVENTS_JSON).read_text().splitlines()) == 2


def test_httperr_goes_on_in_the_next_file(walk_events, tmp_path):
    """ErrorLogFileTruncateSize is not passed, and a later lab goes on in the last file."""
    line = b"-" * (TRUNCATE_SIZE - 600) + b"\n"
    (tmp_path / "httperr9.log").write_bytes(line)
    walk_events([failure(), failure()])
    walk_events([failure()])
    assert (tmp_path / "httperr9.log").read_bytes().startswith(line)
    files = [(tmp_path / f"httperr{number}.log").read_bytes() for number in (9, 10)]
    assert len(files[0]) <= TRUNCATE_SIZE
    assert [file.count(b" - - - 400 - BadRequest -\n") for file in files] == [2, 1]
    assert [file.count(b"#Fields: ") for file in files] == [1, 1]


def test_nobody_breaks_a_file(walk_events, tmp_path, read_w3c):
    """A User-Agent of everything that could is one field."""
    nasty = 'x\r\n#Fields: a b\r\n2026-03-04 "\t\x00\x85\u2028 \x1b[2J'
    walk_events(exchange(0.0, nasty))
    [entry], headings = read_w3c(tmp_path / "u_ex260304.log")
    assert (headings, entry["cs(User-Agent)"]) == (1, 'x++#Fields:+a+b++2026-03-04+"++++++[2J')


def test_ipv6(make, tmp_path, read_w3c, read_httperr):
    """Both ends without the brackets, as IIS writes them."""
    with make() as logs:
        for peer in ("[::1]:50001", "::1:50001"):
            for event in (ConnectionOpened(0.0, 1, "", peer, "[::1]:443"), *exchange(0.0), failure()):
                logs.note(event)
    entries, _ = read_w3c(tmp_path / "u_ex260304.log")
    assert [(entry["c-ip"], entry["s-ip"], entry["s-port"]) for entry in entries] == [("::1", "::1", "443")] * 2
    assert [line["c-port"] for line in read_httperr(tmp_path / "httperr1.log")] == ["50001", "50001"]


def test_what_comes_of_nobody(make, tmp_path, read_entries):
    """The lab's own events are entries where Windows has one; of a connection that is unknown nothing is."""
    with make() as logs:
        for number in (0, 1):
            logs.note(SstpCertificatesDiffer(1.0, number, "", 443, "server", ""))
            logs.note(HttpErrLogged(1.0, number, "", "BadRequest", None, None, None, 400))
    assert [entry["id"] for entry in read_entries(tmp_path)] == [24]
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
def test_a_full_disk(make, tmp_path, read_w3c):
    """What one log lacks is said at the end; the others lack nothing."""
    (tmp_path / "httperr1.log").symlink_to("/dev/full")
    with make() as logs:
        for event in (OPENED, failure(), *exchange(0.0)):
            logs.note(event)
    assert logs.failures == [
        f"the HTTPERR log is not whole: 1 line is missing ({tmp_path / 'httperr1.log'}: No space left on device)"
    ]
    assert len(read_w3c(tmp_path / "u_ex260304.log")[0]) == 1


@posix
def test_a_folder_that_goes(make, tmp_path, read_w3c, read_httperr, read_entries, monkeypatch):
    """Deleted, its logs wait, and say so once; made again, they go on, and what there was no room for is counted."""
    monkeypatch.setattr(writers, "FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(writers, "LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(writers, "KEPT_BYTES", 200)
    told: list[tuple[object, ...]] = []
    folder = tmp_path / "logs"
    all_of_it = [*exchange(1.0), failure(), AlertSent(0.0, 1, "", "fatal", "handshake_failure", 40)]
    with make(folder, tell=lambda *what: told.append(what)) as logs:
        for event in (OPENED, *all_of_it):
            logs.note(event)
        shutil.rmtree(folder)
        for _ in range(4):
            for event in all_of_it:
                logs.note(event)
        folder.mkdir()
        logs.look_after()
        for event in all_of_it:
            logs.note(event)
    path = folder / "u_ex260304.log"
    assert [what for what in told if what[0] == EvidenceFile.SITE_LOG] == [
        (EvidenceFile.SITE_LOG, EvidenceEnded, EvidenceEnd.NOT_THERE, f"{path}: No such file or directory"),
        (EvidenceFile.SITE_LOG, EvidenceResumed, 1),
    ]
    assert logs.failures[0] == f"the site's log is not whole: 1 line is missing ({path}: No such file or directory)"
    lines = path.read_text().splitlines()
    assert lines[-2] == f"#Remark: tlslab: 1 line is missing here: {path}: No such file or directory"
    assert [line[0] for line in lines] == [*"####", "2", "2", "2", "#", "2"]
    assert (folder / "httperr1.log").read_text().count("#Remark: tlslab: 1 line") == 1
    entries = [json.loads(line) for line in (folder / EVENTS_JSON).read_text().splitlines()]
    assert [entry["source"] for entry in entries] == ["Schannel", "tlslab", "Schannel"]
    assert entries[1]["message"].startswith("3 lines are missing here: ")


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
