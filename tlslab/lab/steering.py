"""What can be asked of a lab that runs, and done to it, from any thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import trio

from tlslab.errors import LabError
from tlslab.events import Event
from tlslab.lab.options import as_yaml
from tlslab.lab.running import Running
from tlslab.lab.summaries import ConnectionAccount, Summaries
from tlslab.net.bus import Bus
from tlslab.net.server import Server
from tlslab.scenario.build import build
from tlslab.scenario.windows_names import understood

PATIENCE_SECONDS = 10.0  # of the wall's: how long the lab's thread may take to do what it is asked
EVENTS_KEPT = 10_000  # chosen: some hundred bytes each
CONNECTIONS_KEPT = 1_000  # chosen: of those that are over
Result = TypeVar("Result")


class Steering:
    """A lab's fixes and knobs, which can be changed, and its connections, which can be ended.

    `settings` are knobs by path. Call `begin` in the lab's own thread, once its loop runs.
    """

    def __init__(self, running: Running, server: Server, fixes: Sequence[str], settings: Mapping[str, Any]) -> None:
        self.running = running
        self.fixes, self.settings = tuple(fixes), dict(settings)
        self._began = self.fixes, dict(settings)
        self._server = server
        self._token: trio.lowlevel.TrioToken | None = None
        self._turn = threading.Lock()

    def begin(self) -> None:
        """The loop that runs now is the lab's."""
        self._token = trio.lowlevel.current_trio_token()

    def change(self, fixes: Sequence[str] | None = None, settings: Mapping[str, Any] | None = None) -> int:
        """Turn fixes and knobs while it runs; the number of the first connection that it concerns is returned.

        What is not given stays. Connections that are open go on as they began, and the session table begins anew.
        LabError: an unknown fix or knob, or one that changes where the lab listens; then nothing is changed.
        """
        with self._turn:
            wanted = self.fixes if fixes is None else tuple(fixes)
            return self._serve(wanted, {**self.settings, **self._understood(settings or {})})

    def reset(self) -> int:
        """Put fixes and knobs back as the lab was started; as `change`."""
        with self._turn:
            return self._serve(*self._began)

    def end_connection(self, number: int) -> bool:
        """Let the timer that runs on a connection run out now; False where there is no such connection any more."""
        return self.call(lambda: self._server.hasten(number))

    def settle(self) -> None:
        """Return when the turn that the lab is in is over: whatever a client has seen until now is told then.

        At once where the lab has ended.
        """
        with contextlib.suppress(LabError):
            self.call(lambda: None)

    def call(self, work: Callable[[], Result]) -> Result:
        """Do something in the lab's thread. LabError: the lab has ended."""
        done: Future[Result] = Future()

        def do() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        try:
            if self._token is None:
                raise trio.RunFinishedError
            self._token.run_sync_soon(do)
        except trio.RunFinishedError:
            raise LabError("the lab does not run", "start it, or another one") from None
        return done.result(PATIENCE_SECONDS)

    def _understood(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Windows' names as the lab's, as --set takes them."""
        loaded = self.running.loaded
        return understood(loaded.data, settings, loaded.ground)

    def _serve(self, fixes: tuple[str, ...], settings: dict[str, Any]) -> int:
        options, loaded = self.running.options, self.running.loaded
        plan = build(loaded, fixes, settings, self.running.pki, host=options.host, sans=options.sans, port=options.port)
        running = Running.of(loaded, plan, self.running.pki, self._server.placed(plan), options, self.running.home)
        told = tuple(f"{path}={as_yaml(value)}" for path, value in settings.items())
        first = self.call(lambda: self._server.change(running.plan_with_links, told))
        self.running, self.fixes, self.settings = running, fixes, settings
        return first


class Chronicle:
    """The latest events of a lab, numbered from 1, and an account of each of its latest connections.

    It is written in the lab's thread and read in others. `wake` is called, in the lab's thread, when there is news.
    """

    def __init__(self, bus: Bus) -> None:
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._over: deque[ConnectionAccount] = deque(maxlen=CONNECTIONS_KEPT)
        self._open: dict[int, ConnectionAccount] = {}
        self.last = 0  # the number of the latest event
        self.connections_seen = 0
        self.wake: Callable[[], None] = lambda: None
        self._summaries = Summaries(bus.publish, self._connection)
        bus.record_steps(self._note)

    def events(self, after: int, limit: int) -> tuple[int, list[Event]]:
        """The number of the first event behind `after` that is still kept, and from it on at most `limit` of them."""
        with self._lock:
            oldest = self.last - len(self._events) + 1
            first = max(after + 1, oldest)
            skipped = first - oldest
            return first, [self._events[place] for place in range(skipped, min(skipped + limit, len(self._events)))]

    def connections(self) -> list[ConnectionAccount]:
        """Those that are kept, in the order in which they came."""
        with self._lock:
            self._sort_out()
            return sorted([*self._over, *self._open.values()], key=lambda one: one.number)

    def _connection(self, number: int, peer: str) -> ConnectionAccount:
        with self._lock:
            if len(self._open) > CONNECTIONS_KEPT:
                self._sort_out()
            self.connections_seen += 1
            return self._open.setdefault(number, ConnectionAccount(number, peer))

    def _sort_out(self) -> None:
        for number in [number for number, one in self._open.items() if one.how is not None]:
            self._over.append(self._open.pop(number))

    def _note(self, events: list[Event]) -> None:
        if events:
            with self._lock:
                self._events.extend(events)
                self.last += len(events)
            for event in events:  # before anybody is told, who would look at its connection
                if type(event) in self._summaries.kinds:
                    self._summaries.note(event)
            self.wake()
