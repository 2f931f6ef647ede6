"""The logs that a Windows server keeps, in one folder: the site's W3C log, HTTPERR, and the event logs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tlslab.capture.files import Later, OutputFile, remark
from tlslab.errors import in_words
from tlslab.events import ConnectionClosed, ConnectionOpened, Event, HttpErrLogged, RequestReceived, ResponseSent
from tlslab.httpsys import error_log
from tlslab.httpsys.settings import ErrorLogForm
from tlslab.iis import w3c_log
from tlslab.schannel.settings import Schannel
from tlslab.text import HostPort, parse_host_port
from tlslab.types import EvidenceFile
from tlslab.words import windows_events
from tlslab.words.values import EVIDENCE
from tlslab.words.windows_events import HEADING, Record, entry_for

THE_LAB = 0  # the number of the connection in events that belong to none
TellOfLog = Callable[..., None]  # which log, and then as `files.Tell`
EVENTS_JSON, EVENTS_TEXT = "windows-events.jsonl", "windows-events.txt"
KINDS = windows_events.KINDS | {ConnectionClosed, ConnectionOpened, HttpErrLogged, RequestReceived, ResponseSent}


@dataclass(slots=True)
class _Connection:
    """What is known of a connection: its ends, and the request that has no line in any log yet."""

    peer: str
    client: HostPort
    server: HostPort
    request: RequestReceived | None = None


class Logs:
    """Writes the logs of one lab; its files are there when they have something in them, and grow if they were before.

    Hand every event of `kinds` to `note`. `epoch` is the Unix time of lab time 0, `capi2` whether CAPI2's operational
    log is on, `error_log_form` how HTTPERR looks. A log that cannot be written is tried again (`files.OutputFile`), and
    `tell` hears of it.
    LabError: the folder cannot be made, or nothing can be written in it.
    """

    kinds = KINDS

    def __init__(
        self,
        folder: Path,
        epoch: float,
        schannel: Schannel,
        *,
        capi2: bool = False,
        error_log_form: ErrorLogForm = ErrorLogForm.HTTP_API_2_0,
        tell: TellOfLog = lambda _what, _kind, *_details: None,
        later: Later = lambda act: act(),
    ) -> None:
        _make(folder)
        self._epoch = epoch
        self._second = -1  # of the last answer, since 1970; its date and time and its file go with it
        self._date_and_time = self._site_name = ""
        self._schannel = schannel
        self._capi2 = capi2
        self._form = error_log_form
        self._connections: dict[int, _Connection] = {}
        self._site = _Log(folder, EvidenceFile.SITE_LOG, tell, later)
        self._httperr = _Log(folder, EvidenceFile.HTTPERR_LOG, tell, later)
        self._json = _Log(folder, EvidenceFile.EVENT_LOG_JSON, tell, later, windows_events.remark)
        self._text = _Log(folder, EvidenceFile.EVENT_LOG_TEXT, tell, later)
        self._httperr_number = _last_httperr(folder)

    def begin(self, epoch: float) -> None:
        """Lab time begins; a wall clock that was looked at earlier is a little behind."""
        self._epoch = epoch

    @property
    def failures(self) -> list[str]:
        """What is missing in which log."""
        return [log.failure for log in self._logs if log.failure]

    def look_after(self) -> None:
        """Try again what could not be written: once a second or so."""
        for log in self._logs:
            log.look_after()

    def note(self, event: Event) -> None:
        """Write down what Windows would of an event."""
        connection = self._connections.get(event.connection)
        match event:
            case RequestReceived() if connection is not None:
                connection.request = event
            case ResponseSent() if connection is not None and connection.request is not None:
                self._write_answer(connection, connection.request, event)
                connection.request = None
            case ConnectionOpened():
                ends = parse_host_port(event.peer), parse_host_port(event.local)
                self._connections[event.connection] = _Connection(event.peer, *ends)
            case ConnectionClosed():
                self._connections.pop(event.connection, None)
            case HttpErrLogged() if connection is not None:
                connection.request = None  # what http.sys answers or ends by itself is nothing for the site's log
                self._write_httperr(self._moment(event), connection, event)
            case _ if connection is not None:
                self._write_entry(event, connection.peer)
            case _ if event.connection == THE_LAB:
                self._write_entry(event, "")

    def _moment(self, event: Event) -> datetime:
        return datetime.fromtimestamp(self._epoch + event.at, UTC)

    def _write_answer(self, connection: _Connection, request: RequestReceived, response: ResponseSent) -> None:
        second = int(self._epoch + response.at)
        if second != self._second:  # the date, made once a second: it would be a fifth of what a line costs
            self._second, moment = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"
            self._date_and_time, self._site_name = moment, w3c_log.file_name(moment)
        line = w3c_log.line(self._date_and_time, connection.client[0], connection.server, request, response)
        self._site.write(self._site_name, line, lambda: w3c_log.heading(self._date_and_time))

    def _write_httperr(self, moment: datetime, connection: _Connection, event: HttpErrLogged) -> None:
        line = error_log.line(moment, connection.client, connection.server, event, self._form)
        heading = error_log.heading(moment, self._form)  # which comes with the line where the file has to be opened
        name = error_log.file_name(self._httperr_number)
        if self._httperr.size(name) + len(f"{heading}{line}".encode()) > error_log.TRUNCATE_SIZE:
            self._httperr_number += 1
            name = error_log.file_name(self._httperr_number)
        self._httperr.write(name, line, lambda: heading)

    def _write_entry(self, event: Event, peer: str) -> None:
        found = entry_for(event, self._schannel, capi2=self._capi2)
        if found is not None:
            entry, data = found
            record = Record(self._moment(event), entry, event.connection, peer, data)
            self._json.write(EVENTS_JSON, record.as_json())
            self._text.write(EVENTS_TEXT, record.as_text(), lambda: HEADING)

    @property
    def _logs(self) -> tuple[_Log, ...]:
        return self._site, self._httperr, self._json, self._text

    def __enter__(self) -> Logs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for log in self._logs:
            log.close()


class _Log:
    """One log and the file it is in now, which is opened when something is to be written."""

    def __init__(
        self,
        folder: Path,
        what: EvidenceFile,
        tell: TellOfLog,
        later: Later,
        remark: Callable[[str], str] = remark,
    ) -> None:
        self._folder = folder
        self._name = ""
        self._size = 0
        more: dict[str, Any] = {"tell": partial(tell, what), "later": later, "remark": remark}
        self._file = OutputFile(str(folder), EVIDENCE[what], follows_name=True, **more)

    @property
    def failure(self) -> str:
        """What is missing in it, or ""."""
        return self._file.failure

    def size(self, name: str) -> int:
        """How large a file of this log is, in bytes."""
        if name == self._name:
            return self._size
        try:
            return (self._folder / name).stat().st_size
        except OSError:
            return 0

    def write(self, name: str, text: str, heading: Callable[[], str] = str) -> None:
        """Write on in the file `name`, with the heading where it has to be opened for that."""
        if name != self._name:
            self._size = self.size(name)
            self._name = name
            self._file.turn_to(str(self._folder / name), lambda: heading().encode())
        self._size += len(text)
        self._file.write_lines(text)

    def look_after(self) -> None:
        """Try again what could not be written."""
        self._file.look_after()

    def close(self) -> None:
        """Close the file."""
        self._file.__exit__(None, None, None)


def _make(folder: Path) -> None:
    with in_words(f"cannot write logs in {folder}", "name a folder, there or not, that you may write to"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def _last_httperr(folder: Path) -> int:
    names = (re.fullmatch(r"httperr([1-9]\d{0,8})\.log", path.name, re.ASCII) for path in folder.iterdir())
    return max((int(name[1]) for name in names if name), default=1)
