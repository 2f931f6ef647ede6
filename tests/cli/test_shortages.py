"""Whatever the lab asks of the system while it serves can fail, for a while: it goes on, and loses nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tlslab.capture import writers
from tlslab.cli.serve import serve
from tlslab.lab import lifetime
from tlslab.lab.home import open_home
from tlslab.lab.options import Options
from tlslab.net import stuck as stuck_fins
from tlslab.scenario.build import build
from tlslab.scenario.load import load

PATIENCE_SECONDS = 20  # for what takes milliseconds; a machine may be busy
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BAD = b"GET /\r\n\r\n"
FREEZE = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n" + bytes(200_000)
LINGER_RESET = struct.pack("ii", 1, 0)
THREAD_OF_THE_TESTS = threading.get_ident()
pytestmark = pytest.mark.skipif(os.name == "nt", reason="what fails here is POSIX")
# At 100 times the speed two minutes are two seconds, and a busy machine may look for a stuck client later than that.
LONG = {f"timers.{name}": "24h" for name in ("ssl_renegotiation", "entity_body", "header_wait")}


class Lab:
    """`tlslab serve` with all its evidence, in a thread of this process, where its calls to the system can fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exit_code: object = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        """Serve, and know where."""
        self._thread.start()
        while not self._ready.exists():
            self._thread.join(0.01)
            assert self._thread.is_alive(), self.exit_code
        ready = json.loads(self._ready.read_text())
        self._where = ready["bindings"][0]["host"], ready["bindings"][0]["port"]
        self._context = ssl.create_default_context(cafile=ready["ca_file"])

    @property
    def _ready(self) -> Path:
        return self.folder / "ready.json"

    def _serve(self) -> None:
        options = Options(
            "large-post-deadlock",
            port=0,
            speed=100.0,
            ready_file=str(self._ready),
            events=str(self.folder / "events"),
            pcapng=str(self.folder / "pcapng"),
            keylog=str(self.folder / "keys"),
            logs=self.folder / "logs",
        )
        loaded, pki = load(options.scenario), open_home()
        try:
            serve(loaded, build(loaded, (), LONG, pki, port=0), pki, options, LONG)
        except BaseException as error:
            self.exit_code = error.code if isinstance(error, SystemExit) else error

    @contextlib.contextmanager
    def receiver(self, *_signals: int) -> Iterator[Lab]:
        """In place of trio's, which is for the main thread alone."""
        self._stop, self._token = trio.Event(), trio.lowlevel.current_trio_token()
        yield self

    def __aiter__(self) -> Lab:
        return self

    async def __anext__(self) -> int:
        await self._stop.wait()
        return signal.SIGTERM

    def end(self) -> None:
        """End it as SIGTERM does."""
        self._token.run_sync_soon(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert self.exit_code == 0

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection without a certificate."""
        sock = socket.create_connection(self._where, timeout=PATIENCE_SECONDS)
        return self._context.wrap_socket(sock, server_hostname="localhost")

    def knock(self) -> socket.socket:
        """A connection that does not wait for anything."""
        return socket.create_connection(self._where, timeout=PATIENCE_SECONDS)

    def ask(self, request: bytes = GET) -> bytes:
        """The beginning of an answer, on a connection of its own."""
        with self.connect() as tls:
            tls.sendall(request)
            return tls.recv(12)

    def events(self) -> list[dict[str, Any]]:
        """All that are written whole; who reads while the lab writes may see the beginning of a line."""
        text = (self.folder / "events").read_text()
        text = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def lab(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all that happens here."""
    folder = tmp_path_factory.mktemp("shortages")
    made = Lab(folder)
    with pytest.MonkeyPatch.context() as patched, (folder / "stdout").open("w") as stdout:
        patched.setenv("TLSLAB_HOME", str(home))
        patched.setattr("sys.stdout", stdout)
        patched.setattr(writers, "FIRST_WAIT_SECONDS", 0.01)
        patched.setattr(writers, "LONGEST_WAIT_SECONDS", 0.01)
        patched.setattr(stuck_fins, "LOOK_UP_SHARE", 1.0)  # the kernel's table is long where many tests ran before
        patched.setattr(trio, "open_signal_receiver", made.receiver)
        patched.setattr(socket, "getaddrinfo", failing(socket, "getaddrinfo", errno.EIO)[0])  # it asks for no name
        made.start()
        yield made
        made.end()
    ends = [(one["event"], one.get("missing", 0)) for one in made.events() if one["event"].startswith("Evidence")]
    assert Counter(ends) == Counter([("EvidenceEnded", 0), ("EvidenceResumed", 0)] * (len(ends) // 2))
    said = (folder / "stdout").read_text()
    assert ("cannot be written for now" in said) is bool(ends)  # where tests run side by side, not all fail evidence
    assert not re.search("a defect|not whole", said)
    handshakes = [one for one in made.events() if one["event"] == "HandshakeCompleted"]
    assert len((folder / "keys").read_text().splitlines()) >= len(handshakes)


def failing(where: Any, name: str, number: int) -> tuple[Callable[..., Any], threading.Event]:
    """A call that fails for the lab's threads, except on sockets of trio's own; and whether it was made."""
    asked, really = threading.Event(), getattr(where, name)

    def call(*arguments: Any, **more: Any) -> Any:
        is_trios = bool(arguments) and getattr(arguments[0], "family", None) == socket.AF_UNIX
        if threading.get_ident() == THREAD_OF_THE_TESTS or is_trios:
            return really(*arguments, **more)
        asked.set()
        raise OSError(number, os.strerror(number))

    return call, asked


FAILURES: list[tuple[Any, str, tuple[int, ...]]] = [
    (os, "write", (errno.ENOSPC, errno.EIO)),
    (os, "open", (errno.EMFILE, errno.EACCES)),
    (os, "stat", (errno.EACCES, errno.ENOENT)),
    (os, "fstat", (errno.EIO,)),
    (Path, "stat", (errno.EACCES,)),
    (Path, "read_bytes", (errno.EMFILE, errno.ENOENT)),
    (fcntl, "ioctl", (errno.EIO,)),
    (socket.socket, "accept", (errno.EMFILE, errno.ENOBUFS, errno.EIO)),
    (socket.socket, "recv", (errno.ENOBUFS,)),
    (socket.socket, "send", (errno.ENOBUFS,)),
    (socket.socket, "shutdown", (errno.ENOTCONN,)),
    (socket.socket, "getsockopt", (errno.ENOBUFS,)),
    (socket.socket, "setsockopt", (errno.EINVAL,)),
    (socket.socket, "getpeername", (errno.ENOTCONN,)),
    (socket.socket, "getsockname", (errno.ENOBUFS,)),
]


@pytest.mark.parametrize(
    ("where", "name", "number"),
    [
        pytest.param(
            where, name, number, id=f"{name}-{errno.errorcode[number]}", marks=[pytest.mark.soak] * (place > 0)
        )
        for where, name, numbers in FAILURES
        for place, number in enumerate(numbers)
    ],
)
def test_a_call_that_fails_for_a_while(lab, monkeypatch, where, name, number):
    """Connections that are there and that come meet it; then the lab is as before, and nothing is missing."""
    before = len(lab.events())
    call, asked = failing(where, name, number)
    with contextlib.ExitStack() as open_meanwhile:
        there, stuck, gone = (open_meanwhile.enter_context(lab.connect()) for _ in range(3))
        shutil.rmtree(lab.folder / "logs")  # its files have to be opened anew
        (lab.folder / "logs").mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(where, name, call)
            for tls, request in ((stuck, FREEZE), (there, GET), (gone, BAD)):
                with contextlib.suppress(OSError):  # the lab takes it for a reset
                    tls.sendall(request)
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            open_meanwhile.enter_context(lab.knock())
            assert asked.wait(PATIENCE_SECONDS)
        assert lab.ask() == b"HTTP/1.1 200"
    assert [one for one in lab.events()[before:] if one["event"] == "InternalFault"] == []


async def test_no_thread_for_a_while(monkeypatch, tmp_path):
    """What is shown waits for a thread to show it; the lab does not end."""
    really, tries = trio.to_thread.run_sync, []

    shown: list[str] = []

    def show() -> None:
        shown.append("it")

    async def no_thread(act: Any, *arguments: Any, **more: Any) -> Any:
        if act is show:  # the lab of the other tests may be showing something, too
            tries.append(act)
            if len(tries) < 3:
                raise RuntimeError("can't start new thread")
        return await really(act, *arguments, **more)

    monkeypatch.setattr(trio.to_thread, "run_sync", no_thread)
    monkeypatch.setattr(lifetime, "PAUSE_SECONDS", 0.0)
    await lifetime._in_thread(show, 1.0)
    assert (len(tries), shown) == (3, ["it"])
