"""The clients of a measurement: a fixed number of units, then an end. Their own CPU time does not count.

Run as `python -m bench.load KIND COUNT PORT CA CERT KEY`: each call is one process that works alone, one thing after
the other. KIND is a key of `KINDS`; `hold` says `held` once every upload is stalled, and holds them until its standard
input ends.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import sys
from collections.abc import Callable

CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"
TIMEOUT_SECONDS = 20.0
HELD_BYTES = 112 * 1024
UPLOAD_BYTES = 8 * 1024 * 1024
RECORD_BYTES = 16 * 1024  # the most a TLS record holds, as curl and others write it


def context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """A client of TLS 1.2 and one cipher, with a client certificate, that resumes nothing."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHER)
    made.load_verify_locations(ca)
    made.load_cert_chain(cert, key)
    return made


def connect(tls: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    """A new connection, its handshake done."""
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(plain, server_hostname="localhost")


def get(sock: ssl.SSLSocket, path: str, *, close: bool) -> int:
    """One GET and its answer; how many bytes of body it had."""
    last = "Connection: close\r\n" if close else ""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
    return answer(sock)


def answer(sock: ssl.SSLSocket) -> int:
    """Read one answer, and say how long its body was; anything but a whole 200 is an error."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(sock)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not a 200: {head!r} {body!r}")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:")
    while len(body) < length:
        body += _some(sock)
    return length


def _some(sock: ssl.SSLSocket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise SystemExit("the server closed the connection too early")
    return data


def one_connection(path: str) -> Callable[[ssl.SSLContext, int, int], None]:
    """Connect, GET, read to the end, close: so many times."""

    def work(tls: ssl.SSLContext, port: int, count: int) -> None:
        for _ in range(count):
            with connect(tls, port) as sock:
                get(sock, path, close=True)
                if sock.recv(1):
                    raise SystemExit("more came than was announced")

    return work


def keepalive(tls: ssl.SSLContext, port: int, count: int) -> None:
    """So many GETs on one connection."""
    with connect(tls, port) as sock:
        for _ in range(count):
            get(sock, "/open", close=False)


def upload(tls: ssl.SSLContext, port: int, count: int) -> None:
    """So many uploads, one after the other on one connection, to the path that never asks."""
    head = f"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n".encode()
    with connect(tls, port) as sock:
        for _ in range(count):
            sock.sendall(head)
            sock.sendall(bytes(UPLOAD_BYTES))
            answer(sock)


def hold(tls: ssl.SSLContext, port: int, count: int) -> None:
    """So many uploads at once, each stalled: the server has asked for the certificate and reads no more."""
    held = [_upload(tls, port) for _ in range(count)]
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
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()


def _upload(tls: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    sock = connect(tls, port)
    sock.setblocking(False)
    head = f"POST /secure HTTP/1.1\r\nHost: localhost\r\nContent-Length: {HELD_BYTES}\r\n\r\n"
    try:
        sock.send(head.encode())
        for _ in range(HELD_BYTES // RECORD_BYTES):
            sock.send(bytes(RECORD_BYTES))
    except ssl.SSLWantWriteError:
        pass  # the socket takes no more: as stalled as it gets
    return sock


KINDS = {
    "cycle": one_connection("/secure"),
    "connect": one_connection("/open"),
    "keepalive": keepalive,
    "upload": upload,
    "hold": hold,
}


def main(kind: str, count: str, port: str, *files: str) -> None:
    """Do the units."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    KINDS[kind](context(*files), int(port), int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
