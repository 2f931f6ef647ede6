"""A lab inside the program that tests a client: it runs in a thread of its own, under a clock of its own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tlslab.errors import LabError
from tlslab.events import ALL, Event
from tlslab.lab.options import Options
from tlslab.lab.running import Running
from tlslab.lab.summaries import ConnectionAccount, Summaries
from tlslab.lab.threaded import ThreadedLab
from tlslab.net.bus import Bus
from tlslab.pki.store import IdentityFiles
from tlslab.testing.expectations import Expected, complaint, described
from tlslab.words.timeline import say

PATIENCE_SECONDS = 10.0  # of the wall's: how long is waited for an event, and for the lab to start or to end
SOON_SECONDS = 2.0  # how long after its client the lab may know how a connection ended
# What makes a client trust others than the lab's authority, or takes it through a proxy.
IN_THE_WAY = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
EventKind = TypeVar("EventKind", bound=Event)


class LabTimeout(AssertionError):
    """What was waited for did not happen."""


class MonkeyPatch(Protocol):
    """pytest's, as far as it is needed."""

    def delenv(self, name: str, raising: bool = True) -> None: ...

    def setenv(self, name: str, value: str, prepend: str | None = None) -> None: ...


@dataclass(slots=True)
class LabConnection(ConnectionAccount):
    """A connection of a lab: what has come of it so far, and how to end it."""

    end_it: Callable[[int], bool] = field(default=lambda _number: False, repr=False)

    def end_now(self) -> None:
        """Do not wait for the two minutes: the timer that runs on it runs out now, as documented."""
        self.end_it(self.number)


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A client identity: its files (PEM and PKCS#12), and the pair that requests, httpx and curl take."""

    name: str
    files: IdentityFiles

    @property
    def cert(self) -> tuple[str, str]:
        """Certificate and key."""
        return str(self.files.cert_file), str(self.files.key_file)


class Lab:
    """A lab that runs. Ask it from any thread; each call of a test's may take as long as `PATIENCE_SECONDS`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._news = threading.Condition()
        self._events: list[Event] = []
        self._connections: list[LabConnection] = []
        self._lab = ThreadedLab(options, self._listen)

    # --- where it is, and who may come --------------------------------------------------------------

    @property
    def scenario(self) -> str:
        """Its name."""
        return self._running.loaded.name

    @property
    def target_url(self) -> str:
        """The URL whose request shows the symptom."""
        return self._running.target_url

    def url(self, path: str = "/", binding: str | None = None) -> str:
        """The URL of a path, on a binding or on the first. LabError: there is no such binding."""
        for one in self._running.served:
            if binding in (None, one.binding.name):
                return f"{one.url}{path}"
        known = ", ".join(one.binding.name for one in self._running.served)
        raise LabError(f"{self.scenario} has no binding {binding!r}", f"it has {known}")

    @property
    def ca_file(self) -> str:
        """What a client must trust: PEM."""
        return str(self._running.pki.ca_file)

    def identity(self, name: str = "alice") -> ClientIdentity:
        """A client identity. LabError: there is none of that name."""
        files = self._running.pki.identities
        if name not in files:
            raise LabError(f"the lab has no identity {name!r}", f"it has {', '.join(files)}")
        return ClientIdentity(name, files[name])

    def ssl_context(self, identity: str | None = None) -> ssl.SSLContext:
        """What Python's own clients take: it trusts the lab, and shows an identity or none."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if identity is not None:
            context.load_cert_chain(*self.identity(identity).cert)
        return context

    def patch_env(self, monkeypatch: MonkeyPatch) -> None:
        """Take out of the environment what makes a client trust others than the lab, or go through a proxy."""
        for name in (*IN_THE_WAY, *PROXIES, *map(str.upper, PROXIES)):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1,::1")

    # --- what happens -------------------------------------------------------------------------------

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far, in order."""
        with self._news:
            return tuple(self._events)

    @property
    def connections(self) -> tuple[LabConnection, ...]:
        """All connections so far, in the order in which they came."""
        with self._news:
            return tuple(self._connections)

    def wait_for(self, kind: type[EventKind], timeout: float = PATIENCE_SECONDS, **details: object) -> EventKind:
        """Return the first event of this type with these details (`connection=2`), and wait for it, wall seconds.

        LabTimeout, an AssertionError: it does not come; the message says what did.
        """
        found: list[EventKind] = []

        def has_come() -> bool:
            found.extend(_matching(self._events, kind, details)[:1])
            return bool(found)

        if not self._wait(has_come, timeout):
            wanted = ", ".join([kind.__name__, *(f"{name}={value!r}" for name, value in details.items())])
            raise LabTimeout(f"no {wanted} within {timeout:g} s. What happened:\n{self.ladder() or '  nothing'}")
        return found[0]

    def expect(self, *, timeout: float = SOON_SECONDS, **wanted: Any) -> None:
        """Hold it against what a test expects: `expect(deadlock=True)`, `expect(status="403.7", certificate="none")`.

        One connection must be all of it; with `deadlock=False` none may have deadlocked. See `Expected`.
        AssertionError: it is not so, and does not become so in that time; the message tells of every connection, and
        where TLS itself failed, for that is what a client's `ConnectionError` often is.
        """
        expected = Expected(**wanted)
        if not self._wait(lambda: complaint(expected, self._connections) is None, timeout):
            raise AssertionError(f"{complaint(expected, self.connections)}\n{self.ladder()}")

    def ladder(self) -> str:
        """What happened, as the lab's own timeline tells it."""
        told = ((event, say(event)) for event in self.events)
        return "\n".join(f"{event.at:9.3f}  #{event.connection:<3} {line.text}" for event, line in told if line)

    def summary(self) -> str:
        """Each connection in a line."""
        return "\n".join(described(one) for one in self.connections)

    # --- what a test changes ------------------------------------------------------------------------

    def change(self, fixes: Sequence[str] | None = None, settings: Mapping[str, object] | None = None) -> int:
        """Turn fixes and knobs while it runs; the number of the first connection that it concerns is returned.

        What is not given stays. Connections that are open go on as they began, and the session table begins anew.
        LabError: an unknown fix or knob, or one that changes where the lab listens; then nothing is changed.
        """
        return self._lab.steering.change(fixes, settings)

    # --- its life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve; return once it does."""
        self._lab.start()

    def stop(self) -> None:
        """End it, with all connections; every file is closed then."""
        self._lab.stop()

    @property
    def _running(self) -> Running:
        return self._lab.running

    def _listen(self, bus: Bus) -> None:
        """Keep every event, and an account of each connection."""
        summaries = Summaries(bus.publish, self._connection)
        bus.record(ALL, self._note)
        bus.record(summaries.kinds, summaries.note)

    def _connection(self, number: int, peer: str) -> LabConnection:
        connection = LabConnection(number, peer, end_it=self._end_connection)
        with self._news:
            self._connections.append(connection)
        return connection

    def _end_connection(self, number: int) -> bool:
        return self._lab.steering.end_connection(number)

    def _note(self, event: Event) -> None:
        with self._news:
            self._events.append(event)
            self._news.notify_all()

    def _wait(self, is_so: Callable[[], bool], timeout: float) -> bool:
        with self._news:
            return self._news.wait_for(is_so, timeout)


def _matching(events: Sequence[Event], kind: type[EventKind], details: Mapping[str, object]) -> list[EventKind]:
    return [
        event
        for event in events
        if isinstance(event, kind) and all(getattr(event, name) == value for name, value in details.items())
    ]
