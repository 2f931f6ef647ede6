"""The pump over real loopback sockets: reading and writing wait on nothing but the connection's own word."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import trio

from tlslab.core.plan import LabPlan
from tlslab.events import (
    ConnectionClosed,
    EntityBodyStalled,
    HttpErrLogged,
    PeerClosed,
    PeerReset,
    RequestReceived,
    ResponseSent,
    RetrievalCancelled,
    TimerExpired,
    TlsFailed,
    UnreadBytesChanged,
)
from tlslab.net.clock import RateClock
from tlslab.net.readiness import Readiness, make_readiness
from tlslab.types import Activity

if TYPE_CHECKING:
    from tests.net.conftest import Dial, Serving

Plan = Callable[..., LabPlan]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANY = 300


@pytest.fixture(params=[make_readiness, Readiness], ids=["best", "any-system"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's lab waits for its sockets as this system does best, and as every system can."""
    monkeypatch.setattr("tlslab.net.reactor.make_readiness", request.param)


def upload(size: int, sent: int | None = None) -> bytes:
    """Return a POST of `size` bytes of which `sent` are there."""
    head = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
    return head + bytes(size if sent is None else sent)


@pytest.mark.usefixtures("waiting")
async def test_an_upload_is_answered(plan: Plan, serving: Serving, dial: Dial) -> None:
    """A body that fits into the buffer gets its certificate and its 200."""
    async with serving(plan()) as running:
        peer = await dial(running)
        await peer.write(upload(40 * 1024))
        assert (await peer.read()).startswith(b"HTTP/1.1 200")
        await peer.leave()
        assert (await running.wait_for(ConnectionClosed))[0].how == "closed"


@pytest.mark.usefixtures("waiting")
async def test_an_early_answer_arrives_while_the_client_writes(plan: Plan, serving: Serving, dial: Dial) -> None:
    """Where the lab drains, a client that writes megabytes before it looks still finds the 400."""
    async with serving(plan()) as running:
        peer = await dial(running)
        await peer.write(b"this is not HTTP\r\n\r\n")
        await running.wait_for(ResponseSent)
        for _ in range(64):
            await peer.write(bytes(65536))
        assert (await peer.read_to_end()).startswith(b"HTTP/1.1 400")
        peer.sock.close()
        assert (await running.wait_for(ConnectionClosed))[0].how == "closed"


async def test_a_reset_tells_a_client_that_writes_nothing(plan: Plan, serving: Serving, dial: Dial) -> None:
    """The contrast: where the lab resets, the client's writing fails and there is nothing to read."""
    retrieval = {"kind": "early_async_drain", "max": 65536}
    async with serving(plan(**{"sites./upload.client_cert_retrieval": retrieval})) as running:
        peer = await dial(running)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await peer.write(upload(16 * 1024 * 1024))
        with pytest.raises((OSError, ssl.SSLError)):
            await peer.read_to_end()
        assert running.of(RetrievalCancelled)
        assert (await running.wait_for(ConnectionClosed))[0].how == "reset"


async def test_an_alert_arrives_while_the_client_writes(plan: Plan, serving: Serving, context: ssl.SSLContext) -> None:
    """A client of TLS 1.3 alone gets its alert although it went on writing before it looked."""
    context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_3
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    async with serving(plan()) as running:
        stream = await trio.open_tcp_stream(running.bound[0].host, running.bound[0].port)
        await stream.send_all(hello.read())
        assert (await running.wait_for(TlsFailed))[0].kind == "no_shared_protocol"
        for _ in range(8):
            await stream.send_all(bytes(65536))
        await stream.send_eof()
        with trio.fail_after(running.patience):
            assert b"".join([data async for data in stream]) == bytes.fromhex("15030300020246")  # protocol_version
        await stream.aclose()


