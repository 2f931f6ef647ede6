"""Two thousand hostile connections over real sockets: none hurts the lab, and nothing of them is left in it.

A well-behaved request comes first and last (tlsfuzzer's habit): a lab that serves nobody would pass all the rest.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from tlslab.core.plan import LabPlan
from tlslab.events import ConnectionClosed, InternalFault, ResponseSent
from tlslab.net.clock import RateClock

if TYPE_CHECKING:
    from tests.net.conftest import Dial, Peer, Running, Serving

pytestmark = pytest.mark.soak

CONNECTIONS = 2000
BATCH = 250  # at a time
WARM_UP = 2 * BATCH
GROWTH_KIB = 8 * 1024  # of the whole process, the clients and the tests' own bookkeeping with it
SECONDS = 60.0  # the timers, in lab time: a second here, in which a whole batch shakes hands
TIMERS = ("header_wait", "idle_connection", "entity_body", "ssl_renegotiation")

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost:x\r\nAccept:text/html\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 102400\r\n\r\n" + bytes(102400)
OPEN_POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"

# What is sent in the clear, and then the client waits for what the lab does.
RAW = [
    b"",
    b"\0",
    b"hello world",
    GET,
    b"\x80\x2e\x01\x03\x01" + bytes(60),
    b"\x17\x03\x03\0\x05early",
    b"\x15\x03\x03\0\x02\x02\x28",
    b"\x16\x03\x01\0\4\2\0\0\0",
    b"\x16\x03\x01\0\4\1\1\0\0",
    b"\x16\x03\x01\0\6\1\0\0\2\3\3",
    b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3",
]
TINY_RECORDS = b"\x16\x03\x01\0\4\1\0\x40\0" + b"\x16\x03\x01\0\1\0" * 6000
# What is sent over TLS, and then the client waits for what the lab does.
PLAINTEXT = [
    b"",
    b"hello\r\n\r\n",
    b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 65_536,
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X:\r\n" * 16_384 + b"\r\n",
    OPEN_POST + b"Content-Length: 9\r\n\r\nhalf",
    OPEN_POST + b"Content-Length: 3\r\n\r\nbody and more of it\r\n\r\n",
    OPEN_POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 65_536,
    OPEN_POST + b"Transfer-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHos",
    UPLOAD,
]
DAMAGED = [b"\x17\x03\x03\0\x20" + bytes(32), b"\x17\x03\x03\xff\xff", GET]


async def ends(sock: trio.socket.SocketType) -> None:
    """Read until the lab ends the connection, one way or the other."""
    try:
        while await sock.recv(65536):
            pass
    except OSError:
        return


def goes(sock: trio.socket.SocketType, dice: random.Random) -> None:
    """Leave, with FIN or with a reset."""
    if dice.random() < 0.5:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


async def in_the_clear(running: Running, _dial: Dial, dice: random.Random) -> None:
    """Send no TLS, or a beginning of it, and wait or go."""
    with trio.socket.socket() as sock:
        await sock.connect((running.bound[0].host, running.bound[0].port))
        data = TINY_RECORDS if dice.random() < 0.02 else dice.choice(RAW)
        if data:
            await sock.send(data)
        if dice.random() < 0.6:
            await ends(sock)
        else:
            goes(sock, dice)


async def over_tls(running: Running, dial: Dial, dice: random.Random) -> None:
    """Shake hands, send what is no request or half of one, and wait or go."""
    peer = await dial(running)
    with peer.sock:
        await peer.write(dice.choice(PLAINTEXT))
        if dice.random() < 0.6:
            await ends(peer.sock)
        else:
            goes(peer.sock, dice)


async def damaged(running: Running, dial: Dial, dice: random.Random) -> None:
    """Shake hands, and send what is no record, or one that does not decrypt."""
    peer = await dial(running)
    with peer.sock:
        await peer.sock.send(dice.choice([*DAMAGED, dice.randbytes(500)]))
        await ends(peer.sock)


async def reads_nothing(running: Running, dial: Dial, dice: random.Random) -> None:
    """Ask for far more than the socket takes, and never read it."""
    peer = await dial(running, receive_buffer=4096)
    with peer.sock:
        with trio.move_on_after(SECONDS / 2):
            for _ in range(20):
                await peer.write(PAGE * 340)
        goes(peer.sock, dice)


KINDS: list[Callable[[Running, Dial, random.Random], Awaitable[None]]] = [
    *[in_the_clear] * 56,
    *[over_tls] * 16,
    *[damaged] * 4,
    reads_nothing,
]


async def batch(running: Running, dial: Dial, dice: random.Random, count: int) -> None:
    """Let so many hostile clients loose at once, and wait until the lab is rid of them."""

    async def one() -> None:
        kind = dice.choice(KINDS)
        try:
            with trio.move_on_after(20 * SECONDS) as patience:
                await kind(running, dial, dice)
            assert not patience.cancelled_caught, f"{kind.__name__} waits for an end that does not come"
        except (OSError, ssl.SSLError):
            return  # the lab has ended it while the client still spoke

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    await running.wait_for(ConnectionClosed, count)
    assert not running.of(InternalFault)
    running.events.clear()
    await trio.testing.wait_all_tasks_blocked()


async def behaves(running: Running, dial: Dial) -> None:
    """Make a request as one should, and be answered."""
    peer: Peer = await dial(running)
    await peer.write(GET)
    assert (await peer.read()).startswith(b"HTTP/1.1 200")
    assert [answer.status for answer in await running.wait_for(ResponseSent)] == [200]
    peer.sock.close()
    await running.wait_for(ConnectionClosed)
    running.events.clear()
    await trio.testing.wait_all_tasks_blocked()


def footprint() -> tuple[int, int, int]:
    """KiB of memory, open files and tasks."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = trio.lowlevel.current_statistics().tasks_living
    return pages * os.sysconf("SC_PAGESIZE") // 1024, len(os.listdir("/proc/self/fd")), tasks


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc to measure by")
async def test_two_thousand_hostile_connections(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial, fast_clock: RateClock
) -> None:
    """After them the lab has the memory, files and tasks it had before, told of no defect, and serves."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    dice = random.Random(seed)
    short = {f"timers__{name}": f"{SECONDS:g}s" for name in TIMERS}
    async with serving(plan(**short)) as running:
        await behaves(running, dial)
        for _ in range(WARM_UP // BATCH):
            await batch(running, dial, dice, BATCH)
        memory, files, tasks = footprint()
        for _ in range(CONNECTIONS // BATCH):
            await batch(running, dial, dice, BATCH)
        await behaves(running, dial)
        memory_now, files_now, tasks_now = footprint()
    assert (files_now, tasks_now) == (files, tasks)
    print(f"{memory} KiB before, {memory_now} KiB after")  # noqa: T201
    assert memory_now - memory < GROWTH_KIB
