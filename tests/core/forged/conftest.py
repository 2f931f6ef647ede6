"""Records forged with a connection's own keys: what no ordinary TLS library would send."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

from tlslab.tls.context import Protocol, client_context

TLS_1_2 = Protocol.TLS1_2
HANDSHAKE, DATA = 22, 23
KEY_BYTES, HASH = 32, "sha384"  # AES-256-GCM with SHA-384: what these clients and the lab choose


class Forger:
    """Writes a client's records with the keys of its connection; `sequence` counts those it has sent before."""

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self._key = self._iv = b""

    def record(self, content_type: int, plaintext: bytes) -> bytes:
        """The next record."""
        sequence = self._sequence.to_bytes(8, "big")
        self._sequence += 1
        return self._sealed(content_type, plaintext, sequence)

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        raise NotImplementedError


class Forger12(Forger):
    """TLS 1.2 (RFC 5246, 6.3; RFC 5288)."""

    def __init__(self, connection: SSL.Connection, sequence: int) -> None:
        super().__init__(sequence)
        secret, server, client = connection.master_key(), connection.server_random(), connection.client_random()
        assert secret and server and client  # noqa: PT018 - none is there before the handshake
        block = b"".join(self._expand(secret, b"key expansion" + server + client))[: 2 * KEY_BYTES + 8]
        self._key, self._iv = block[:KEY_BYTES], block[2 * KEY_BYTES : 2 * KEY_BYTES + 4]

    def _expand(self, secret: bytes, seed: bytes) -> Iterator[bytes]:
        a = seed
        for _ in range(3):
            a = hmac.digest(secret, a, HASH)
            yield hmac.digest(secret, a + seed, HASH)

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        extra = sequence + bytes((content_type, 3, 3)) + len(plaintext).to_bytes(2, "big")
        fragment = sequence + AESGCM(self._key).encrypt(self._iv + sequence, plaintext, extra)
        return bytes((content_type, 3, 3)) + len(fragment).to_bytes(2, "big") + fragment


class Forger13(Forger):
    """TLS 1.3 (RFC 8446, 5.2 and 7.3); `secret` is the client's application traffic secret."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(0)
        self._use(secret)

    def _use(self, secret: bytes) -> None:
        self._secret, self._sequence = secret, 0
        self._key, self._iv = self._expand(b"key", KEY_BYTES), self._expand(b"iv", 12)

    def _expand(self, label: bytes, length: int) -> bytes:
        label = b"tls13 " + label
        info = length.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0\1"
        return hmac.digest(self._secret, info, HASH)[:length]

    def _sealed(self, content_type: int, plaintext: bytes, sequence: bytes) -> bytes:
        header = bytes((DATA, 3, 3)) + (len(plaintext) + 17).to_bytes(2, "big")
        nonce = bytes(a ^ b for a, b in zip(self._iv, bytes(4) + sequence, strict=True))
        return header + AESGCM(self._key).encrypt(nonce, plaintext + bytes((content_type,)), header)

    def key_update(self, *, asks: bool) -> bytes:
        """A KeyUpdate, which may ask for one in return; what follows has other keys (RFC 8446, 4.6.3)."""
        record = self.record(HANDSHAKE, bytes((24, 0, 0, 1, asks)))
        self._use(self._expand(b"traffic upd", 48))
        return record


@pytest.fixture
def forge(talk, client_settings):
    """Open a connection, and give it with a forger that writes on for the client."""

    def make(protocol, sends=b""):
        context, lines = client_context(client_settings("alice")), []
        context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
        context.set_keylog_callback(lambda _connection, line: lines.append(line.split()))
        client = talk(protocol, client=context)
        if sends:
            client.client.write(sends)
            client.server.receive_data(client.client.data_to_send(), 0.0)
        if protocol is TLS_1_2:
            return client, Forger12(client.client._connection, 1 + bool(sends))  # Finished was the first
        [secret] = [bytes.fromhex(line[2].decode()) for line in lines if line[0] == b"CLIENT_TRAFFIC_SECRET_0"]
        return client, Forger13(secret)

    return make


def _take(client, data):
    """Give the lab bytes, and take what it tells and says; the client engine is left out: it knows nothing of them."""
    client.server.receive_data(data, client.now)
    sent = b"".join(client.server.take_flights())
    client.told += client.server.take_events()
    return sent


@pytest.fixture
def take():
    """Give the lab bytes of a connection, and take what it tells and says."""
    return _take
