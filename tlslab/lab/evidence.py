"""The files that a lab writes while it runs: one place that opens them and hangs them on it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tlslab.capture.files import STANDARD_OUTPUT, OutputFile, remark
from tlslab.core.plan import LabPlan
from tlslab.errors import LabError, UsageProblem
from tlslab.events import CertificateRequested, Event
from tlslab.lab.options import Options
from tlslab.lab.release import release
from tlslab.lab.sinks import event_lines
from tlslab.lab.summaries import Summaries
from tlslab.net.bus import Bus
from tlslab.net.clock import lab_time
from tlslab.tap import NO_TAP, Tap
from tlslab.text import escaped, plural
from tlslab.tls.context import KeyLog
from tlslab.types import EvidenceFile, HandshakeKind
from tlslab.words.values import EVIDENCE, UNITS

if TYPE_CHECKING:
    from tlslab.capture.logs import Logs

# The lab's own name comes first: a curl beside it writes its secrets to the file of the general one, too.
KEY_LOG_VARIABLES = ("TLSLAB_SSLKEYLOGFILE", "SSLKEYLOGFILE")
# Free ones (0 stands for those), that of https and those of the scenarios: Wireshark sees TLS there. Of others below
# 32,768 it gives some 500 to other protocols (4.0, tshark -G decodes): 5000, 8080, 9000 ...
PORTS_OF_NOBODY = frozenset({0, 443, 8443, 8444})
LONGEST_HEADING = 500  # characters


def key_log_file(option: str | None, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Where the key log goes (None: nowhere), and what to call it when that fails."""
    if option is not None:
        return option, "the key log"
    for name in KEY_LOG_VARIABLES:
        if environment.get(name):
            return environment[name], f"the key log of {name}"
    return None, ""


class Evidence:
    """The files of one lab: `tap` and `keylog` go to the lab, and `bus` has their readers.

    Call `begin` when the lab's time begins. Files are closed with `stack`. LabError: one of them cannot be opened, or
    they cannot be had together.
    """

    def __init__(self, options: Options, plan: LabPlan, bus: Bus, stack: contextlib.ExitStack) -> None:
        self._speed, self._ahead = options.speed, options.ahead
        self._begin: list[Callable[[float], None]] = []
        self._bus = bus
        self._stack = stack
        self._files: list[OutputFile] = []
        self.tap: Tap = NO_TAP
        self._capture_path = options.pcapng if options.pcapng != STANDARD_OUTPUT else None
        self._ports = {listener.port for listener in plan.listeners}
        self._asked_later = False
        check(options)
        self._open_events(options)
        self._key_file = self._open_key_log(options)
        self._open_capture(options, plan)
        self._logs = self._open_logs(options, plan)
        stack.callback(self._end)

    @property
    def keylog(self) -> KeyLog | None:
        """What takes the lines of the key log; None where nobody wants them."""
        if self._key_file is None and self.tap is NO_TAP:
            return None
        return self._take_secrets

    def begin(self) -> None:
        """The lab's time has begun: from now on it is known which moment of the wall's clock was its 0."""
        for begin in self._begin:
            begin(self._epoch())

    def _epoch(self) -> float:
        return time.time() - lab_time() / self._speed + self._ahead

    def look_after(self) -> None:
        """Try again what could not be written: once a second or so."""
        for file in self._files:
            file.look_after()
        if self._logs is not None:
            self._logs.look_after()

    def notes(self) -> list[str]:
        """What to say at the end: which files are not whole, and what explains the capture."""
        failures = [file.failure for file in self._files]
        notes = [failure for failure in [*failures, *(self._logs.failures if self._logs else [])] if failure]
        if self._capture_path is not None and os.path.isfile(self._capture_path):
            notes.append(f"The capture opens in Wireshark, decrypted; tlslab trace {self._capture_path} explains it.")
            notes += self._doubts()
        return notes

    def _doubts(self) -> Iterator[str]:
        """What may keep Wireshark from decrypting all of it."""
        if ports := sorted(self._ports - PORTS_OF_NOBODY):
            named = f"{plural(len(ports), 'port')} {', '.join(map(str, ports))}"
            yield (
                f"If Wireshark takes {named} for another protocol's, tell it: Decode As, TLS "
                f"(tshark -d tcp.port=={ports[0]},tls)."
            )
        if self._asked_later:
            yield (
                "Wireshark (seen in 4.0) does not decrypt what a TLS 1.3 client sends behind a certificate that it was "
                "asked for after the handshake."
            )

    def _note_request(self, event: Event) -> None:
        if isinstance(event, CertificateRequested) and event.during is HandshakeKind.POST_HANDSHAKE:
            self._asked_later = True

    def _take_secrets(self, line: bytes) -> None:
        text = line.decode()
        self.tap.secrets(text)
        if self._key_file is not None:
            self._key_file.write_line(text)

    def _open_events(self, options: Options) -> None:
        if options.events is not None:
            file = self._open(options.events, EvidenceFile.EVENTS_FILE)  # what is missing is an event, and in it, too
            self._bus.record_steps(lambda events: file.write_lines(event_lines(events)))
            summaries = Summaries(self._bus.publish)
            self._bus.record(summaries.kinds, summaries.note)

    def _open_key_log(self, options: Options) -> OutputFile | None:
        path, what = key_log_file(options.keylog, os.environ)
        if path is None:
            return None
        try:
            return self._open(path, EvidenceFile.KEY_LOG, what, append=True, private=True, remark=remark)
        except LabError as error:
            if options.keylog is None:
                error.hint += ", or unset the variable"
            raise

    def _open_capture(self, options: Options, plan: LabPlan) -> None:
        if options.pcapng is None:
            return
        from tlslab.capture.recording import Capture

        # What is in it decrypts it: it is for its owner, as a key log is.
        file = self._open(options.pcapng, EvidenceFile.CAPTURE, private=True, limit_bytes=options.pcapng_limit)
        capture = Capture(file, self._epoch(), release(), heading(plan, options), self._bus.later)
        self._bus.record(capture.kinds, capture.note)
        self._bus.record([CertificateRequested], self._note_request)
        self._begin.append(capture.begin)
        self.tap = capture

    def _open_logs(self, options: Options, plan: LabPlan) -> Logs | None:
        if options.logs is None:
            return None
        from tlslab.capture.logs import Logs

        setup = plan.setup
        logs = self._stack.enter_context(
            Logs(
                options.logs,
                self._epoch(),
                setup.schannel,
                capi2=setup.capi2_operational_log,
                error_log_form=setup.error_log_form,
                tell=self._tell,
                later=self._bus.later,
            ),
        )
        self._bus.record(logs.kinds, logs.note)
        self._begin.append(logs.begin)
        return logs

    def _open(self, path: str, kind: EvidenceFile, what: str = "", **more: Any) -> OutputFile:
        """Open a file; `what` is what to call it where that is not its usual name."""
        more |= {"unit": UNITS[kind], "tell": partial(self._tell, kind), "later": self._bus.later}
        file = self._stack.enter_context(OutputFile(path, what or EVIDENCE[kind], **more))
        self._files.append(file)
        return file

    def _end(self) -> None:
        """Let all files say their last words at the same time: several stuck readers cost no more than one."""
        for file in self._files:
            file.end()

    def _tell(self, what: EvidenceFile, kind: Callable[..., Event], *details: object) -> None:
        self._bus.publish([kind(lab_time(), 0, "", what, *details)])


