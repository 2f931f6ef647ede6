"""A TCP relay on loopback that takes bytes off a client's hands before the server has read them: bufferbloat to order.

The sockets have buffers of their own; the relay keeps its own two as small as the system lets it, so that what it
takes is what it was told to, and some kilobytes.
"""

from __future__ import annotations

import socket
import struct

import trio

CHUNK = 64 * 1024
SMALLEST = 4096  # bytes that the system is asked to buffer; Linux makes some more of it
LINGER_RESET = struct.pack("ii", 1, 0)
Place = tuple[str, int]


async def open_relay(nursery: trio.Nursery, target: Place, buffer_bytes: int) -> Place:
    """Relay to `target` until the nursery ends, and say where to connect; each connection has a buffer of its own.

    Resets and half-closes are passed on, in both directions.
    """
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST)  # its connections inherit it

    async def relay(client: trio.SocketStream) -> None:
        async with client, await trio.open_tcp_stream(*target) as server:
            server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST)
            await _Connection(client, server, buffer_bytes).run()

    nursery.start_soon(trio.serve_listeners, relay, [listener])
    host, port = listener.socket.getsockname()[:2]
    return host, port


class _Connection:
    """Both directions of one connection; what waits in the relay towards the server is never more than its buffer."""

    def __init__(self, client: trio.SocketStream, server: trio.SocketStream, buffer_bytes: int) -> None:
        self._client, self._server = client, server
        self._size = buffer_bytes
        self._tank = bytearray()
        self._client_ended = False
        self._changed = trio.Event()

    async def run(self) -> None:
        """Relay until both directions have ended, or one of the two resets."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._fill)
                nursery.start_soon(self._drain)
                nursery.start_soon(self._answer)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            for stream in (self._client, self._server):
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _fill(self) -> None:
        while True:
            while len(self._tank) >= self._size:
                await self._changed.wait()
            data = await self._client.receive_some(min(CHUNK, self._size - len(self._tank)))
            self._tank += data
            self._client_ended = not data
            self._tell()
            if not data:
                return

    async def _drain(self) -> None:
        while self._tank or not self._client_ended:
            if not self._tank:
                await self._changed.wait()
                continue
            piece = bytes(self._tank[:CHUNK])
            await self._server.send_all(piece)
            del self._tank[: len(piece)]  # now, and not before: until it is sent it is here
            self._tell()
        await self._server.send_eof()

    async def _answer(self) -> None:
        async for data in self._server:
            await self._client.send_all(data)
        await self._client.send_eof()
