"""Sessions that are gone, seen by openssl s_client and gnutls-cli: before, after, and with the fix."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tlslab.events import (
    ClientHelloReceived,
    ConnectionClosed,
    ServerHelloSent,
    SessionEvicted,
    SessionNotResumed,
    SessionResumed,
)
from tlslab.scenario import catalogue

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

PATIENCE = 60.0
REQUEST = b"GET /shop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Way:
    """A way to lose a session, and what mends it. `others` are the newcomers it takes, if it is not time."""

    scenario: str
    fix: str
    reason: str
    knob: str
    speed: float = 1.0
    settings: dict[str, str] = field(default_factory=dict)
    others: int = 0

    def lab(self, labs: Labs, *fixes: str) -> LabProcess:
        """A lab that loses sessions this way, or with a fix does not."""
        return labs(self.scenario, *fixes, speed=self.speed, settings={} if fixes else self.settings)


IDLE = Way("session-idle-purge", "enable-kernel-ssl", "idle_purge", "EnableKernelSSL", speed=120)
FIFO = Way("session-fifo-eviction", "raise-maximum-cache-size", "fifo", "MaximumCacheSize", others=20)
LIFETIME = Way(
    "session-lifetime",
    "raise-server-cache-time",
    "lifetime",
    "ServerCacheTime",
    speed=60,
    settings={"schannel.server_cache_time": "90s"},
)
DISABLED = Way("session-cache-disabled", "restore-the-defaults", "disabled", "MaximumCacheSize")
NO_TIME = Way(
    "session-cache-disabled",
    "restore-the-defaults",
    "disabled",
    "ServerCacheTime",
    settings={"schannel.maximum_cache_size": "20000", "schannel.server_cache_time": "0s"},
)
EVICTIONS = pytest.mark.parametrize("way", [IDLE, FIFO, LIFETIME], ids=lambda way: way.reason)
OFF = pytest.mark.parametrize("way", [DISABLED, NO_TIME], ids=["no-room", "no-time"])


# --- what makes sessions go --------------------------------------------------------------------------------

NEWCOMER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.options |= ssl.OP_NO_TICKET
for _ in range(int(sys.argv[2])):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])))) as tls:
        tls.setblocking(False)
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # the lab need not say goodbye, too
"""


def newcomers(lab: LabProcess, count: int, processes: int = 1) -> None:
    """Other clients connect: `count` sessions more."""
    share = count // processes
    assert share * processes == count
    command = [sys.executable, "-c", NEWCOMER, str(lab.port), str(share)]
    running = [subprocess.Popen(command) for _ in range(processes)]
    assert [one.wait(PATIENCE * 2) for one in running] == [0] * processes


def evict(way: Way, sick: LabProcess, here: LabProcess) -> None:
    """Let happen what makes sessions go; on the lab `here`, and for as long as it takes on the `sick` one."""
    if way.others:
        newcomers(here, way.others)
        return
    seen = sick.watch()
    newcomers(sick, 1)
    (hello,) = seen.wait_for(ServerHelloSent)
    wait_for_eviction(sick, hello.session_id)


def wait_for_eviction(lab: LabProcess, session_id: str) -> SessionEvicted:
    """Wait until a session has left the table; such an event belongs to no connection."""
    everything = lab.watch()
    everything.last = -1
    count = 0
    while True:
        count += 1
        gone = everything.wait_for(SessionEvicted, count)[count - 1]
        if gone.session_id == session_id:
            return gone


# --- openssl s_client ----------------------------------------------------------------------------------------


