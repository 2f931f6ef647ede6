"""Real clients: each test here carries the marker `client`, and asks for its program with `require_client`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO, Any, TypeVar

import pytest

from tlslab import events
from tlslab.client.https import Outcome
from tlslab.events import ConnectionClosed, ConnectionOpened, Event, InternalFault
from tlslab.lab.curl import Curl, Destination, FilesIn, connections
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Step

HERE = Path(__file__).parent
PATIENCE = 60.0  # seconds until a test gives up on what takes milliseconds on a machine that is not busy
POLL = 0.02
E = TypeVar("E", bound=Event)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that `-m "not client"` needs nobody's memory."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("client")


def poll(ready: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until something holds; say what was waited for when it takes too long."""
    ends = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > ends:
            pytest.fail(what())
        time.sleep(POLL)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool], Callable[[], str]], None]:
    """Return `poll`."""
    return poll


# --- the lab ------------------------------------------------------------------------------------------------


class LabProcess:
    """`tlslab serve` in a process of its own. `ready` is what its ready file says, `key_log` has its TLS secrets."""

    def __init__(
        self, folder: Path, home: Path, arguments: Sequence[str], speed: float, stdout: IO[bytes] | None = None
    ) -> None:
        self._folder = folder
        self._seen: list[Event] = []
        self._read_to = 0
        ready_file, self._events_file = folder / "ready.json", folder / "events.jsonl"
        self.key_log = folder / "keys.txt"
        command = [sys.executable, "-m", "tlslab", "serve", *arguments, "--port", "0", "--speed", f"{speed:g}"]
        command += ["--ready-file", str(ready_file), "--events", str(self._events_file)]
        command += ["--keylog", str(self.key_log)]
        with (folder / "output.txt").open("wb") as output:
            environment = {**os.environ, "TLSLAB_HOME": str(home)}
            self.process = subprocess.Popen(command, stdout=stdout or output, stderr=output, env=environment)
        poll(lambda: ready_file.exists() or self.process.poll() is not None, self.output)
        assert ready_file.exists(), self.output()
        self.ready: dict[str, Any] = json.loads(ready_file.read_text())

    def output(self) -> str:
        """What it printed, its panel first."""

        def read() -> str:
            return (self._folder / "output.txt").read_text(errors="replace")

        poll(lambda: "What happens, by the lab's clock" in read(), read)
        return read()

    def events(self) -> list[Event]:
        """Every event so far, read back from its line of JSON."""
        with self._events_file.open("rb") as file:
            file.seek(self._read_to)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._read_to += len(complete)
        self._seen += map(_event, complete.splitlines())
        return self._seen

    def watch(self) -> Seen:
        """Begin to look: what the connections that open from now on do."""
        return Seen(self, max((event.connection for event in self.events()), default=0))

    def stop(self) -> int:
        """End it as a service manager would, and give its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()

    @property
    def port(self) -> int:
        """Where the first binding listens."""
        port: int = self.ready["bindings"][0]["port"]
        return port

    @property
    def ca_file(self) -> str:
        """What a client must trust."""
        return str(self.ready["ca_file"])

    @property
    def alice(self) -> tuple[str, str]:
        """Alice's certificate and key."""
        return self.ready["identities"]["alice"]["cert_file"], self.ready["identities"]["alice"]["key_file"]

    def curl_commands(self, steps: Sequence[Step], uploads: Path) -> list[list[str]]:
        """The command lines of curl that the lab itself would print for these steps, as words."""
        return [self.writer(uploads).command(connection) for connection in connections(steps)]

    def writer(self, uploads: Path) -> Curl:
        """What writes the lab's command lines; `uploads` is for the files in them."""
        addresses: dict[str | None, Destination] = {}
        for one in self.ready["bindings"]:
            place = f"{one['host']}:{one['port']}"
            connect_to = "" if one["hostname"] == "localhost" else place
            addresses[one["name"]] = Destination(one["url"].rstrip("/"), connect_to, tuple(one["protocols"]), place)
        addresses[None] = next(iter(addresses.values()))
        identities = {name: _files(files) for name, files in self.ready["identities"].items()}
        return Curl(Path(self.ca_file), identities, addresses, FilesIn(uploads))


