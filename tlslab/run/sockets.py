"""Walks the steps of a scenario over real sockets, with the lab's own client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from tlslab.net.pump import either
from tlslab.run.client import Client, Outcome, State
from tlslab.run.people import People
from tlslab.scenario.schema import Step, WritingStyle

CHUNK = 64 * 1024
Target = tuple[str, int, str]


def walk_now(
    steps: Sequence[Step], targets: Mapping[str | None, Target], people: People, style: WritingStyle
) -> list[Outcome]:
    """The same as `walk`, for a caller without an event loop."""
    return trio.run(walk, steps, targets, people, style)


async def walk(
    steps: Sequence[Step], targets: Mapping[str | None, Target], people: People, style: WritingStyle
) -> list[Outcome]:
    """Take the steps one after the other and say how each ended.

    `targets` gives the host and port to connect to and the name to call it by, for each binding (None: the first).
    """
    outcomes: list[Outcome] = []
    open_ones: list[tuple[Client, trio.SocketStream]] = []
    try:
        for step in steps:
            if not step.same_connection or not open_ones or open_ones[-1][0].state is not State.IDLE:
                host, port, name = targets[step.binding]
                settings = people.client_settings(step.identity, refuses_renegotiation=step.renegotiation == "refuse")
                client = Client(settings, name, f"{name}:{port}", style)
                open_ones.append((client, await trio.open_tcp_stream(host, port)))
            client, stream = open_ones[-1]
            client.start(step, trio.current_time())
            outcomes.append(await _Exchange(client, stream.socket).run())
    finally:
        for _, stream in open_ones:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
    return outcomes


class _Exchange:
    """One request of a client on its socket."""

    def __init__(self, client: Client, sock: trio.socket.SocketType) -> None:
        self._client = client
        self._sock = sock
        self._out = bytearray()

    async def run(self) -> Outcome:
        while self._client.outcome is None:
            self._out += self._client.data_to_send(CHUNK - len(self._out), trio.current_time())
            deadline = self._client.next_deadline
            with trio.move_on_at(float("inf") if deadline is None else deadline):
                await self._move()
            self._client.tick(trio.current_time())
        return self._client.outcome

    async def _move(self) -> None:
        try:
            match bool(self._out), self._client.wants_to_read:
                case True, True:
                    await either(self._send, self._receive)
                case True, False:
                    await self._send()
                case _:
                    await self._receive()
        except OSError:
            self._client.receive_reset(trio.current_time())

    async def _send(self) -> None:
        sent = await self._sock.send(self._out)
        del self._out[:sent]

    async def _receive(self) -> None:
        data = await self._sock.recv(CHUNK)
        if data:
            self._client.receive_data(data, trio.current_time())
        else:
            self._client.receive_eof(trio.current_time())
