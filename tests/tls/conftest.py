"""Two TLS engines joined in memory: what one has to send, the other receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from OpenSSL import SSL

from tlslab.events import ALL, Event, HandshakeMessage
from tlslab.recorder import Recorder
from tlslab.tls.client import ClientTls
from tlslab.tls.context import ServerSettings, client_context, server_context
from tlslab.tls.engine import Engine
from tlslab.tls.server import ServerTls
from tlslab.wire.hello import ClientHello

NOW = 3.0  # every moment of these conversations


class Watcher:
    """Keeps what the server's TLS sees of the ClientHellos and lists of issuers of its connection."""

    def __init__(self) -> None:
        self.hellos: list[ClientHello] = []
        self.lists: list[tuple[tuple[str, ...], int]] = []

    wants_issuers = True

    def on_client_hello(self, hello: ClientHello, now: float) -> None:
        """Keep it."""
        self.hellos.append(hello)

    def on_certificate_request(self, issuers: tuple[str, ...], issuers_bytes: int, now: float) -> None:
        """Keep it."""
        self.lists.append((issuers, issuers_bytes))


class Ends:
    """A server and a client; `told` collects the server's events, in order."""

    def __init__(self, settings: ServerSettings, client: SSL.Context, *, wanted: frozenset[type[Event]] = ALL) -> None:
        self.recorder = Recorder(1, wanted)
        self.told: list[Event] = []
        self.watcher = Watcher()
        self.server = ServerTls(server_context(settings, "site"), self.recorder, self.watcher)
        self.client = ClientTls(client, "localhost")

    def take(self, limit: int) -> bytes:
        """Plaintext that the server has, as much as one read gives."""
        return b"".join(one for one in self.server.read(limit, NOW) if isinstance(one, bytes))

    def ask(self) -> bool:
        """Let the server ask for the client's certificate."""
        return self.server.request_client_certificate(NOW)

    def answer(self, plaintext: bytes) -> bool:
        """Let the server write."""
        return self.server.write(plaintext, NOW)

    def close(self) -> None:
        """Let the server say goodbye."""
        self.server.close(NOW)

    def exchange(self) -> None:
        """Let both sides read handshakes, and no application data, until neither has anything more to say."""
        self.client.read(0)
        self.take(0)
        while self.pass_on(self.client, self.server) | self.pass_on(self.server, self.client):
            pass
        self.told += self.recorder.take()

    def pass_on(self, sender: Engine, receiver: Engine) -> bool:
        """Carry what there is from one side to the other; True when there was something."""
        data = sender.data_to_send()
        receiver.receive(data)
        (self.client.read if receiver is self.client else self.take)(0)
        return bool(data)

    def all(self, kind: type[Any]) -> list[Any]:
        """The events of one type so far."""
        return [event for event in self.told if isinstance(event, kind)]

    def only(self, kind: type[Any]) -> Any:
        """The one event of its type."""
        [event] = self.all(kind)
        return event

    def messages(self) -> list[str]:
        """The handshake messages so far: `C ClientHello`, `S ServerHello`; forgets the events before."""
        kinds = {"sent": "S", "received": "C"}
        names = [f"{kinds[event.direction]} {event.name}" for event in self.all(HandshakeMessage)]
        self.told.clear()
        return names


@pytest.fixture
def join(server_settings, client_settings) -> Callable[..., Ends]:
    """Join a server of these protocols to a client that is this identity, or that is made from this context.

    `changes` are for the server's settings.
    """

    def make(
        *protocols, asks=False, identity="alice", refuses=False, client=None, wanted=ALL, handshake=True, **changes
    ):
        context = client or client_context(client_settings(identity, refuses=refuses))
        ends = Ends(replace(server_settings(*protocols, asks=asks), **changes), context, wanted=wanted)
        if handshake:
            ends.exchange()
        return ends

    return make
