"""What a driver of a real client is: how to find it, how to have it ask, and how to read what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tlslab.matrix.asks import Wanted

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_SECONDS = 110.0  # of a run: what freezes is ended sooner, by the lab's clock
LONGEST_ERROR = 300  # characters of what a client says
STATUS = re.compile(r'"status": "([\d.]+)"')
PORT = re.compile(r"(localhost|127\.0\.0\.1|port=)[:=]?\d{4,5}")  # another one in each run
NO_SYSTEM = {"NO_PROXY": "*", "no_proxy": "*"}


@dataclass(frozen=True, slots=True)
class ClientSaid:
    """What a client says of its last request: a status with its substatus, or its own words; and its exit code."""

    status: str
    error: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process to run: its words, what it reads, and what is added to its environment."""

    words: Sequence[str]
    stdin: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RealClient:
    """A real client.

    `needs` are the programs it takes, `version` the words that print its version, `command` what asks, in a folder of
    its own. `reads` makes of its output what it says. `cannot` says of some requests why it cannot send them; "".
    `check` are words that fail where something else is missing that its program needs. `knows_localhost`: it needs no
    DNS for names under .localhost (RFC 6761, 6.3).
    """

    name: str
    needs: tuple[str, ...]
    version: tuple[str, ...]
    command: Callable[[Sequence[Wanted], str, Path], Process]
    reads: Callable[[subprocess.CompletedProcess[str]], ClientSaid]
    cannot: Callable[[Sequence[Wanted]], str] = lambda _asks: ""
    check: tuple[str, ...] = ()
    knows_localhost: bool = False

    def missing(self) -> str:
        """Why it cannot be driven here; "" where it can."""
        for program in self.needs:
            if shutil.which(program) is None:
                return f"{program} is not installed"
        if self.check and run(Process(self.check)).returncode:
            return f"{self.check[0]} lacks it"
        return ""

    def says_version(self) -> str:
        """The version of the program, in the first line that it prints with a digit in it."""
        done = run(Process(self.version))
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if re.search(r"\d", line)]
        return lines[0][:80] if lines else "?"


def run(command: Process, seconds: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a process, and end it with all that it started where it takes longer; its exit code is -9 then."""
    environment = {**os.environ, **NO_SYSTEM, **command.environment}
    with subprocess.Popen(
        command.words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        errors="replace",
        start_new_session=os.name != "nt",
    ) as process:
        try:
            out, err = process.communicate(command.stdin, seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            out, err = process.communicate()
        return subprocess.CompletedProcess(command.words, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


# --- what drivers share ---------------------------------------------------------------------------------------


def job(asks: Sequence[Wanted], ca_file: str) -> str:
    """What a program of ours reads."""
    return json.dumps({"ca": ca_file, "asks": [one.as_json() for one in asks]})


def by_lines(done: subprocess.CompletedProcess[str]) -> ClientSaid:
    """Read what a program of ours prints: a line of JSON for each answer."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return ClientSaid("", shortened(done.stderr), done.returncode)
    last = json.loads(lines[-1])
    return ClientSaid(status_of(last["text"], last["status"]), shortened(last["error"]), done.returncode)


def by_text(done: subprocess.CompletedProcess[str]) -> ClientSaid:
    """Read an answer that stands in the output as it came, and else what stands in the other output."""
    found = STATUS.findall(done.stdout)
    said = "" if found else shortened(done.stderr)
    return ClientSaid(short(found[-1]) if found else "", said, done.returncode)


def status_of(text: str, code: int) -> str:
    """The status with its substatus, which the lab's answers name in their body; "" for none."""
    found = STATUS.findall(text)
    return short(found[-1]) if found else str(code or "")


def short(status: str) -> str:
    """`403.7` stays, `404.0` is `404`."""
    return status.removesuffix(".0")


def shortened(text: str) -> str:
    """What a client says, in one line and not too long; the last of it, which is what went wrong."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return PORT.sub(r"\1:PORT", lines[-1] if lines else "")[:LONGEST_ERROR]


def no_bodies_in_chunks(asks: Sequence[Wanted]) -> str:
    """For clients that always announce a length, and wait for no 100."""
    if any(one.chunked for one in asks):
        return "it always announces a length"
    return "it does not wait for 100 Continue" if any(one.expect_100 for one in asks) else ""


def one_connection_each(asks: Sequence[Wanted]) -> str:
    """The same, for those that also keep no connection between two methods."""
    if any(one.same_connection for one in asks):
        return "it does not send these on one connection"
    return no_bodies_in_chunks(asks)


def body_file(folder: Path, size: int) -> Path:
    """A file of so many zero bytes."""
    path = folder / f"{size}.bin"
    if not path.exists():
        with path.open("wb") as file:
            file.truncate(size)
    return path


def last_of(asks: Sequence[Wanted]) -> Iterator[Wanted]:
    """The one that counts."""
    yield asks[-1]
