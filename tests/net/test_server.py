"""Listening, accepting, and what one broken connection does to the others (nothing)."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import trio

from tlslab.core.plan import LabPlan, Listener
from tlslab.errors import LabError
from tlslab.events import (
    CertificateNotUsable,
    ConnectionClosed,
    ConnectionOpened,
    EntityBodyStalled,
    Event,
    InternalFault,
    ResponseSent,
    SessionEvicted,
    SstpCertificatesDiffer,
)
from tlslab.httpsys.client_certificate import Retrieval
from tlslab.net.server import bind, close_all
from tlslab.tap import NO_TAP, ConnectionTap
from tlslab.text import HostPort

if TYPE_CHECKING:
    from tests.net.conftest import Dial, Serving

LOOPBACK = "127.0.0.1"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 102400\r\n\r\n" + bytes(102400)


def taken_port() -> tuple[socket.socket, int]:
    """Return a socket that listens, and its port."""
    sock = socket.create_server((LOOPBACK, 0))
    return sock, sock.getsockname()[1]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    sock, port = taken_port()
    sock.close()
    return port


def test_port_0_takes_a_free_one() -> None:
    """What was bound says where it really listens, and takes connections."""
    bound = bind([Listener(LOOPBACK, 0, ()), Listener(LOOPBACK, 0, ())])
    try:
        assert bound[0].port != bound[1].port
        for one in bound:
            assert one.port
            socket.create_connection((one.host, one.port)).close()
    finally:
        close_all(bound)


def test_port_in_use_says_so_and_what_to_do() -> None:
    """Another program's port is an error with the address and the option that helps."""
    sock, port = taken_port()
    with sock, pytest.raises(LabError, match=f"cannot listen on {LOOPBACK} port {port}: another program") as caught:
        bind([Listener(LOOPBACK, port, ())])
    assert "--port" in caught.value.hint


def test_bind_opens_all_or_none() -> None:
    """Where the second address is taken, the first is free again."""
    first = free_port()
    sock, second = taken_port()
    with sock, pytest.raises(LabError, match=f"port {second}"):
        bind([Listener(LOOPBACK, first, ()), Listener(LOOPBACK, second, ())])
    close_all(bind([Listener(LOOPBACK, first, ())]))


def test_an_address_of_another_machine_is_refused() -> None:
    """An address that is not ours (TEST-NET-1, RFC 5737) is an error that names --host."""
    with pytest.raises(LabError, match=r"cannot listen on 192\.0\.2\.1 port 0") as caught:
        bind([Listener("192.0.2.1", 0, ())])
    assert "--host" in caught.value.hint


def test_a_port_can_be_bound_again_at_once() -> None:
    """A lab that is started again right after it ended gets its port, connections in TIME_WAIT or not."""
    bound = bind([Listener(LOOPBACK, 0, ())])
    port = bound[0].port
    client = socket.create_connection((LOOPBACK, port))
    with client:
        bound[0].sock.setblocking(True)
        server, _ = bound[0].sock.accept()
        server.close()
    close_all(bound)
    close_all(bind([Listener(LOOPBACK, port, ())]))