@dataclass
class SClient:
    """`openssl s_client`, which keeps its session in a file; each lab has a file of its own."""

    program: str
    folder: Path

    def visit(self, lab: LabProcess) -> str:
        """Connect, with the session of the last visit if there was one: `New` or `Reused`."""
        file = self.folder / f"{lab.port}.pem"
        words = [self.program, "s_client", "-connect", f"127.0.0.1:{lab.port}", "-servername", "localhost"]
        words += ["-CAfile", lab.ca_file, "-verify_return_error", "-tls1_2", "-no_ticket", "-ign_eof"]
        words += ["-ignore_unexpected_eof"]  # http.sys closes without close_notify
        words += ["-sess_out", str(file), *(["-sess_in", str(file)] if file.exists() else [])]
        done = subprocess.run(words, input=REQUEST, capture_output=True, timeout=PATIENCE, check=True)
        output = done.stdout.decode()
        assert "HTTP/1.1 200" in output
        (how,) = re.findall(r"^(New|Reused), TLSv1.2", output, re.MULTILINE)
        assert f'"session_resumed": {str(how == "Reused").lower()}' in output
        return str(how)


@pytest.fixture
def s_client(require_client: Callable[[str], str], tmp_path: Path) -> SClient:
    """The installed openssl."""
    return SClient(require_client("openssl"), tmp_path)


@EVICTIONS
def test_s_client(labs: Labs, s_client: SClient, way: Way) -> None:
    """Reused, then New; and with the fix Reused, when the same has happened."""
    sick, mended = way.lab(labs), way.lab(labs, way.fix)
    for lab in (sick, mended):
        assert [s_client.visit(lab), s_client.visit(lab)] == ["New", "Reused"]
    for lab in (sick, mended) if way.others else (sick,):
        evict(way, sick, lab)
    seen = sick.watch()
    assert s_client.visit(sick) == "New"
    (told,) = seen.wait_for(SessionNotResumed)
    (hello,), (answer,) = seen.of(ClientHelloReceived), seen.of(ServerHelloSent)
    assert (told.reason, told.knob) == (way.reason, way.knob)
    assert (told.old_id, told.new_id) == (hello.session_id, answer.session_id)
    assert wait_for_eviction(sick, told.old_id).reason == way.reason
    seen = mended.watch()
    assert s_client.visit(mended) == "Reused"
    seen.settled()
    assert seen.of(SessionResumed)
    assert not seen.of(SessionNotResumed)


@OFF
def test_s_client_where_nothing_is_kept(labs: Labs, s_client: SClient, way: Way) -> None:
    """Never Reused; and with the default room, the second time."""
    sick, mended = way.lab(labs), way.lab(labs, way.fix)
    seen = sick.watch()
    assert [s_client.visit(sick) for _ in range(3)] == ["New", "New", "New"]
    told = seen.wait_for(SessionNotResumed, 2)
    assert [(one.reason, one.knob, one.entries) for one in told] == [(way.reason, way.knob, 0)] * 2
    assert [s_client.visit(mended), s_client.visit(mended)] == ["New", "Reused"]


# --- gnutls-cli ------------------------------------------------------------------------------------------------


class Gate:
    """A port in front of a lab that lets the first connection through, and those that follow when it is told to."""

    def __init__(self, lab: LabProcess) -> None:
        self._lab_port = lab.port
        self._open = Flag()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()

    def close(self) -> None:
        """Let nobody in any more."""
        self._open.set()
        self._listener.close()

    def _accept(self) -> None:
        is_first = True
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            if not is_first:
                self._open.wait(PATIENCE)
            is_first = False
            lab = socket.create_connection(("127.0.0.1", self._lab_port))
            for source, target in ((client, lab), (lab, client)):
                Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with source:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def gate() -> Iterator[Callable[[LabProcess], Gate]]:
    """Return a function that puts a gate in front of a lab."""
    made: list[Gate] = []

    def put(lab: LabProcess) -> Gate:
        made.append(Gate(lab))
        return made[-1]

    yield put
    for one in made:
        one.close()


Come = Callable[..., bool]


