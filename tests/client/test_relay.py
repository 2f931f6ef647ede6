"""The relay between a client and a server, over real sockets."""

from __future__ import annotations

import socket
import struct

import pytest
import trio

from tlslab.client.relay import open_relay

SIZE = 2 * 2**20
KERNEL = 2**20  # what small buffers of sockets hold at most, by a wide margin


@pytest.fixture
async def listener():
    """A server that accepts and does nothing more."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async with listener:
        yield listener


async def test_it_takes_as_much_as_it_was_told(listener, nursery) -> None:
    """A server that reads nothing: the client gets rid of the relay's bytes, and of few more; all come in order."""
    place = await open_relay(nursery, listener.socket.getsockname(), SIZE)
    async with await trio.open_tcp_stream(*place) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server = await listener.accept()
        sent = 0
        with trio.move_on_after(0.3):
            while True:
                sent += await client.socket.send(bytes([sent // 2**16 % 256]) * 2**16)
        assert SIZE <= sent <= SIZE + KERNEL
        received = b""
        while len(received) < sent:
            received += await server.receive_some(2**16)
        assert len(received) == sent
        await client.send_eof()
        assert await server.receive_some() == b""
        await server.send_all(b"answer")  # the other half is open
        assert await client.receive_some() == b"answer"
        await server.aclose()
        assert await client.receive_some() == b""


async def test_a_reset_is_passed_on(listener, nursery) -> None:
    """From the server to the client, while bytes wait."""
    place = await open_relay(nursery, listener.socket.getsockname(), SIZE)
    async with await trio.open_tcp_stream(*place) as client:
        await client.send_all(bytes(2**18))
        server = await listener.accept()
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
