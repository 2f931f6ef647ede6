"""A probe and a lab, joined in memory: waits of minutes take none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.client.https import ClientState
from tlslab.core.driver import Driver
from tlslab.core.machine import Machine
from tlslab.events import ALL
from tlslab.pki.store import Pki, open_pki
from tlslab.probe.call import Call, Reply
from tlslab.probe.identity import issuers_of
from tlslab.probe.questions import Look
from tlslab.probe.seen import Portrait
from tlslab.scenario.build import build
from tlslab.scenario.load import parse_scenario
from tlslab.tap import NO_TAP
from tlslab.tls.offers import Shows
from tlslab.verify.memory import Pair, Pipes, find_listener

MOST_ROUNDS = 100_000
SCENARIO = """
format_version: 1
title: A server to probe
story: It answers.
sources: [this test]
symptoms: [none]
profile: windows-server-2012-r2
bindings:
  site: {endpoint: "0.0.0.0:8443", client_cert_negotiation: disable, protocols: [TLS1.2]}
sites:
  - path: /upload
    ssl_flags: [Ssl, SslNegotiateCert, SslRequireCert]
    client_cert_retrieval: {kind: early_async_drain}
symptom: {client: [{request: GET /upload}], expect: {outcome: 200}}
fixes: {}
teach: Nothing.
"""


class _Joined(Call):
    """A call in the shape that `verify.memory.Pair` drives."""

    @property
    def state(self) -> ClientState:
        """Whether it is over."""
        return ClientState.OVER if self.answer is not None else ClientState.READING


class Server:
    """A lab that a probe calls."""

    def __init__(self, pki: Pki, text: str, overrides: Mapping[str, Any]) -> None:
        self._pki = pki
        loaded = parse_scenario(text.encode(), "probed", "probed.yaml")
        self._machine = Machine(build(loaded, (), overrides, pki, port=0), ALL)
        self.now = 0.0

    def look(self, path: str = "/upload", identity: str | None = "alice", **wishes: bool) -> Portrait:
        """Ask everything, and give what was seen."""
        trusted = (self._pki.server_authority.certificate,)
        shows = Shows(authorities=trusted)
        if identity is not None:
            credential = self._pki.identity(identity)
            shows = Shows(credential.chain, credential.key, trusted)
        look = Look("localhost", 8443, path, bool(shows.chain), issuers_of(shows.chain), **wishes)
        questions, answer = look.questions(), None
        while True:
            try:
                wanted = questions.send(answer)
            except StopIteration as end:
                seen: Portrait = end.value
                break
            answer = self._ask(_Joined(wanted, shows, look.host))
        assert seen.connections <= look.most
        return seen

    def _ask(self, call: _Joined) -> Reply:
        listener, _ = find_listener(self._machine.plan, None)
        pipes = Pipes()
        peer = ("127.0.0.1", 50_000)
        local = (listener.host, listener.port)
        driver = Driver(self._machine, listener, peer, local, NO_TAP, lambda _events: None, pipes, self.now)
        driver.finish_step(self.now)
        call.begin(self.now)
        pair = Pair(call, driver, pipes)  # type: ignore[arg-type]  # it has the shape of a client
        for _ in range(MOST_ROUNDS):
            if call.answer is not None and pair.over:
                return call.answer
            if not pair.exchange(self.now):
                self._jump(pair, call)
        raise AssertionError("endless")

    def _jump(self, pair: Pair, call: _Joined) -> None:
        deadlines = (pair.next_deadline(), call.next_deadline, self._machine.next_deadline)
        self.now = max(self.now, min(at for at in deadlines if at is not None))
        self._machine.tick(self.now)
        call.tick(self.now)
        if not pair.over:
            pair.driver.tick(self.now)


@pytest.fixture(scope="session")
def probe_pki(tmp_path_factory) -> Pki:
    """The certificates of a home."""
    return open_pki(Path(tmp_path_factory.mktemp("probe")) / "home", datetime.now(UTC))


@pytest.fixture
def server(probe_pki) -> Callable[..., Server]:
    """Make a lab from the text of a scenario and what is set over it."""

    def make(overrides: Mapping[str, Any] | None = None, text: str = SCENARIO) -> Server:
        return Server(probe_pki, text, overrides or {})

    return make
