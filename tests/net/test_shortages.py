"""Whatever the lab asks of the system while it serves can fail, for a while: nobody but those concerned may notice."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from tlslab.core.plan import LabPlan
from tlslab.events import ConnectionClosed, EntityBodyStalled, InternalFault, PeerClosed, ResponseSent
from tlslab.net.clock import RateClock
from tlslab.net.stuck import TABLES
from tlslab.types import Fault

if TYPE_CHECKING:
    from tests.conftest import Heard
    from tests.net.conftest import Dial, Serving

Plan = Callable[..., LabPlan]
MakeTap = Callable[..., "Heard"]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FREEZE = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 204800\r\n\r\n" + bytes(200 * 1024)


def failing(number: int) -> Callable[..., Any]:
    """Return what the system answers with that error, whatever it is asked."""

    def fail(*_args: object, **_more: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


# What a stalled connection with a capture makes the lab ask.
ASKED: list[tuple[Any, str]] = [(fcntl, "ioctl"), (socket.socket, "getsockopt"), (socket.socket, "setsockopt")]


@pytest.mark.parametrize(("where", "name"), ASKED, ids=[name for _, name in ASKED])
async def test_a_question_about_a_socket_that_fails(
    plan: Plan,
    serving: Serving,
    dial: Dial,
    make_tap: MakeTap,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
) -> None:
    """A stall and its end are told without what cannot be known."""
    async with serving(plan(), make_tap()) as running:
        peer = await dial(running)
        with monkeypatch.context() as patched:
            patched.setattr(where, name, failing(errno.ENOBUFS))
            await peer.write(FREEZE)
            await running.wait_for(EntityBodyStalled)
            peer.sock.close()
            await running.wait_for(ConnectionClosed)
        assert not running.of(InternalFault)
        assert (await answered(await dial(running))).startswith(b"HTTP/1.1 200")


async def answered(peer: Any) -> bytes:
    """What a GET is answered."""
    await peer.write(GET)
    data: bytes = await peer.read()
    return data


@pytest.mark.skipif(not TABLES[0].exists(), reason="only Linux has the table")
async def test_no_descriptor_for_the_kernels_table(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of sockets cannot be opened for a while: then the peer whose FIN is stuck is found as ever."""
    looked = trio.Event()

    def no_descriptor(_path: Path) -> bytes:
        looked.set()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with serving(plan(**{"timers.ssl_renegotiation": 100_000})) as running:
        peer = await dial(running)
        await peer.write(FREEZE.replace(b"204800", b"67108864"))
        await running.wait_for(EntityBodyStalled)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", no_descriptor)
            await looked.wait()
        assert (await answered(await dial(running))).startswith(b"HTTP/1.1 200")
        while True:
            try:
                os.write(peer.sock.fileno(), bytes(65536))
            except BlockingIOError:
                break
        assert await peer.sock.recv(65536)
        peer.sock.close()
        assert (await running.wait_for(PeerClosed))[0].fin_stuck


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")
async def test_no_room_in_the_set(plan: Plan, serving: Serving, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that the system will not watch ends, and is told; the next one is served."""

    class Full:
        """An epoll set that takes its first sockets, the listening ones, and then has no room once."""

        def __init__(self) -> None:
            self._epoll, self._left = select_epoll(), 1

        def register(self, fd: int, interest: int) -> None:
            self._left -= 1
            if self._left == -1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._epoll.register(fd, interest)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._epoll, name)

    select_epoll = select.epoll
    monkeypatch.setattr(select, "epoll", Full)
    async with serving(plan()) as running:
        where = running.bound[0].host, running.bound[0].port
        with socket.create_connection(where):
            fault = (await running.wait_for(InternalFault))[0]
            assert (fault.fault, fault.detail[:10]) == (Fault.SYSTEM, "No space l")
            await running.wait_for(ConnectionClosed)
        assert (await answered(await dial(running))).startswith(b"HTTP/1.1 200")
        assert len(running.of(ResponseSent)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")
@pytest.mark.parametrize("name", ["poll", "modify"])
async def test_a_set_that_fails_for_a_while(
    plan: Plan, serving: Serving, dial: Dial, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither waiting nor what a listening socket waits for is a reason to end."""
    failures = 0

    class Failing:
        """An epoll set of which one call fails three times."""

        def __init__(self) -> None:
            self._epoll = select_epoll()

        def _fail(self, *arguments: Any) -> Any:
            nonlocal failures
            if failures < 3:
                failures += 1
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            return getattr(self._epoll, name)(*arguments)

        def __getattr__(self, asked: str) -> Any:
            return self._fail if asked == name else getattr(self._epoll, asked)

    select_epoll = select.epoll
    monkeypatch.setattr(select, "epoll", Failing)
    async with serving(plan()) as running:
        with monkeypatch.context() as patched, socket.socket() as knocking:
            patched.setattr(socket.socket, "accept", failing(errno.EMFILE))  # so that the socket has to wait anew
            knocking.connect((running.bound[0].host, running.bound[0].port))
            with trio.fail_after(running.patience):
                while failures < 3:
                    await trio.testing.wait_all_tasks_blocked(0.001)
        assert (await answered(await dial(running))).startswith(b"HTTP/1.1 200")
        assert not running.of(InternalFault)