@pytest.fixture
def gnutls(require_client: Callable[[str], str], gate: Callable[[LabProcess], Gate]) -> Come:
    """Return a function that lets `gnutls-cli -r` come twice, and says whether the second time was a resumption."""
    program = require_client("gnutls-cli")
    priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_TICKETS"

    def come(lab: LabProcess, between: Callable[[], None] | None = None) -> bool:
        door = gate(lab)
        seen = lab.watch()
        words = [program, "-r", "--x509cafile", lab.ca_file, "--priority", priority, "--port", str(door.port)]
        with subprocess.Popen(
            [*words, "localhost"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                seen.wait_for(ConnectionClosed)
                if between is not None:
                    between()
                door.open()
                output = process.communicate(timeout=PATIENCE)[0]
            finally:
                process.kill()
        first, second = re.findall(r"^- Session ID: (.*)", output, re.MULTILINE)
        assert "- Resume Handshake was completed" in output
        assert ("*** This is a resumed session" in output) == (first == second)
        return bool(first == second)

    return come


@EVICTIONS
def test_gnutls_cli(labs: Labs, gnutls: Come, way: Way) -> None:
    """Resumed at once; not resumed after what makes sessions go; resumed after it with the fix."""
    sick, mended = way.lab(labs), way.lab(labs, way.fix)
    assert gnutls(sick)
    seen = sick.watch()
    assert not gnutls(sick, lambda: evict(way, sick, sick))
    assert [one.reason for one in seen.wait_for(SessionNotResumed)] == [way.reason]
    assert gnutls(mended, lambda: evict(way, sick, mended))


@OFF
def test_gnutls_cli_where_nothing_is_kept(labs: Labs, gnutls: Come, way: Way) -> None:
    """Not even at once."""
    assert not gnutls(way.lab(labs))
    assert gnutls(way.lab(labs, way.fix))


# --- as the panel says -------------------------------------------------------------------------------------------


def pasted(lab: LabProcess) -> list[str]:
    """Paste what the lab printed last, the failure or the fix at work, into bash: New and Reused, line by line."""
    panel = lab.output().rpartition("\nSee it ")[2]
    lines = re.findall(r"^  ((?:printf|sleep|for|\() ?.*)$", panel, re.MULTILINE)
    done = subprocess.run(
        ["bash"], input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stderr == ""
    return re.findall(r"^(New|Reused), TLSv1.2", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("scenario", "fix", "speed", "without", "with_it"),
    [
        (IDLE.scenario, IDLE.fix, 120.0, ["New", "New"], ["New", "Reused"]),
        (FIFO.scenario, FIFO.fix, 1.0, ["New", "Reused", "New"], ["New", "Reused", "Reused"]),
        (DISABLED.scenario, DISABLED.fix, 1.0, ["New", "New"], ["New", "Reused"]),
    ],
)
def test_the_printed_lines(
    labs: Labs,
    require_client: Callable[[str], str],
    scenario: str,
    fix: str,
    speed: float,
    without: list[str],
    with_it: list[str],
) -> None:
    """What somebody sees who copies the lines of the panel, without the fix and with it."""
    require_client("openssl")
    require_client("bash")
    assert pasted(labs(scenario, speed=speed)) == without
    assert pasted(labs(scenario, fix, speed=speed)) == with_it


# --- the default of Windows Server 2003 ------------------------------------------------------------------------------


@pytest.mark.soak
def test_ten_thousand(labs: Labs, s_client: SClient, tmp_path: Path) -> None:
    """At the profile's own default, session 1 resumes with 10,000 in the table, and not when 10,001 has come."""
    text = (catalogue.folder() / f"{FIFO.scenario}.yaml").read_text(encoding="utf-8")
    own = tmp_path / "default.yaml"
    own.write_text(re.sub(r"^schannel: \{maximum_cache_size: .*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    lab = labs(str(own))
    assert s_client.visit(lab) == "New"
    newcomers(lab, 9_999, processes=3)
    assert s_client.visit(lab) == "Reused"
    newcomers(lab, 1)
    seen = lab.watch()
    assert s_client.visit(lab) == "New"
    (told,) = seen.wait_for(SessionNotResumed)
    assert (told.reason, told.knob, told.entries) == ("fifo", "MaximumCacheSize", 10_000)
    assert (told.lsass_bytes_low, told.lsass_bytes_high) == (20_480_000, 40_960_000)
    assert wait_for_eviction(lab, told.old_id).entries == 10_000
