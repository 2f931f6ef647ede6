"""A lab of one binding or more, and clients that speak to its connections in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import h11
import pytest
from OpenSSL import SSL

from tlslab.core.connection import Connection
from tlslab.core.driver import Driver
from tlslab.core.machine import Machine
from tlslab.core.plan import CutIssuers, LabPlan, Listener
from tlslab.core.settings import MachineSetup, Site
from tlslab.events import (
    ALL,
    CertificateRequested,
    CertificateRetrievalStarted,
    CertificateUnavailable,
    ClientCertificateNotSent,
    ClientCertificateReceived,
    ContinueSent,
    EntityBodyResumed,
    EntityBodyStalled,
    Event,
    HandshakeMessage,
    HelloRequestSent,
    HttpErrLogged,
    RenegotiationRefused,
    ResponseSent,
    RetrievalCancelled,
    TimerExpired,
)
from tlslab.httpsys.bindings import Binding, BindingRecord, Endpoint, ServerCertificate, Toggle
from tlslab.httpsys.client_certificate import Synchronous
from tlslab.httpsys.settings import BindingPrecedence, Continue100, OnUnavailable
from tlslab.httpsys.timers import Timers
from tlslab.iis.access import SslFlag
from tlslab.iis.pages import Landing
from tlslab.schannel.settings import Schannel
from tlslab.tap import NO_TAP, Tap
from tlslab.text import HostPort
from tlslab.tls.client import ClientTls
from tlslab.tls.context import client_context

PIECE = 16 * 1024
PEER: HostPort = ("127.0.0.1", 50001)
LOCAL: HostPort = ("127.0.0.1", 8443)
SCHANNEL = {
    "send_trusted_issuer_list": True,
    "trusted_issuer_list_limit": 16384,
    "maximum_cache_size": 20_000,
    "server_cache_time": 36_000,
    "event_logging": 1,
}
REQUIRE = (SslFlag.SSL, SslFlag.SSL_NEGOTIATE_CERT, SslFlag.SSL_REQUIRE_CERT)
ACCEPT = (SslFlag.SSL, SslFlag.SSL_NEGOTIATE_CERT)

# The words of a conversation, by what happened.
MILESTONES: dict[type[Event], Callable[[Any], str]] = {
    CertificateRetrievalStarted: lambda _: "asks",
    HelloRequestSent: lambda _: "HelloRequest",
    CertificateRequested: lambda _: "CertificateRequest",
    ClientCertificateReceived: lambda event: event.subject,
    ClientCertificateNotSent: lambda _: "no certificate",
    EntityBodyStalled: lambda event: f"stalled after {event.body_buffered}",
    EntityBodyResumed: lambda event: f"resumed after {event.after_seconds:g} s",
    RetrievalCancelled: lambda _: "gives up",
    CertificateUnavailable: lambda _: "unavailable",
    RenegotiationRefused: lambda _: "refused",
    TimerExpired: lambda event: event.timer,
    HttpErrLogged: lambda event: event.reason,
    ContinueSent: lambda _: "100",
    ResponseSent: lambda event: _status(event) + (f" for {event.certificate}" if event.certificate else ""),
}


def site(path: str, flags: tuple[SslFlag, ...], **changes: Any) -> Site:
    """A path that asks synchronously and reads 40 KiB first, unless told otherwise."""
    usual: dict[str, Any] = {"client_cert_retrieval": Synchronous(), "continue_100": Continue100.AFTER_CERTIFICATE}
    return Site(path=path, ssl_flags=flags, **usual | changes)


Bindings = dict[str, tuple[str, bool]]  # endpoints by name, with whether they ask in the first handshake


def listener(bindings: Bindings, certificates: dict[str, ServerCertificate]) -> Listener:
    """One listener with these bindings."""
    records = (
        Binding(
            name,
            BindingRecord(
                endpoint=Endpoint.parse(endpoint),
                certificate=certificates.get(name, ServerCertificate.SERVER),
                client_cert_negotiation=Toggle.ENABLE if asks else Toggle.DISABLE,
            ),
        )
        for name, (endpoint, asks) in bindings.items()
    )
    return Listener("127.0.0.1", 8443, tuple(records))


def setup_of_machine(
    timers: Timers | None = None, schannel: dict[str, Any] | None = None, **changes: Any
) -> MachineSetup:
    """What belongs to the machine as a whole, as it usually is but for what is given."""
    usual: dict[str, Any] = {
        "capi2_operational_log": False,
        "enable_kernel_ssl": True,
        "sstp_listener_port": None,
        "on_unavailable": OnUnavailable.RESET,
        "binding_precedence": BindingPrecedence.EXACT_ADDRESS_FIRST,
    }
    return MachineSetup(timers=timers or Timers(), schannel=Schannel(**SCHANNEL | (schannel or {})), **usual | changes)


OF_MACHINE = MachineSetup.model_fields.keys()


@pytest.fixture
def make_lab(server_settings) -> Callable[..., Machine]:
    """Make a lab: `/upload` requires a certificate, `/accept` takes one, `/open` needs none.

    `bindings` gives endpoints by name, with whether they ask in the first handshake, and `certificates` what is not the
    usual one; of `changes` those in OF_MACHINE are for the machine, the others for `/upload`.
    """

    def make(
        *protocols: Any,
        bindings: Bindings | None = None,
        certificates: dict[str, ServerCertificate] | None = None,
        asks: bool = False,
        wanted: frozenset[type[Event]] = ALL,
        cut_issuers: dict[str, CutIssuers] | None = None,
        **changes: Any,
    ) -> Machine:
        endpoints, named = bindings or {"site": ("0.0.0.0:8443", asks)}, certificates or {}
        of_machine = {name: changes.pop(name) for name in OF_MACHINE & changes.keys()}
        plan = LabPlan(
            scenario="small",
            fixes=(),
            listeners=(listener(endpoints, named),),
            tls={
                name: server_settings(*protocols, asks=asks)
                for name, (_, asks) in endpoints.items()
                if named.get(name, ServerCertificate.SERVER).unusable is None
            },
            cut_issuers=cut_issuers or {},
            sites=(site("/upload", REQUIRE, **changes), site("/accept", ACCEPT), site("/open", ())),
            setup=setup_of_machine(**of_machine),
            landing=Landing("small", "A title", "A story.", (("/upload", "requires one"),), ()),
        )
        return Machine(plan, wanted)

    return make


@dataclass
class Strings:
    """The wire: a byte string for each direction, a `core.driver.Transport`. It takes as much as there is `room`."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    room: int = 2**30
    gone: bool = False
    closed_window: bool = False
    has_reset: bool = False

    def send(self, data: bytes) -> int:
        if self.gone:
            raise BrokenPipeError
        taken = data[: self.room]
        self.down += taken
        self.room -= len(taken)
        return len(taken)

    def unread(self) -> int:
        return len(self.up)

    def peek(self, count: int) -> bytes:
        return bytes(self.up[:count])

    def window_is_closed(self) -> bool:
        return self.closed_window

    def peer_has_reset(self) -> bool:
        return self.has_reset