async def test_an_internal_error_ends_one_connection_only(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """A defect (here: a retrieval that decides nothing) ends its connection, is told, and the others go on."""
    sound = plan("post-request-renegotiation")
    broken = [
        site.model_copy(update={"client_cert_retrieval": Retrieval()}) if site.path == "/protected" else site
        for site in sound.sites
    ]
    async with serving(dataclasses.replace(sound, sites=tuple(broken))) as running:
        bystander = await dial(running)
        victim = await dial(running)
        await victim.write(b"POST /protected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        fault = (await running.wait_for(InternalFault))[0]
        assert "NotImplementedError" in fault.traceback
        assert (await running.wait_for(ConnectionClosed))[0].connection == 2
        for peer in (bystander, await dial(running)):
            await peer.write(b"GET /public HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await peer.read()).startswith(b"HTTP/1.1 200")
        assert [answer.connection for answer in running.of(ResponseSent)] == [1, 3]


async def test_a_lab_that_stops_leaves_nothing_behind(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """Stopping closes idle, stalled and half-open connections, and ends every task."""
    before = trio.lowlevel.current_statistics().tasks_living
    async with serving(plan()) as running:
        idle = await dial(running)
        stalled = await dial(running)
        await stalled.write(UPLOAD)
        silent = trio.socket.socket()
        await silent.connect((running.bound[0].host, running.bound[0].port))
        await running.wait_for(EntityBodyStalled)
        port = running.bound[0].port
    assert trio.lowlevel.current_statistics().tasks_living == before
    for sock in (idle.sock, stalled.sock, silent):
        assert await ends(sock)
    silent.close()
    assert len(running.of(ConnectionClosed)) == 3
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port))


async def ends(sock: trio.socket.SocketType) -> bool:
    """Whether the other side has ended this connection, orderly or not."""
    with trio.fail_after(30):
        try:
            while await sock.recv(65536):
                pass
        except ConnectionResetError:
            return True
    return True


async def test_a_session_is_purged_when_it_is_due(
    fast_clock: object, plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """The lab's own time passes with nobody connecting."""
    async with serving(plan("session-lifetime", schannel__server_cache_time="20s")) as running:
        await (await dial(running)).leave()
        (gone,) = await running.wait_for(SessionEvicted)
        assert (gone.connection, gone.reason) == (0, "lifetime")
        assert gone.age_seconds >= 20.0


async def test_a_lab_that_stops_tells_what_happened_to_it(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """What the last connections did to the lab is evidence, too."""
    async with serving(plan("session-fifo-eviction", schannel__maximum_cache_size=1)) as running:
        for _ in range(3):
            await dial(running)
    assert [event.reason for event in running.of(SessionEvicted)] == ["fifo", "fifo"]


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is the machine itself on Linux alone")
async def test_which_address_the_client_took(plan: Callable[..., LabPlan], serving: Serving) -> None:
    """A lab that listens on all addresses tells each connection's own."""
    everywhere = plan("post-request-renegotiation")
    [listener] = everywhere.listeners
    async with (
        serving(dataclasses.replace(everywhere, listeners=(dataclasses.replace(listener, host="0.0.0.0"),))) as running,
        await trio.open_tcp_stream("127.0.0.2", running.bound[0].port),
    ):
        [opened] = await running.wait_for(ConnectionOpened)
    assert opened.local == f"127.0.0.2:{running.bound[0].port}"


async def test_a_lab_says_at_once_what_it_has_to_say(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """Before anybody connects, and once: SSTP's complaint is about the machine's records, not about a client."""
    async with serving(plan("post-request-renegotiation", sstp_listener_port=8443)) as running:
        await running.wait_for(SstpCertificatesDiffer)
        await dial(running)
    assert running.events[0] == SstpCertificatesDiffer(0.0, 0, "", 8443, "server", "")
    assert len(running.of(SstpCertificatesDiffer)) == 1


async def test_evidence_is_whole_whenever_the_lab_waits(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """What is told together after several steps is all that was told of each, in the same order."""
    async with serving(plan()) as running:
        together: list[list[Event]] = []
        running.bus.record_steps(together.append)
        begun = len(running.events)
        peers = [await dial(running) for _ in range(3)]
        for peer in peers:
            await peer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        for peer in peers:
            assert (await peer.read_to_end()).startswith(b"HTTP/1.1 200")
            await peer.leave()
        await running.wait_for(ConnectionClosed, len(peers))
        assert [event for events in together for event in events] == running.events[begun:]


async def test_a_binding_without_its_certificate_resets(plan: Callable[..., LabPlan], serving: Serving) -> None:
    """On the wire it is a reset behind the hello, and not a byte of an answer; the port beside it goes on."""
    async with serving(plan("stale-binding")) as running:
        gone, other = running.bound
        with pytest.raises(ConnectionResetError):
            await trio.to_thread.run_sync(shake_hands, gone.port)
        with pytest.raises(ssl.SSLCertVerificationError):
            await trio.to_thread.run_sync(shake_hands, other.port)
        [event] = running.of(CertificateNotUsable)
        assert (event.connection, event.endpoint) == (1, f"0.0.0.0:{gone.port}")  # the one that is served
        closed = await running.wait_for(ConnectionClosed, 2)
        assert [one.how for one in closed if one.connection == 1] == ["reset"]


def shake_hands(port: int) -> None:
    """As a client that trusts nobody."""
    with socket.create_connection((LOOPBACK, port), timeout=30) as sock:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(sock, server_hostname="localhost").close()


async def test_a_defect_at_a_connections_start_ends_that_one_only(
    plan: Callable[..., LabPlan], serving: Serving, dial: Dial
) -> None:
    """A tap that raises when it hears of the first connection: that is told, and the next connection is served."""

    class Broken(type(NO_TAP)):  # type: ignore[misc]
        def open(self, number: int, peer: HostPort, local: HostPort, at: float) -> ConnectionTap:
            if number == 1:
                raise RuntimeError("no tap for the first")
            return NO_TAP.open(number, peer, local, at)

    async with serving(plan(), Broken()) as running:
        with socket.create_connection((running.bound[0].host, running.bound[0].port)):
            fault = (await running.wait_for(InternalFault))[0]
        assert (fault.connection, "no tap for the first" in fault.traceback) == (1, True)
        peer = await dial(running)
        await peer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await peer.read()).startswith(b"HTTP/1.1 200")
