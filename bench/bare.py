"""The least that does a lab's work with the same libraries: no events, no policies, no timers, no untrusted bytes.

What tlslab costs above this is what its features cost. Run as `python -m bench.bare PORT CHAIN KEY CLIENT_CA`; with
`--sha256` behind it, it also tells the SHA-256 of each body. An answer's body has BODY_BYTES of the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from functools import partial

import h11
import trio
from OpenSSL import SSL

READ_BYTES = 16 * 1024
BUFFER = 40 * 1024  # how much of an upload is read before the certificate is asked for
NO_RESUMPTION_ON_RENEGOTIATION = 0x10000
BODY_BYTES = int(os.environ.get("BODY_BYTES", "300"))


class Bare:
    """One connection."""

    def __init__(self, stream: trio.SocketStream, context: SSL.Context, hashes: bool) -> None:
        self.stream, self.hashes = stream, hashes
        self.tls = SSL.Connection(context, None)
        self.tls.set_accept_state()
        self.http = h11.Connection(h11.SERVER)

    async def flush(self) -> None:
        with suppress(SSL.WantReadError):
            await self.stream.send_all(self.tls.bio_read(65536))

    async def more(self) -> None:
        await self.flush()
        data = await self.stream.receive_some(READ_BYTES)
        if not data:
            raise EOFError
        self.tls.bio_write(data)

    async def next_event(self) -> h11.Event:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            try:
                self.http.receive_data(self.tls.recv(READ_BYTES))
            except SSL.WantReadError:
                await self.more()
        assert not isinstance(event, type)
        return event

    async def handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                return await self.flush()
            except SSL.WantReadError:
                await self.more()

    async def certificate(self) -> None:
        self.tls.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.tls.renegotiate()
        self.tls.do_handshake()
        while self.tls.renegotiate_pending():
            await self.more()
            with suppress(SSL.WantReadError):
                self.tls.recv(READ_BYTES)
                await trio.sleep_forever()  # body in front of the answer: the freeze

    async def request(self) -> None:
        head = await self.next_event()
        assert isinstance(head, h11.Request)
        digest = hashlib.sha256() if self.hashes else None
        received, wanted = 0, head.target == b"/secure" and self.tls.get_peer_certificate() is None
        while not isinstance(event := await self.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            received += len(event.data)
            if digest:
                digest.update(event.data)
            if wanted and received >= BUFFER:
                await self.certificate()
        if wanted:
            await self.certificate()
        await self.answer(head.target.decode(), digest.hexdigest() if digest else None)

    async def answer(self, path: str, digest: str | None) -> None:
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        subject = certificate.subject.rfc4514_string() if certificate else None
        body = json.dumps({"path": path, "subject": subject, "sha256": digest}).encode().ljust(BODY_BYTES)
        status = 403 if path == "/secure" and subject is None else 200
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.tls.sendall(self.http.send(event) or b"")
        await self.flush()

    async def run(self) -> None:
        await self.handshake()
        while True:
            await self.request()
            if self.http.our_state is h11.MUST_CLOSE:
                self.tls.shutdown()
                return await self.flush()
            self.http.start_next_cycle()


async def serve(context: SSL.Context, hashes: bool, stream: trio.SocketStream) -> None:
    """Serve one connection until it is over."""
    async with stream:
        with suppress(EOFError, trio.BrokenResourceError, SSL.Error):
            await Bare(stream, context, hashes).run()


def main(port: str, chain: str, key: str, client_ca: str, *options: str) -> None:
    """Serve on loopback until killed."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate_chain_file(chain)
    context.use_privatekey_file(key)
    context.load_verify_locations(client_ca)
    context.set_options(SSL.OP_NO_TICKET | NO_RESUMPTION_ON_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(b"bare")
    trio.run(partial(trio.serve_tcp, partial(serve, context, "--sha256" in options), int(port), host="127.0.0.1"))


if __name__ == "__main__":
    main(*sys.argv[1:])
