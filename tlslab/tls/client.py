"""The TLS of the lab's own client: the peer that tests, the demo and the verifier drive."""

from __future__ import annotations

from OpenSSL import SSL

from tlslab.errors import WireError
from tlslab.tls import _openssl
from tlslab.tls.engine import Engine
from tlslab.types import frozen_for_mypy
from tlslab.wire.alerts import ALERT_BYTES, Alert
from tlslab.wire.handshake import message_name
from tlslab.wire.records import ContentType, parse_record_header_untrusted

Session = SSL.Session
UNTIMED = 0.0  # nothing that the client's side does is told as an event, so no moment of it matters


@frozen_for_mypy
class TlsPassed:
    """A handshake message or an alert that passed, by the RFC's name; `length` is without its header."""

    sent: bool
    name: str
    length: int
    is_alert: bool


class ClientTls(Engine):
    """The client's side of one connection; it offers `session` if there is one.

    Call `read(0)` once to make it send its ClientHello.

    With `checks_host` the server's certificate has to be for that name or address, whatever `server_name` says.
    While `holds_answer` is set, a CertificateRequest is not answered: `was_asked` says that one waits for `answer`.
    One that `ignores_renegotiation` leaves a HelloRequest where it is, and all that comes behind it: `was_ignored`.
    """

    def __init__(
        self,
        context: SSL.Context,
        server_name: str,
        session: Session | None = None,
        *,
        checks_host: str = "",
        ignores_renegotiation: bool = False,
    ) -> None:
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if server_name.strip("0123456789.:"):  # RFC 6066, 3: an address is not a server name
            connection.set_tlsext_host_name(server_name.encode())
        if checks_host:
            _openssl.expect_server(connection, checks_host)
        if session is not None:
            connection.set_session(session)
        super().__init__(connection)
        self._ignores_renegotiation = ignores_renegotiation
        self.was_ignored = False
        self.holds_answer = False
        self.was_asked = False
        self._passed: list[TlsPassed] = []

    def read(self, limit: int) -> bytes:
        """Give up to `limit` bytes of plaintext, b"" when there are none; handshakes on the way are carried on.

        With `limit` 0 only handshake messages pass, as far as no application data stands in front of them.
        """
        return self._read(limit, UNTIMED)

    def write(self, plaintext: bytes) -> bool:
        """Encrypt `plaintext`; False where a handshake on the way or a failure keeps it from going out."""
        return self._write(plaintext, UNTIMED)

    def answer(self) -> None:
        """Answer the CertificateRequest that waits, and from now on at once; `read` carries the handshake on."""
        self.holds_answer = self.was_asked = self._starved = False

    def close(self) -> None:
        """Send close_notify; the session stays resumable."""
        self._close(UNTIMED)

    def session(self) -> Session | None:
        """What this connection can be resumed with, once its handshake is complete."""
        return self._connection.get_session()

    def take_passed(self) -> list[TlsPassed]:
        """Give the messages and alerts that have passed since the last call, in the order of the wire."""
        passed, self._passed = self._passed, []
        return passed

    # --- inside ------------------------------------------------------------------------------------

    def may_answer(self) -> bool:
        """Answer a CertificateRequest, or note that somebody has to say when."""
        self.was_asked = self.holds_answer
        return not self.holds_answer

    def _on_handshake_message(self, sent: bool, code: int, length: int, body: bytes, now: float) -> None:
        self._passed.append(TlsPassed(sent, message_name(code), length, is_alert=False))

    def _on_alert(self, sent: bool, alert: Alert, now: float) -> None:
        self._passed.append(TlsPassed(sent, alert.name, ALERT_BYTES, is_alert=True))

    def _feed_record(self) -> bool:
        if self._ignores_renegotiation and self.established and not self._record_left and self._is_handshake_in_front():
            self.was_ignored = True
            return False
        return super()._feed_record()

    def _is_handshake_in_front(self) -> bool:
        """Whether the server begins a handshake: below TLS 1.3, where the record says so, it can be a HelloRequest."""
        try:
            header = parse_record_header_untrusted(self._ciphertext, 0)
        except WireError:
            return False
        return header is not None and header.content_type == ContentType.HANDSHAKE
