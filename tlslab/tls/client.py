"""The TLS of the lab's own client: the peer that tests, the demo and the verifier drive."""

from __future__ import annotations

from OpenSSL import SSL

from tlslab.tls.engine import Engine

Session = SSL.Session
UNTIMED = 0.0  # nothing that the client's side does is told as an event, so no moment of it matters


class ClientTls(Engine):
    """The client's side of one connection; it offers `session` if there is one.

    Call `read(0)` once to make it send its ClientHello.
    """

    def __init__(self, context: SSL.Context, server_name: str, session: Session | None = None) -> None:
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if server_name.strip("0123456789.:"):  # RFC 6066, 3: an address is not a server name
            connection.set_tlsext_host_name(server_name.encode())
        if session is not None:
            connection.set_session(session)
        super().__init__(connection)

    def read(self, limit: int) -> bytes:
        """Give up to `limit` bytes of plaintext, b"" when there are none; handshakes on the way are carried on.

        With `limit` 0 only handshake messages pass, as far as no application data stands in front of them.
        """
        return self._read(limit, UNTIMED)

    def write(self, plaintext: bytes) -> bool:
        """Encrypt `plaintext`; False where a handshake on the way or a failure keeps it from going out."""
        return self._write(plaintext, UNTIMED)

    def close(self) -> None:
        """Send close_notify; the session stays resumable."""
        self._close(UNTIMED)

    def session(self) -> Session | None:
        """What this connection can be resumed with, once its handshake is complete."""
        return self._connection.get_session()