def heading(plan: LabPlan, options: Options) -> str:
    """What a capture says of the lab that wrote it."""
    parts = [f"scenario {plan.scenario}"]
    parts += [f"fix {fix}" for fix in plan.fixes] or ["no fix"]
    parts += [f"--set {setting}" for setting in options.settings]
    if options.speed != 1:
        parts.append(f"times are the lab's, whose clock ran {options.speed:g} times as fast")
    return escaped("; ".join(parts))[:LONGEST_HEADING]  # a file may have any name, and tshark prints this


def check(options: Options) -> None:
    """UsageProblem: options that make no sense together, or where standard output is."""
    if options.pcapng_limit is not None and options.pcapng is None:
        raise UsageProblem("--pcapng-limit without --pcapng", "name the capture's file with --pcapng FILE")
    key_log, what = key_log_file(options.keylog, os.environ)
    if key_log == STANDARD_OUTPUT:
        raise UsageProblem(f"{what} cannot be standard output", "name a file")
    if options.pcapng == STANDARD_OUTPUT and options.streams.count(STANDARD_OUTPUT) > 1:
        other = "--events" if options.events == STANDARD_OUTPUT else "--ready-file"
        raise UsageProblem(f"{other} and --pcapng cannot both be standard output", "give one of them a file")
    _refuse_one_file_twice({"--events": options.events, "--pcapng": options.pcapng, what: key_log})
    if STANDARD_OUTPUT in options.streams and sys.stdout is None:
        raise UsageProblem("standard output is closed", "name a file instead of -")
    if options.pcapng != STANDARD_OUTPUT:
        return
    if sys.stdout.isatty():
        raise UsageProblem(
            "a capture is nothing for a terminal", "pipe it: tlslab serve ... --pcapng - | wireshark -k -i -"
        )


def _refuse_one_file_twice(files: Mapping[str, str | None]) -> None:
    owners: dict[str, str] = {}
    for what, path in files.items():
        if path is None or path == STANDARD_OUTPUT or (os.path.exists(path) and not os.path.isfile(path)):
            continue  # /dev/null and the like may be named twice
        owner = owners.setdefault(os.path.realpath(path), what)
        if owner != what:
            raise UsageProblem(f"{owner} and {what} cannot both write {path}", "give each a file of its own")
