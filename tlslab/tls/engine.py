"""What the server's and the client's TLS have in common: bytes in, bytes out, no I/O (pyOpenSSL over memory BIOs).

Theory of operation. Received bytes are kept as they came. OpenSSL is given one record at a time, as far as it has come,
and the next only when all of the last has been taken from here. So at most one record is decrypted that nobody wants.
That is what makes the lab's freeze real and countable: a record nobody reads stays unread, and a handshake message that
follows it is not seen by anyone, OpenSSL included. Whole records of a handshake that stand one behind the other are
given at once, for there is nothing in them to take.

OpenSSL reports messages and alerts from inside its own calls, where nothing of it may be called again. They are put
aside, and looked at in the order of the wire once the call has returned: by `_report`, after each call.
"""

from __future__ import annotations

from contextlib import suppress

from OpenSSL import SSL

from tlslab.errors import WireError
from tlslab.tls import _openssl
from tlslab.tls.failures import Failure, classify
from tlslab.wire.alerts import Alert, parse_alert_untrusted
from tlslab.wire.records import HEADER_BYTES as RECORD_HEADER_BYTES
from tlslab.wire.records import ContentType, parse_record_header_untrusted

# OpenSSL's memory BIO keeps a third more than the largest piece it ever got: 22 KiB if it got whole records.
SMALL_READ_BYTES = 4096
MOST_AT_ONCE = 16 * 1024  # chosen: bytes of a handshake's records in one piece, for a ClientHello may have 128 KiB
HEADER_BYTES = 4  # of a handshake message: type and length
APPLICATION_DATA = bytes([ContentType.APPLICATION_DATA])  # what a record of it begins with; in TLS 1.3 others do, too
OF_A_HANDSHAKE = (ContentType.HANDSHAKE, ContentType.CHANGE_CIPHER_SPEC)
TlsMessage = tuple[bool, int, int, int, bytes]


