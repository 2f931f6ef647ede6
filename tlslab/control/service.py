"""The API on its socket, in a thread with a loop of its own: by the wall's clock, however fast the labs' clocks run."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from tlslab.control.app import make_app
from tlslab.control.labs import Labs
from tlslab.errors import UsageProblem
from tlslab.lab.steering import Chronicle, Steering
from tlslab.net.bus import Bus
from tlslab.net.server import listen
from tlslab.text import format_host_port

TOKEN_VARIABLE = "TLSLAB_CONTROL_TOKEN"
SHORTEST_TOKEN = 32
GRACE_SECONDS = 0.3  # of the wall's: how long streams that are open may hold up the end
PATIENCE_SECONDS = 10.0
# Hypercorn shields what it sends from being cancelled, so a reader that takes nothing would hold up the end for good;
# the thread is a daemon, and its last connection goes with the reader or with the program.
END_SECONDS = 0.9


def token() -> str:
    """The token of this run. UsageProblem: the one in the environment is too short to be secret."""
    given = os.environ.get(TOKEN_VARIABLE)
    if given is None:
        return secrets.token_urlsafe(32)
    if len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable() or " " in given:
        raise UsageProblem(
            f"{TOKEN_VARIABLE} is no token: {SHORTEST_TOKEN} characters at least, without spaces",
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return given


class ControlService:
    """Serves the API of `labs`. It has its port once it is made; call `start`, and `stop` in any case.

    LabError: it cannot listen there.
    """

    def __init__(self, labs: Labs, host: str, port: int, names: Iterable[str]) -> None:
        self._labs, self._token = labs, token()
        self._sock = listen(host, port, "--control takes another port, or 0 for a free one")
        where = self._sock.getsockname()[:2]
        self.url = f"http://{format_host_port((_reachable(where[0]), where[1]))}"
        self._app = make_app(labs, self._token, names)
        self._started: Future[tuple[trio.lowlevel.TrioToken, trio.Event]] = Future()
        self._thread = threading.Thread(target=self._serve, name="tlslab control", daemon=True)

    @property
    def loop(self) -> trio.lowlevel.TrioToken:
        """Its loop, once it serves."""
        return self._started.result(PATIENCE_SECONDS)[0]

    def as_json(self) -> dict[str, str]:
        """What the ready file says of it."""
        return {"url": self.url, "token": self._token}

    def adopt(self, steering: Steering, bus: Bus) -> Callable[[], None]:
        """Control the terminal's own lab too; what is returned is to be called in its thread, once its loop runs."""
        self._labs.adopt(steering.running.loaded.name, steering, Chronicle(bus))
        self.start()
        return steering.begin

    def start(self) -> None:
        """Serve; return once it does."""
        self._thread.start()
        self._started.result(PATIENCE_SECONDS)

    def stop(self) -> None:
        """End it, and the labs that it started."""
        if self._started.done() and self._started.exception() is None:
            loop, over = self._started.result()
            with contextlib.suppress(trio.RunFinishedError):
                loop.run_sync_soon(over.set)
            self._thread.join(END_SECONDS)
        self._sock.close()
        self._labs.end_all()

    def _serve(self) -> None:
        try:
            trio.run(self._run)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _run(self) -> None:
        over = trio.Event()
        self._labs.begin()
        config = _config(self._sock)
        app: Any = self._app  # Hypercorn and Starlette name the same protocol in two ways

        async def run(task_status: trio.TaskStatus[list[str]]) -> None:
            await serve(app, config, shutdown_trigger=over.wait, task_status=task_status)

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            self._started.set_result((trio.lowlevel.current_trio_token(), over))


def _config(sock: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{sock.dup().detach()}"]
    config.graceful_timeout = config.shutdown_timeout = GRACE_SECONDS
    config.accesslog = config.errorlog = None  # requests have the token in them
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    return config


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
