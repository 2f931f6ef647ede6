"""The TLS of the lab's own client: the peer that tests, the demo and the verifier drive."""

from __future__ import annotations

from OpenSSL import SSL

from tlslab.recorder import Recorder
from tlslab.tls.engine import Engine

Session = SSL.Session


class ClientTls(Engine):
    """The client's side of one connection; it offers `session` if there is one.

    Call `read(0)` once to make it send its ClientHello.
    """

    def __init__(
        self, context: SSL.Context, server_name: str, emit: Recorder | None = None, session: Session | None = None
    ) -> None:
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if server_name.strip("0123456789.:"):  # RFC 6066, 3: an address is not a server name
            connection.set_tlsext_host_name(server_name.encode())
        if session is not None:
            connection.set_session(session)
        super().__init__(connection, emit or Recorder(0, frozenset(), 0.0))

    def session(self) -> Session | None:
        """What this connection can be resumed with, once its handshake is complete."""
        return self._connection.get_session()