class Engine:
    """One side of a TLS connection.

    What `data_to_send` gives belongs on the wire: call it before you wait for the peer. Nothing here raises on what a
    peer does: `failure` and `said_close_notify` say how it ended, and once one of them is set nothing more is read.
    `unsent_plaintext` counts bytes of plaintext written since `data_to_send`.

    `ClientTls` and `ServerTls` add read, write and close. What passes reaches their `_on_` methods, and `now` (lab time
    in seconds) with it.
    """

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self._ciphertext = bytearray()
        self._plaintext = b""  # of one record, taken out of OpenSSL: its own buffer has room for the largest
        self._record_left = 0  # bytes of the record in front that OpenSSL has not been given
        self._record_fed = 0  # bytes of it that OpenSSL has; 0 once it has all
        self._starved = False  # OpenSSL has taken up all that it got: asked again, it would say the same
        self._messages: list[TlsMessage] = []
        self.established = False
        self.failure: Failure | None = None
        self.said_close_notify = False
        self.unsent_plaintext = 0
        _openssl.send_messages_to(connection, self)

    # --- bytes -------------------------------------------------------------------------------------

    def receive(self, ciphertext: bytes) -> None:
        """Keep bytes from the wire until a read takes them up."""
        self._ciphertext += ciphertext

    def _read(self, limit: int, now: float) -> bytes:
        """Give up to `limit` bytes of plaintext, b"" when there are none; handshakes on the way are carried on.

        They are of one record; with a `limit` beyond what a record holds, also of those whose whole has room in it.
        With `limit` 0 the handshake messages in front of the next application data pass, and the data stays.
        """
        data = self._read_record(limit, now)
        if not data or limit <= _openssl.BUFFER_BYTES or not self._ciphertext:
            return data
        return b"".join([data, *self._read_on(limit - len(data), now)])

    def _read_record(self, limit: int, now: float) -> bytes:
        """The same, of one record."""
        while self.failure is None and not self.said_close_notify:
            if not (self._plaintext or self._starved):
                self._take(now)
            if self._plaintext:
                return self._give(limit)
            self._starved = not self._feed_record()
            if self._starved:
                break
        return b""

    def _read_on(self, room: int, now: float) -> list[bytes]:
        """Give the whole records of data that stand behind one that was taken, as far as there is room for them.

        Nothing but OpenSSL is asked between two records: the way of `_read_record` takes twice as many calls for each.
        """
        pieces: list[bytes] = []
        ciphertext, start = bytes(self._ciphertext), 0
        while (end := _end_of_data_untrusted(ciphertext, start)) and end - start <= room:
            _openssl.feed(self._connection, ciphertext[start:end])
            start = end
            self._take(now)
            if not self._plaintext:  # a failure, a goodbye, or in TLS 1.3 another message
                break
            pieces.append(self._plaintext)
            room -= len(self._plaintext)
            self._plaintext = b""
        del self._ciphertext[:start]
        return pieces

    @property
    def unread(self) -> int:
        """Bytes received that nobody has taken: ciphertext not decrypted, and plaintext not read."""
        return self._record_fed + len(self._ciphertext) + len(self._plaintext)

    @property
    def read_limit(self) -> int:
        """How many bytes to bring next so that little is held: the rest of a record that has begun, a page at most."""
        return min(self._record_left or SMALL_READ_BYTES, SMALL_READ_BYTES)

    @property
    def pending_plaintext(self) -> int:
        """Bytes of plaintext that are ready and that nobody has taken."""
        return len(self._plaintext)

    @property
    def blocked(self) -> bool:
        """Whether plaintext that nobody took stands in front of everything else."""
        return bool(self._plaintext)

    def _write(self, plaintext: bytes, now: float) -> bool:
        """Encrypt `plaintext`; False where a handshake on the way or a failure keeps it from going out."""
        try:
            if not _openssl.write(self._connection, plaintext):
                return False
        except SSL.WantX509LookupError:
            return False
        except SSL.Error as error:
            self._fail(error, now)
            return False
        finally:
            self._report(now)
        self.unsent_plaintext += len(plaintext)
        return True

    def data_to_send(self) -> bytes:
        """Give the bytes that belong on the wire now."""
        self.unsent_plaintext = 0
        return _openssl.take_output(self._connection)

    def _close(self, now: float) -> None:
        """Send close_notify, if the connection got as far as that."""
        if self.failure is None and self.established:
            try:
                self._connection.shutdown()
            except SSL.Error:
                self._messages.clear()
            self._report(now)

    def leave_resumable(self) -> None:
        """Send nothing more; OpenSSL keeps the session as if both sides had said close_notify."""
        self._connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def look_for_close_notify(self, ciphertext: bytes) -> None:
        """Take bytes that nobody reads any more, and only see whether an alert is among the records: a goodbye, then.

        An alert of TLS 1.3 looks like data, but its sessions are nobody's business here.
        """
        self.receive(ciphertext)
        with suppress(WireError):
            while header := parse_record_header_untrusted(self._ciphertext, self._record_left):
                end = self._record_left + RECORD_HEADER_BYTES + header.length
                if end > len(self._ciphertext):
                    return
                self.said_close_notify = self.said_close_notify or header.content_type == ContentType.ALERT
                del self._ciphertext[:end]
                self._record_left = 0

    # --- inside ------------------------------------------------------------------------------------

    def on_message(self, sent: bool, content_type: int, first: int, length: int, body: bytes) -> None:
        """Keep a message that OpenSSL reports (`_openssl.MessageSink`); `_report` tells of it when OpenSSL is done."""
        self._messages.append((sent, content_type, first, length, body))

    def may_answer(self) -> bool:
        """Answer a CertificateRequest at once (`_openssl.MessageSink`)."""
        return True

    def _take(self, now: float) -> None:
        """Let OpenSSL take up what it has been given; of application data that is one record, and nothing behind it."""
        try:
            self.established = self.established or _openssl.handshake(self._connection)
            if self.established:
                self._plaintext = _openssl.read(self._connection)
                self._starved = bool(self._plaintext)
        except SSL.ZeroReturnError:
            self.said_close_notify = True
        except SSL.WantX509LookupError:
            return  # a client that does not answer yet
        except SSL.Error as error:
            self._fail(error, now)
        finally:
            self._report(now)

    def _give(self, limit: int) -> bytes:
        data = self._plaintext
        self._plaintext = data[limit:]
        return data[:limit]

    def _feed_record(self) -> bool:
        """Give OpenSSL what is here of what stands in front; it makes nothing of a record before the rest has come."""
        if not self._ciphertext:
            return False
        if not self._record_left:
            self._record_left, self._record_fed = self._front_bytes(), 0
        with memoryview(self._ciphertext) as view:  # slicing the bytearray itself would copy twice
            piece = bytes(view[: self._record_left])
        if piece:
            del self._ciphertext[: len(piece)]
            self._record_left -= len(piece)
            self._record_fed = self._record_fed + len(piece) if self._record_left else 0
            _openssl.feed(self._connection, piece)
        return bool(piece)

    def _front_bytes(self) -> int:
        """How long the record in front is, or all that are whole and of a handshake; 0 while that is not known."""
        start = 0
        try:
            while header := parse_record_header_untrusted(self._ciphertext, start):
                end = start + RECORD_HEADER_BYTES + header.length
                is_whole = end <= len(self._ciphertext)
                if header.content_type not in OF_A_HANDSHAKE or not is_whole or (start and end > MOST_AT_ONCE):
                    return start or end
                start = end
        except WireError:  # OpenSSL knows the alert that belongs to it
            return start or len(self._ciphertext)
        return start

    def _fail(self, error: SSL.Error, now: float) -> None:
        failure = classify(error)
        self._give_up(failure)
        self._on_failure(failure, now)

    def _give_up(self, failure: Failure) -> None:
        self.failure = failure
        self._ciphertext.clear()
        self._plaintext = b""
        self._record_left = self._record_fed = 0

    def _report(self, now: float) -> None:
        """Report the kept messages in the order of the wire, then look how far that has come."""
        if self._messages:
            messages, self._messages = self._messages, []
            failed_before = self.failure is not None
            for sent, content_type, first, length, body in messages:
                if self.failure is not None and not failed_before:  # by one of these: none behind it was looked at
                    return
                if content_type == _openssl.ALERT:
                    self._on_alert(sent, parse_alert_untrusted(body), now)
                else:
                    self._on_handshake_message(sent, first, length - HEADER_BYTES, body[HEADER_BYTES:], now)
            self._on_progress(now)

    # --- what a side hears -------------------------------------------------------------------------

    def _on_alert(self, sent: bool, alert: Alert, now: float) -> None:
        """An alert passed."""

    def _on_handshake_message(self, sent: bool, code: int, length: int, body: bytes, now: float) -> None:
        """A handshake message of `length` bytes passed, encrypted or not; `body` is b"" where nobody looks into it."""

    def _on_progress(self, now: float) -> None:
        """Messages have passed: a handshake may have come to its end."""

    def _on_failure(self, failure: Failure, now: float) -> None:
        """TLS has failed."""
        self._report(now)


def _end_of_data_untrusted(ciphertext: bytes, start: int) -> int:
    """Where the record that begins at `start` ends, if it is whole and says that it is application data; else 0."""
    end = start + RECORD_HEADER_BYTES + int.from_bytes(ciphertext[start + 3 : start + RECORD_HEADER_BYTES], "big")
    return end if ciphertext[start : start + 1] == APPLICATION_DATA and end <= len(ciphertext) else 0