@pytest.mark.usefixtures("waiting")
async def test_reading_goes_on_while_writing_is_blocked(plan: Plan, serving: Serving, dial: Dial) -> None:
    """A client that sends everything before it reads anything is read to the end; then it gets every answer."""
    requests = 800
    async with serving(plan()) as running:
        peer = await dial(running, receive_buffer=4096)
        for _ in range(requests // 100):
            await peer.write(GET * 100)
        await running.wait_for(ResponseSent, requests)
        content = b""
        while content.count(b"HTTP/1.1 200") < requests:
            piece = await peer.read()
            assert piece
            content += piece
        await peer.leave()
        assert (await running.wait_for(ConnectionClosed))[0].how == "closed"


async def test_a_stalled_upload_counts_what_waits(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock
) -> None:
    """The kernel's unread bytes are in the event of the stall, and are counted again while it lasts."""
    async with serving(plan(**{"timers.ssl_renegotiation": 100_000})) as running:
        peer = await dial(running)
        await peer.write(upload(200 * 1024, 60 * 1024))  # little enough for any receive buffer
        stall = (await running.wait_for(EntityBodyStalled))[0]
        assert (stall.body_buffered, stall.body_announced) == (40 * 1024, 200 * 1024)
        await peer.write(bytes(20 * 1024))
        counted = 0
        while counted < (80 - 40) * 1024:
            changed = (await running.wait_for(UnreadBytesChanged, len(running.of(UnreadBytesChanged)) + 1))[-1]
            counted = changed.socket_unread + changed.tls_unread
        assert counted < (80 - 40) * 1024 + 2048  # and what TLS adds to each record
        peer.sock.close()


@pytest.mark.usefixtures("waiting")
async def test_a_stalled_upload_ends_with_a_reset(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock
) -> None:
    """When the timer runs out the client sees a reset, never an orderly end."""
    async with serving(plan(**{"timers.ssl_renegotiation": 30})) as running:
        peer = await dial(running)
        await peer.write(upload(100 * 1024))
        with pytest.raises(ConnectionResetError):
            await peer.read()
        (expired,) = running.of(TimerExpired)
        (stalled,) = running.of(EntityBodyStalled)
        assert expired.at - stalled.at >= 30 - 1
        assert [line.reason for line in running.of(HttpErrLogged)] == ["Timer_SslRenegotiation"]


@pytest.mark.usefixtures("waiting")
async def test_a_stalled_peer_that_stays_is_not_taken_for_gone(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock
) -> None:
    """Reading goes on after 30 s: the ClientHello was there all the time, and the same connection answers."""
    overrides = {"sites./upload.client_cert_retrieval.read_on_after": 30, "timers.ssl_renegotiation": 100_000}
    async with serving(plan(**overrides)) as running:
        peer = await dial(running)
        await peer.write(upload(100 * 1024))
        assert (await peer.read()).startswith(b"HTTP/1.1 200")
        assert not running.of(PeerClosed)
        peer.sock.close()


@pytest.mark.parametrize("with_reset", [False, True], ids=["fin", "reset"])
async def test_a_client_that_leaves_a_stall_is_noticed(
    plan: Plan, serving: Serving, dial: Dial, with_reset: bool
) -> None:
    """FIN and reset behind unread bytes end the connection now, not when the timer does."""
    async with serving(plan()) as running:
        peer = await dial(running)
        await peer.write(upload(100 * 1024))
        await running.wait_for(EntityBodyStalled)
        await peer.leave(with_reset=with_reset)
        left = (await running.wait_for(PeerReset if with_reset else PeerClosed))[0]
        assert left.during is Activity.CERTIFICATE_RETRIEVAL
        await running.wait_for(ConnectionClosed)
        assert not running.of(TimerExpired)


async def test_a_client_whose_fin_is_stuck_is_noticed(
    plan: Plan, serving: Serving, dial: Dial, fast_clock: RateClock
) -> None:
    """A client on this machine that closes with more unsent than the window takes is found all the same, and told."""
    async with serving(plan(**{"timers.ssl_renegotiation": 100_000})) as running:
        peer = await dial(running)
        await peer.write(upload(64 * 1024 * 1024, 100 * 1024))
        await running.wait_for(EntityBodyStalled)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(peer.sock.fileno(), bytes(65536))
        assert await peer.sock.recv(65536)  # the HelloRequest: what is left unread makes a reset of a close
        peer.sock.close()
        (left,) = await running.wait_for(PeerClosed)
        assert left.fin_stuck
        await running.wait_for(ConnectionClosed)
        assert not running.of(TimerExpired)


@pytest.mark.soak
async def test_many_stalled_uploads_leave_one_by_one(plan: Plan, serving: Serving, dial: Dial) -> None:
    """300 clients freeze at once; each is noticed when it goes, and only then."""
    async with serving(plan()) as running:
        peers = [await dial(running) for _ in range(MANY)]
        for peer in peers:
            await peer.write(upload(100 * 1024))
        assert len(await running.wait_for(EntityBodyStalled, MANY)) == MANY
        assert not running.of(ConnectionClosed)
        for number, peer in enumerate(peers):
            await peer.leave(with_reset=bool(number % 2))
            if number == MANY // 2 - 1:
                await running.wait_for(ConnectionClosed, MANY // 2)
                assert len(running.of(ConnectionClosed)) == MANY // 2
        closed = await running.wait_for(ConnectionClosed, MANY)
        assert {event.connection for event in closed} == set(range(1, MANY + 1))
        assert (len(running.of(PeerClosed)), len(running.of(PeerReset))) == (MANY // 2, MANY // 2)
        for peer in peers:
            peer.sock.close()


async def test_a_client_that_leaves_before_it_says_anything(plan: Plan, serving: Serving) -> None:
    """A connection without a byte is no error."""
    async with serving(plan()) as running:
        stream = await trio.open_tcp_stream(running.bound[0].host, running.bound[0].port)
        await stream.aclose()
        assert (await running.wait_for(PeerClosed))[0].during is Activity.TLS_HANDSHAKE
        await running.wait_for(ConnectionClosed)


async def test_a_silent_client_is_ended_by_the_header_timer(
    plan: Plan, serving: Serving, fast_clock: RateClock
) -> None:
    """A connection on which nothing comes is ended by http.sys's timer, in lab time."""
    async with serving(plan(**{"timers.header_wait": 30})) as running:
        stream = await trio.open_tcp_stream(running.bound[0].host, running.bound[0].port)
        with pytest.raises(trio.BrokenResourceError), trio.fail_after(running.patience):
            await stream.receive_some()
        assert [line.reason for line in running.of(HttpErrLogged)] == ["Timer_HeaderWait"]
        await stream.aclose()


@pytest.mark.usefixtures("waiting")
async def test_bytes_that_trickle_are_put_together(plan: Plan, serving: Serving, context: ssl.SSLContext) -> None:
    """A ClientHello that comes byte by byte is read like any other."""
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    async with serving(plan()) as running:
        stream = await trio.open_tcp_stream(running.bound[0].host, running.bound[0].port)
        for byte in hello.read():
            await stream.send_all(bytes([byte]))
        with trio.fail_after(running.patience):
            assert (await stream.receive_some(1)) == b"\x16"
        await stream.aclose()


async def test_requests_on_one_connection_are_answered_in_order(plan: Plan, serving: Serving, dial: Dial) -> None:
    """Pipelined requests are told in the order they were sent."""
    async with serving(plan()) as running:
        peer = await dial(running)
        targets = [f"/{number}" for number in range(20)]
        await peer.write(b"".join(GET.replace(b"/ ", target.encode() + b" ", 1) for target in targets))
        await running.wait_for(ResponseSent, 20)
        assert [event.target for event in running.of(RequestReceived)] == targets
        assert [event.target for event in running.of(ResponseSent)] == targets
        peer.sock.shutdown(socket.SHUT_RDWR)
        peer.sock.close()
