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


class Ends:
    """A server and a client; `told` collects the server's events, in order."""

    def __init__(self, settings: ServerSettings, client: SSL.Context, *, wanted: frozenset[type[Event]] = ALL) -> None:
        self.recorder = Recorder(1, wanted, 0.0)
        self.told: list[Event] = []
        self.server = ServerTls(server_context(settings, "site"), self.recorder)
        self.client = ClientTls(client, "localhost")

    def exchange(self) -> None:
        """Let both sides read handshakes, and no application data, until neither has anything more to say."""
        self.client.read(0)
        self.server.read(0)
        while self.pass_on(self.client, self.server) | self.pass_on(self.server, self.client):
            pass
        self.told += self.recorder.take()

    @staticmethod
    def pass_on(sender: Engine, receiver: Engine) -> bool:
        """Carry what there is from one side to the other; True when there was something."""
        data = sender.data_to_send()
        receiver.receive(data)
        receiver.read(0)
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
