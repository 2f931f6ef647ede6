"""What a unit of work takes in function calls and system calls: no clock, so that what was taken out stays out.

A bound that is passed is no fault by itself: look at what was added, and whether every request has to pay for it. The
calls may be a twentieth more than on 27 November 2026 (978 and 189; 1,355 and 281 before the core was made cheaper).
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tlslab.core.plan import LabPlan
from tlslab.events import ConnectionClosed

if TYPE_CHECKING:
    from tests.net.conftest import Running, Serving

UNITS = 5
GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
# trio's calls are left out: how often it goes round is the machine's affair.
OURS = ("/tlslab/", "/h11/", "/OpenSSL/")
SYSTEM_CALLS = {
    *("accept", "recv", "send", "shutdown", "setsockopt", "getsockopt", "getsockname", "getpeername", "setblocking"),
    *("register", "modify", "unregister", "ioctl"),
}


class Counted:
    """Calls of Python functions, and of those of C that are system calls, by name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.system: Counter[str] = Counter()

    def note(self, frame: FrameType, event: str, what: Any) -> None:
        """Count one (sys.setprofile)."""
        if event == "call" and any(room in frame.f_code.co_filename for room in OURS):
            self.calls[f"{frame.f_code.co_qualname}"] += 1
        elif event == "c_call" and what.__name__.lstrip("_") in SYSTEM_CALLS and "trio" not in frame.f_code.co_filename:
            self.system[what.__name__.lstrip("_")] += 1


@contextmanager
def counting() -> Iterator[Counted]:
    """Count what this thread calls meanwhile; a debugger's or a coverage tool's own hook is put back."""
    counted, before = Counted(), sys.getprofile()
    sys.setprofile(counted.note)
    try:
        yield counted
    finally:
        sys.setprofile(before)


def connect(context: ssl.SSLContext, running: Running) -> ssl.SSLSocket:
    """A connection whose handshake is done."""
    plain = socket.create_connection((running.bound[0].host, running.bound[0].port), running.patience)
    return context.wrap_socket(plain, server_hostname="localhost")


def cycles(context: ssl.SSLContext, running: Running, count: int) -> None:
    """New connection, GET, renegotiation with a certificate, 200, close: so many times."""
    for _ in range(count):
        with connect(context, running) as sock:
            sock.sendall(GET % (b"protected", b"Connection: close\r\n"))
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
            while sock.recv(65536):
                pass


def gets(context: ssl.SSLContext, running: Running, count: int) -> None:
    """So many GETs on one connection."""
    with connect(context, running) as sock:
        for _ in range(count):
            sock.sendall(GET % (b"public", b""))
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


# Of the 17 of a cycle one reads the alert with which OpenSSL 3 answers an end without close_notify.
@pytest.mark.parametrize(("work", "calls", "system_calls"), [(cycles, 1027, 17.5), (gets, 198, 2.5)])
async def test_a_unit_takes_no_more_than_it_did(
    plan: Callable[..., LabPlan],
    serving: Serving,
    context: ssl.SSLContext,
    work: Callable[[ssl.SSLContext, Running, int], None],
    calls: int,
    system_calls: float,
) -> None:
    """With every event wanted, as by --events, and one client after the other."""
    async with serving(plan("post-request-renegotiation")) as running:

        async def count(units: int) -> Counted:
            with counting() as counted:
                await trio.to_thread.run_sync(work, context, running, units)
                await running.wait_for(ConnectionClosed, running.lab.connections_accepted)
            return counted

        await count(2)  # what is cached after the first time
        few, many = await count(UNITS), await count(3 * UNITS)
        assert (many.calls.total() - few.calls.total()) / (2 * UNITS) <= calls
        assert (many.system.total() - few.system.total()) / (2 * UNITS) <= system_calls