def _files(files: Mapping[str, str]) -> IdentityFiles:
    cert, key, pkcs12 = (Path(files[name]) for name in ("cert_file", "key_file", "pkcs12_file"))
    return IdentityFiles(cert, key, pkcs12, files["pkcs12_password"])


def _event(line: bytes) -> Event:
    fields = json.loads(line)
    kind = getattr(events, fields.pop("event"))
    event: Event = kind(**fields)
    return event


@dataclass
class Seen:
    """The events of the connections that a lab took after `last`."""

    lab: LabProcess
    last: int

    def events(self) -> list[Event]:
        """All of them, in order."""
        return [event for event in self.lab.events() if event.connection > self.last]

    def of(self, kind: type[E]) -> list[E]:
        """Those of one type."""
        return [event for event in self.events() if isinstance(event, kind)]

    def wait_for(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until there are `count` of a type."""
        poll(
            lambda: len(self.of(kind)) >= count,
            lambda: f"no {count} {kind.__name__} in:\n" + "\n".join(map(str, self.events())),
        )
        return self.of(kind)

    def settled(self) -> list[Event]:
        """Wait until every connection is over, and give all events."""
        self.wait_for(ConnectionOpened)
        poll(lambda: len(self.of(ConnectionClosed)) == len(self.of(ConnectionOpened)), lambda: f"open: {self.events()}")
        return self.events()


Labs = Callable[..., LabProcess]


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Return a function that gives a running lab: scenario, fixes, `speed`, `settings` (path -> YAML), `more` options.

    Tests that ask for the same get the same one. At the end each must stop on SIGTERM, and none may have had a fault.
    """
    home = tmp_path_factory.mktemp("home")
    running: dict[object, LabProcess] = {}

    def start(
        scenario: str,
        *fixes: str,
        speed: float = 1.0,
        settings: Mapping[str, str] | None = None,
        more: Sequence[str] = (),
    ) -> LabProcess:
        chosen = dict(settings or {})
        key = (scenario, fixes, speed, tuple(chosen.items()), tuple(more))
        if key not in running:
            arguments = ["--scenario", scenario]
            arguments += [word for fix in fixes for word in ("--fix", fix)]
            arguments += [word for path, value in chosen.items() for word in ("--set", f"{path}={value}")]
            arguments += more
            running[key] = LabProcess(tmp_path_factory.mktemp("lab"), home, arguments, speed)
        return running[key]

    yield start
    codes = [lab.stop() for lab in running.values()]
    assert set(codes) <= {0}
    faults = [event for lab in running.values() for event in lab.events() if isinstance(event, InternalFault)]
    assert not faults


@pytest.fixture(scope="session")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Return a function that gives a lab of the test's own, to be ended in any way; `stdout` may go elsewhere."""
    home = tmp_path_factory.mktemp("home")
    running: list[LabProcess] = []

    def start(
        scenario: str, *, speed: float = 1.0, more: Sequence[str] = (), stdout: IO[bytes] | None = None
    ) -> LabProcess:
        arguments = ["--scenario", scenario, *more]
        running.append(LabProcess(tmp_path_factory.mktemp("lab"), home, arguments, speed, stdout))
        return running[-1]

    yield start
    for lab in running:
        lab.stop()


# --- curl ---------------------------------------------------------------------------------------------------

WRITE_OUT = "\\n@@ %{http_code} %{http_version}\\n"
EACH = ["-sS", "--noproxy", "*", "-w", WRITE_OUT]


@dataclass(frozen=True)
class CurlEnd:
    """How one curl ended: exit code, the answers it got, what it complained of."""

    code: int
    answers: list[Outcome]
    versions: list[str]
    complaint: str

    @property
    def outcome(self) -> Outcome:
        """How its last request ended, in the words of the scenarios."""
        if self.code == 0:
            return self.answers[-1]
        if self.code == 35 and "Connection reset" in self.complaint:  # CURLE_SSL_CONNECT_ERROR is an alert, too
            return Outcome("reset", 0.0, 0.0)
        return Outcome({55: "reset", 56: "reset", 28: "gave_up"}.get(self.code, f"curl {self.code}"), 0.0, 0.0)


@dataclass
class CurlClient:
    """The installed curl."""

    path: str
    uploads: Path
    _running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, command: Sequence[str], *more: str) -> subprocess.Popen[str]:
        """Start one command line of the lab; `more` goes to each of its requests."""
        words = ["-q", *EACH, *more]
        for word in command[1:]:
            words += ["--next", *EACH, *more] if word == "--next" else [word]
        process = subprocess.Popen([self.path, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._running.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> CurlEnd:
        """Wait until it has ended."""
        output, complaint = process.communicate(timeout=PATIENCE)
        parts = re.split(r"\n@@ (\d+) (\S+)\n", output)
        answers = [_answer(code, text) for text, code in zip(parts[::3], parts[1::3], strict=False)]
        return CurlEnd(process.returncode, answers, parts[2::3], complaint)

    def walk(self, lab: LabProcess, steps: Sequence[Step], *more: str) -> list[CurlEnd]:
        """Take the steps of a scenario, one command for each connection."""
        return [self.end(self.start(command, *more)) for command in lab.curl_commands(steps, self.uploads)]

    def at_once(self, lab: LabProcess, step: Step, count: int, *more: str) -> list[CurlEnd]:
        """Take one step `count` times at the same time."""
        (command,) = lab.curl_commands([step], self.uploads)
        return [self.end(process) for process in [self.start(command, *more) for _ in range(count)]]

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._running:
            process.kill()
            process.communicate()


def _answer(code: str, text: str) -> Outcome:
    start = text.find("{")  # HEAD has headers only
    fields: dict[str, Any] = json.loads(text[start:]) if start >= 0 else {}
    certificate = fields.get("client_certificate") or {}
    length = (fields.get("body") or {}).get("length")
    return Outcome(str(fields.get("status", code)).removesuffix(".0"), 0.0, 0.0, certificate.get("subject"), length)


@pytest.fixture
def curl(require_client: Callable[[str], str], tmp_path: Path) -> Iterator[CurlClient]:
    """The installed curl."""
    client = CurlClient(require_client("curl"), tmp_path)
    yield client
    client.close()


# --- programs that talk ---------------------------------------------------------------------------------------


class Talk:
    """A program whose standard input stays open: what a person at a terminal would do."""

    def __init__(self, words: Sequence[str], transcript: Path) -> None:
        self._transcript = transcript
        with transcript.open("wb") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        self._writers: list[Thread] = []

    def say(self, data: bytes) -> None:
        """Type this. It may take as long as the program does not read it."""
        writer = Thread(target=self._write, args=(data,))
        writer.start()
        self._writers.append(writer)

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):  # it has ended
            return

    @property
    def heard(self) -> str:
        """What it printed so far."""
        return self._transcript.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed this."""
        poll(lambda: text in self.heard, lambda: f"no {text!r} in:\n{self.heard}")

    def wait(self) -> int:
        """Wait until it has ended by itself, and give its exit code."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for writer in self._writers:
            writer.join()
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:  # what was still to be flushed
            return


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Callable[..., Talk]]:
    """Return a function that starts a program and keeps its standard input open."""
    running: list[Talk] = []

    def start(*words: str) -> Talk:
        running.append(Talk(words, tmp_path / f"transcript-{len(running)}.txt"))
        return running[-1]

    yield start
    for one in running:
        one.close()
