"""`tlslab demo`: the main job, from the failure to its cure, in one go."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from tlslab import events
from tlslab.capture.files import STANDARD_OUTPUT, OutputFile
from tlslab.capture.following import Following
from tlslab.cli.console import STYLES, LabConsole, console, prose, tell
from tlslab.cli.options import between, evidence_options, profile_option
from tlslab.cli.timeline import Timeline
from tlslab.errors import LabError
from tlslab.events import Event, HttpErrLogged, ResponseSent
from tlslab.lab import evidence
from tlslab.lab.curl import Curl, Destination, FilesIn
from tlslab.lab.home import home, open_home
from tlslab.lab.options import Options
from tlslab.lab.shell import join, program
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.load import load
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.text import format_bytes, format_seconds

SCENARIO = "large-post-deadlock"
FIX = "negotiate-on-binding"
START_SECONDS = 30.0


@click.command(name="demo")
@click.option(
    "--speed",
    type=float,
    callback=between(1, 60),
    default=24.0,
    metavar="N",
    help="The lab's clock: two minutes take 5 s at 24.",
)
@profile_option
@evidence_options
def command(speed: float, **files: Any) -> None:
    """Show a documented failure and its cure: an upload that freezes, why, and the fix. Ends by itself.

    A capture has two sections, one for each of the two labs.
    """
    wanted = Options(SCENARIO, speed=speed, **files)
    evidence.check(wanted)
    out = console(stderr=wanted.pcapng == STANDARD_OUTPUT)
    tell(open_home().server.news)
    with contextlib.ExitStack() as stack:
        capture = _joined_capture(wanted, stack)
        _story(out, wanted, capture)
    if capture is not None and capture.failure:
        prose(out, capture.failure)


def _joined_capture(wanted: Options, stack: contextlib.ExitStack) -> OutputFile | None:
    """The capture that gets those of both labs, one section after the other, as pcapng allows."""
    if wanted.pcapng is None:
        return None
    return stack.enter_context(
        OutputFile(
            wanted.pcapng,
            "the capture",
            private=True,
            limit_bytes=wanted.pcapng_limit,
            last_words_seconds=START_SECONDS,
        )
    )


def _story(out: LabConsole, wanted: Options, capture: OutputFile | None) -> None:
    speed = wanted.speed
    step = (load(SCENARIO, wanted.profile).scenario.symptom.client or ())[-1]
    how = "curl" if shutil.which("curl") else "the lab's own client, because there is no curl on this machine"
    prose(out, f"A client uploads {format_bytes(step.body)} to a path that wants a client certificate, with {how}.")
    prose(out, f"The server's two minutes pass in {format_seconds(120 / speed)}: its clock is {speed:g} times as fast.")
    out.print()
    out.rule(Text(" 1. As it is: the binding does not ask for the certificate ", style=STYLES["bad"]), align="left")
    broken = _act(out, wanted, capture, step, ())
    out.rule(Text(f" 2. With the fix {FIX} ", style=f"bold {STYLES['good']}"), align="left")
    # The second lab begins after the end of the first, by the lab's time, too: else the files would go back in time.
    mended = _act(out, replace(wanted, ahead=broken.gained_seconds), capture, step, (FIX,))
    _conclude(out, broken, mended)
    if wanted.pcapng not in (None, STANDARD_OUTPUT):
        out.print(f"Both in one capture:      {join(program())} trace {wanted.pcapng}")


@dataclass
class Seen:
    """What an act came to."""

    upload: str
    events: list[Event]
    gained_seconds: float = 0.0  # by which the lab's clock was ahead of the wall's in the end

    def reasons(self) -> list[str]:
        """The reasons HTTPERR gives."""
        return [event.reason for event in self.events if isinstance(event, HttpErrLogged)]

    def statuses(self) -> list[int]:
        """The answers the server gave."""
        return [event.status for event in self.events if isinstance(event, ResponseSent)]


def _conclude(out: LabConsole, broken: Seen, mended: Seen) -> None:
    if broken.reasons() != ["Timer_SslRenegotiation"] or broken.statuses() or mended.statuses() != [200]:
        raise LabError(
            f"not as documented: first {broken.upload}, HTTPERR {broken.reasons()}; with the fix {mended.upload}",
            "run it again; if it stays so, please report it with the lines above",
        )
    out.rule()
    prose(out, "Frozen for 120 s of the server's time, HTTPERR Timer_SslRenegotiation; with the fix, 200.")
    start = join(program())
    out.print(f"Why, and the other fixes: {start} show {SCENARIO}")
    out.print(f"Do it yourself:           {start} serve --scenario {SCENARIO} --speed 24")


def _act(out: LabConsole, wanted: Options, capture: OutputFile | None, step: Step, fixes: tuple[str, ...]) -> Seen:
    shown = ["serve", "--scenario", SCENARIO, *(["--fix", fixes[0]] if fixes else []), "--speed", f"{wanted.speed:g}"]
    out.print(f"$ {join(['tlslab', *shown])}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        part = Path(folder) / "part.pcapng"
        arguments = [*shown, "--port", "0", "--events", "-", *_files(wanted, part)]
        ready, process = stack.enter_context(_lab(arguments, Path(folder) / "ready.json"))
        if capture is not None:
            stack.enter_context(Following(part, capture))
        stack.callback(process.wait)  # however this ends, what the lab wrote last is copied, too
        stack.callback(process.terminate)
        seen = Seen("", [])
        reader = threading.Thread(target=_follow, args=(process, Timeline(out, verbose=False), seen), daemon=True)
        started = time.monotonic()
        seen.upload = _upload(out, ready, step, reader.start)
        process.send_signal(signal.SIGTERM)
        reader.join(START_SECONDS)
        out.print(Text(f"{seen.upload} after {time.monotonic() - started:.1f} s on your watch\n", style="bold"))
    seen.gained_seconds = max(0.0, max((event.at for event in seen.events), default=0.0) - (time.monotonic() - began))
    return seen


def _files(wanted: Options, capture: Path) -> list[str]:
    """The options that give a lab of the demo its Windows, its files and its calendar."""
    words = ["--profile", wanted.profile] if wanted.profile is not None else []
    words += ["--pcapng", str(capture)] if wanted.pcapng is not None else []
    words += ["--keylog", wanted.keylog] if wanted.keylog is not None else []
    words += ["--logs", str(wanted.logs)] if wanted.logs is not None else []
    return [*words, "--ahead", f"{wanted.ahead:f}"]


@contextlib.contextmanager
def _lab(arguments: list[str], ready_file: Path) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    words = [sys.executable, "-m", "tlslab", *arguments, "--ready-file", str(ready_file)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise LabError(f"the lab did not start: {' '.join(process.communicate()[1].split())}")
            time.sleep(0.02)
        yield json.loads(ready_file.read_text()), process
    finally:
        process.terminate()
        process.wait()


def _follow(process: subprocess.Popen[str], timeline: Timeline, seen: Seen) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        fields = json.loads(line)
        event = getattr(events, fields.pop("event"))(**fields)
        seen.events.append(event)
        timeline.show([event])


def _upload(out: LabConsole, ready: dict[str, Any], step: Step, begin: Callable[[], None]) -> str:
    """Upload, and say in a few words how it ended; `begin` is called when the upload is about to."""
    if shutil.which("curl") is None:
        begin()
        return _upload_with_own_client(ready, step)
    command = _curl(ready).command([step])
    out.print(f"$ {join(command)}")
    begin()
    # Neither a .curlrc (-q, which must come first) nor a proxy is to have a say in what is shown.
    words = [command[0], "-q", "--noproxy", "*", *command[1:], "-sS"]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        return f"{done.stderr.strip()} (exit code {done.returncode})"
    answer = json.loads(done.stdout)
    who = (answer["client_certificate"] or {}).get("subject", "nobody")
    return f"curl got {answer['status']}: the server knows {who} and has {format_bytes(answer['body']['length'])}"


def _curl(ready: dict[str, Any]) -> Curl:
    identities = {
        name: IdentityFiles(
            Path(files["cert_file"]), Path(files["key_file"]), Path(files["pkcs12_file"]), files["pkcs12_password"]
        )
        for name, files in ready["identities"].items()
    }
    address = Destination(ready["bindings"][0]["url"].rstrip("/"))
    return Curl(Path(ready["ca_file"]), identities, {None: address}, FilesIn(home() / "uploads"))


def _upload_with_own_client(ready: dict[str, Any], step: Step) -> str:
    from tlslab.client.identities import People
    from tlslab.client.sockets import Target, walk_now

    first = ready["bindings"][0]
    targets: dict[str | None, Target] = {None: (first["host"], first["port"], first["hostname"])}
    outcome = walk_now([step], targets, People(open_home()), WritingStyle.WRITES_EVERYTHING)[0]
    return f"the lab's own client saw {outcome.kind}"
