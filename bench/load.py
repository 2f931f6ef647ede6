"""The clients of a measurement: a fixed number of units, then an end. Their own CPU time does not count.

Run as `python -m bench.load KIND COUNT PORT LENGTH CA CERT KEY`: each call is one process that works alone, one thing
after the other. It says `ready` and begins when a line comes in. KIND is a key of `KINDS`; LENGTH is how many bytes of
body each answer must have, 0 where it does not matter. `wait` prints how long each connection took, as a list of
milliseconds. `hold` and `fill` say `held` once they have what they should, and hold it until their input ends.

Whatever is not as it should be ends a client with an error: an answer of another length, a session that was resumed, a
cycle without a second handshake.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"
TIMEOUT_SECONDS = 20.0
HELD_BYTES = 64 * 1024  # what is not read fits into the socket: no client asks the kernel again and again for room
UPLOAD_BYTES = 8 * 1024 * 1024
RECORD_BYTES = 16 * 1024  # the most a TLS record holds, as curl and others write it


@dataclass(frozen=True, slots=True)
class Peer:
    """The server: how to greet it, where it is, and how long its answers must be (0: as they are)."""

    tls: ssl.SSLContext
    port: int
    length: int = 0

    def connect(self, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A new connection, its handshake done; a full one unless a session is offered."""
        plain = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = self.tls.wrap_socket(plain, server_hostname="localhost", session=session)
        if sock.session_reused is not (session is not None):
            raise SystemExit("a session was resumed" if session is None else "the server no longer has the session")
        return sock

    def get(self, sock: ssl.SSLSocket, path: str, *, close: bool) -> int:
        """One GET and its answer; how many bytes of body it had."""
        last = "Connection: close\r\n" if close else ""
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
        return self.answer(sock)

    def post(self, sock: ssl.SSLSocket) -> int:
        """One upload to the path that never asks, and its answer; how many bytes of body that had."""
        sock.sendall(f"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n".encode())
        sock.sendall(bytes(UPLOAD_BYTES))
        return self.answer(sock)

    def answer(self, sock: ssl.SSLSocket) -> int:
        """Read one answer, and say how long its body was; anything but a whole 200 of that length is an error."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += _some(sock)
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not a 200: {head!r} {body!r}")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < length:
            body += _some(sock)
        if self.length and len(body) != self.length:
            raise SystemExit(f"an answer of {len(body)} bytes, and the lab's has {self.length}: no fair comparison")
        return len(body)


def context(ca: str, *certificate: str) -> ssl.SSLContext:
    """A client of TLS 1.2 and one cipher, with the client certificate and key that are named, if they are."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHER)
    made.load_verify_locations(ca)
    if certificate:
        made.load_cert_chain(*certificate)
    return made


def _some(sock: ssl.SSLSocket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise SystemExit("the server closed the connection too early")
    return data


# --- the kinds of work -----------------------------------------------------------------------------------------------


def visit(peer: Peer, path: str) -> None:
    """Connect, GET, read to the end, close."""
    with peer.connect() as sock:
        first = sock.get_channel_binding("tls-unique")  # the latest handshake's Finished, so each has another
        peer.get(sock, path, close=True)
        again = sock.get_channel_binding("tls-unique") != first
        if again is not (path == "/secure") or sock.session_reused:
            raise SystemExit(f"{path}: a second, full handshake was {'' if again else 'not '}made")
        if sock.recv(1):
            raise SystemExit("more came than was announced")


def cycle(peer: Peer, count: int) -> None:
    """So many connections to the path that asks for the certificate."""
    for _ in range(count):
        visit(peer, "/secure")


def connect(peer: Peer, count: int) -> None:
    """So many connections to the path that never asks."""
    for _ in range(count):
        visit(peer, "/open")


def wait(peer: Peer, count: int) -> None:
    """The same, each on the clock: from before it connects until its answer is there and the connection closed."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        visit(peer, "/open")
        took.append((time.perf_counter() - begun) * 1000)
    sys.stdout.write(json.dumps(took))


def keepalive(peer: Peer, count: int) -> None:
    """So many GETs on one connection."""
    with peer.connect() as sock:
        for _ in range(count):
            peer.get(sock, "/open", close=False)


def upload(peer: Peer, count: int) -> None:
    """So many uploads, one after the other on one connection."""
    with peer.connect() as sock:
        for _ in range(count):
            peer.post(sock)


def hold(peer: Peer, count: int) -> None:
    """So many uploads at once, each stalled: the server has asked for the certificate and reads no more."""
    held = [_stalled(peer) for _ in range(count)]
    waiting = select.poll()
    for sock in held:
        waiting.register(sock, select.POLLIN)
    left = count
    while left:
        ready = waiting.poll(TIMEOUT_SECONDS * 1000)
        if not ready:
            raise SystemExit(f"{left} uploads were never asked for a certificate")
        for fd, _events in ready:  # HelloRequest has come; nobody reads it, or it would be answered
            waiting.unregister(fd)
            left -= 1
    _say("held")
    sys.stdin.read()


def _stalled(peer: Peer) -> ssl.SSLSocket:
    sock = peer.connect()
    sock.setblocking(False)
    head = f"POST /secure HTTP/1.1\r\nHost: localhost\r\nContent-Length: {HELD_BYTES}\r\n\r\n"
    try:
        sock.send(head.encode())
        for _ in range(HELD_BYTES // RECORD_BYTES):
            sock.send(bytes(RECORD_BYTES))
    except ssl.SSLWantWriteError:
        pass  # the socket takes no more: as stalled as it gets
    return sock


def fill(peer: Peer, count: int) -> None:
    """So many connections, one after the other; that the session of the first is still there proves that all are."""
    with peer.connect() as sock:
        first = sock.session
        peer.get(sock, "/open", close=True)
    connect(peer, count - 1)
    with peer.connect(first) as sock:
        peer.get(sock, "/open", close=True)
    _say("held")
    sys.stdin.read()


def refuses(peer: Peer) -> bool:
    """Whether a client without a certificate gets something else than 200 where one is required."""
    try:
        with peer.connect() as sock:
            sock.sendall(b"GET /secure HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return not sock.recv(65536).startswith(b"HTTP/1.1 200")
    except (ssl.SSLError, ConnectionError):
        return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


KINDS: dict[str, Callable[[Peer, int], None]] = {
    work.__name__: work for work in (cycle, connect, wait, keepalive, upload, hold, fill)
}


def main(kind: str, count: str, port: str, length: str, *files: str) -> None:
    """Do the units."""
    peer = Peer(context(*files), int(port), int(length))
    _say("ready")
    sys.stdin.readline()
    KINDS[kind](peer, int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
