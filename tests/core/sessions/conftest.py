"""A client that comes back with the session of its last visit, and others that come in between."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from OpenSSL import SSL

from tlslab.core.machine import Machine
from tlslab.events import InternalFault, ServerHelloSent
from tlslab.tls.client import ClientTls
from tlslab.tls.context import client_context


class Regular:
    """A client that comes back with the session of its last visit, at whatever time it is."""

    def __init__(self, talk: Callable[..., Any], lab: Machine, client: SSL.Context) -> None:
        self._talk, self.lab, self._client = talk, lab, client
        self.session: Any = None
        self._told_of_lab: list[Any] = []

    def of_lab(self) -> list[Any]:
        """What the lab told of itself since the last call, through its connections or when asked."""
        told = [*self._told_of_lab, *self.lab.take_events()]
        self._told_of_lab.clear()
        return told

    def connect(self, now: float = 0.0, name: str = "localhost", client_options: int = 0) -> Any:
        """Connect with the session and stay."""
        talk = self._begin(name)
        talk.now = now
        talk.client = ClientTls(self._client, name, session=self.session)
        talk.client._connection.set_options(client_options)
        talk.open()
        self.session = talk.client.session() or self.session
        assert not talk.all(InternalFault)
        return talk

    def visit(self, now: float = 0.0, name: str = "localhost", client_options: int = 0) -> Any:
        """Connect with the session, and leave again."""
        talk = self.connect(now, name, client_options)
        talk.client.close()
        talk.run()
        talk.server.note_closed(now)
        return talk

    def hello(self, client_options: int = 0) -> bytes:
        """The ClientHello that offers the session: OpenSSL's client will not send it any more after an error."""
        client = ClientTls(self._client, "localhost", session=self.session)
        client._connection.set_options(client_options)
        client.read(0)
        return client.data_to_send()

    def say(self, hello: bytes) -> Any:
        """Connect with these bytes, and do not answer what comes."""
        talk = self._begin()
        talk.server.receive_data(hello, talk.now)
        talk.told += talk.server.take_events()
        return talk

    def _begin(self, name: str = "localhost") -> Any:
        return self._talk(lab=self.lab, client=self._client, opened=False, name=name, read=self._read)

    def _read(self, event: Any) -> None:
        if event.connection == 0:
            self._told_of_lab.append(event)

    def resumes(self, now: float = 0.0, name: str = "localhost") -> bool:
        """Whether a visit resumes, by ServerHello."""
        return bool(self.visit(now, name).only(ServerHelloSent).resumed)

    def newcomers(self, count: int, now: float = 0.0) -> None:
        """Others connect; this client keeps its session."""
        for _ in range(count):
            self.session, kept = None, self.session
            self.visit(now)
            self.session = kept


@pytest.fixture
def regular(talk, make_lab, client_settings) -> Callable[..., Regular]:
    """Make a client of a lab that is given or made; OpenSSL resumes a session in the context it came from only."""
    settings = functools.cache(client_settings)

    def make(*protocols: Any, lab: Machine | None = None, identity: str | None = None, **options: Any) -> Regular:
        made = lab or make_lab(*protocols, **options)
        return Regular(talk, made, client_context(settings(identity)))

    return make