class Talk:
    """A client and the lab's side of its connection; what the lab does not read stays in `up`, as in a socket.

    `told` has the events of the connection; `read` gets each event, those of the lab too. Nothing that the driver holds
    leads back here, so OpenSSL's memory is given back with the last reference, not when somebody looks for garbage.
    """

    def __init__(
        self,
        lab: Machine,
        client: SSL.Context,
        server_name: str = "localhost",
        now: float = 0.0,
        tap: Tap = NO_TAP,
        read: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        [listener] = lab.plan.listeners
        self.now = now
        self.told: list[Event] = []
        self.wire = Strings()
        self.up = self.wire.up
        publish = partial(_keep, self.told, read)
        self.driver = Driver(lab, listener, PEER, LOCAL, tap, publish, self.wire, now)
        self.server: Connection = self.driver.connection
        self.client = ClientTls(client, server_name)
        self.received = b""
        self.piece = PIECE
        self.driver.finish_step(now)

    def open(self) -> Talk:
        """Shake hands."""
        self.client.read(0)
        self.run()
        return self

    def send(self, plaintext: bytes) -> None:
        """Say something, and see what comes of it."""
        for start in range(0, len(plaintext), PIECE):
            assert self.client.write(plaintext[start : start + PIECE])
        self.run()

    def run(self) -> None:
        """Carry bytes both ways until neither side takes or says anything more."""
        moved = True
        while moved:
            moved = self._up() | self._down()

    def _up(self) -> bool:
        self.up += self.client.data_to_send()
        if not self.up or not self.driver.may_read or self.server.closing is not None:
            return False
        data = bytes(self.up[: self.piece])
        del self.up[: self.piece]
        self.driver.receive_data(data, self.now)
        return True

    def _down(self) -> bool:
        self.driver.finish_step(self.now)
        data = bytes(self.wire.down)
        self.wire.down.clear()
        self.client.receive(data)
        while plaintext := self.client.read(PIECE):
            self.received += plaintext
        return bool(data)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, and its work be done."""
        self.now += seconds
        self.driver.tick(self.now)
        self.run()

    def raw(self, data: bytes) -> None:
        """Put bytes on the wire that no client of ours would."""
        self.driver.receive_data(data, self.now)
        self.run()

    def play(self, script: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Hold a conversation, and give it as it went: compare it with the script.

        A line is what the client does, how much of it, and all that comes of it: in the words of `MILESTONES`, then how
        the lab closes if it does. `("wait", seconds, ...)` lets time pass, `("POST /upload", bytes of body, ...)` asks.
        """
        return [(deed, amount, *self._play_line(deed, amount)) for deed, amount, *_ in script]

    def _play_line(self, deed: str, amount: Any) -> list[str]:
        told, was_open = len(self.told), self.server.closing is None
        if deed == "wait":
            self.pass_time(amount)
        else:
            method, target = deed.split(" ")
            self.send(write_request(method, target, body=bytes(amount)))
        words = [MILESTONES[type(event)](event) for event in self.told[told:] if type(event) in MILESTONES]
        return words + [type(self.server.closing).__name__] * (was_open and self.server.closing is not None)

    # --- what was seen ------------------------------------------------------------------------------

    def answers(self, *methods: bytes) -> list[tuple[int, Any]]:
        """Each response so far with its JSON (None for no body), to requests of these methods (GET where none is)."""
        found: list[tuple[int, Any]] = []
        data = self.received
        for method in list(methods) + [b"GET"] * 100:
            if not data:
                return found
            status, body, data = read_response(data, method)
            found.append((status, json.loads(body) if body else None))
        raise AssertionError("more than a hundred answers")

    def statuses(self, *methods: bytes) -> list[str]:
        """The status of each response, with IIS's substatus where it has one: `200`, `403.7`; `100` as it comes."""
        return [
            str(body["status"]).removesuffix(".0") if body and "status" in body else str(status)
            for status, body in self.answers(*methods)
        ]

    def all(self, kind: type[Any]) -> list[Any]:
        """The events of one type so far."""
        return [event for event in self.told if isinstance(event, kind)]

    def only(self, kind: type[Any]) -> Any:
        """The one event of its type."""
        [event] = self.all(kind)
        return event

    def names(self, *kinds: type[Event]) -> list[str]:
        """The events of these types, by name, in order."""
        return [type(event).__name__ for event in self.told if isinstance(event, kinds)]

    def messages(self) -> list[str]:
        """The handshake messages by name, in order."""
        return [event.name for event in self.all(HandshakeMessage)]


def _status(event: ResponseSent) -> str:
    return f"{event.status}.{event.substatus}" if event.substatus else str(event.status)


def _keep(told: list[Event], read: Callable[[Event], None], events: Iterable[Event]) -> None:
    for event in events:
        read(event)
        if event.connection:
            told.append(event)


def read_response(data: bytes, method: bytes) -> tuple[int, bytes, bytes]:
    """The status and body of the first response in `data`, and what follows it."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(data)
    event, body = reader.next_event(), b""
    if isinstance(event, h11.InformationalResponse):
        return event.status_code, b"", reader.trailing_data[0]
    assert isinstance(event, h11.Response)
    while isinstance(part := reader.next_event(), h11.Data):
        body += part.data
    assert isinstance(part, h11.EndOfMessage)
    return event.status_code, body, reader.trailing_data[0]


@pytest.fixture
def talk(make_lab, client_settings) -> Callable[..., Talk]:
    """Open a connection as this identity, to this lab or to one that is made from `options`."""

    def make(
        *protocols: Any,
        lab: Machine | None = None,
        identity: str | None = "alice",
        refuses: bool = False,
        client: SSL.Context | None = None,
        name: str = "localhost",
        opened: bool = True,
        tap: Tap = NO_TAP,
        read: Callable[[Event], None] = lambda _event: None,
        **options: Any,
    ) -> Talk:
        context = client or client_context(client_settings(identity, refuses=refuses))
        made = Talk(lab or make_lab(*protocols, **options), context, name, tap=tap, read=read)
        return made.open() if opened else made

    return make


def write_request(method: str, target: str, headers: Iterable[str] = (), body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    length = [f"Content-Length: {len(body)}"] if body or method in ("POST", "PUT") else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *length, *headers, "", ""]).encode() + body


@pytest.fixture
def request_bytes() -> Callable[..., bytes]:
    """Write a request."""
    return write_request


@pytest.fixture
def get() -> Callable[..., bytes]:
    """Write a GET with these headers."""
    return lambda target, *headers: write_request("GET", target, headers)


@pytest.fixture
def post() -> Callable[..., bytes]:
    """Write a POST of this body, with these headers."""
    return lambda target, body, *headers: write_request("POST", target, headers, body)
