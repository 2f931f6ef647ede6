"""Real bytes for the parsers: hellos and server flights of OpenSSL, made in memory."""

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from tlslab.wire.handshake import message_name, parse_handshake_header_untrusted
from tlslab.wire.records import ContentType, parse_record_header_untrusted

TLS_1_0, TLS_1_2, TLS_1_3 = 0x0301, 0x0303, 0x0304
NOT_BEFORE = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def _certificate(name, key):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .issuer_name(subject)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_BEFORE + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )


@pytest.fixture(scope="session")
def issuers():
    """Two issuers of client certificates, as a server with their names would have them."""
    key = ec.generate_private_key(ec.SECP256R1())
    return [_certificate("Issuer A", key), _certificate("Issuer B", key)]


def _client_hello(version):
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.post_handshake_auth = True
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="upload.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.fixture(scope="session")
def client_hellos():
    """The first record of Python's own TLS client, by protocol version."""
    versions = {TLS_1_2: ssl.TLSVersion.TLSv1_2, TLS_1_3: ssl.TLSVersion.TLSv1_3}
    return {number: _client_hello(version) for number, version in versions.items()}


@pytest.fixture(scope="session")
def server_flights(issuers):
    """The bodies of a server's first, unencrypted messages by protocol version and name; it names two issuers."""
    return {version: _messages(_server_flight(version, issuers)) for version in (TLS_1_0, TLS_1_2, TLS_1_3)}


def _server_flight(version, issuers):
    client, server = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    for context in (client, server):
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # TLS 1.0 needs it
    key = ec.generate_private_key(ec.SECP256R1())
    server.use_privatekey(key)
    server.use_certificate(_certificate("localhost", key))
    server.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    for issuer in issuers:
        server.add_client_ca(issuer)
    return _answer(_advance(SSL.Connection(client, None), "connect"), SSL.Connection(server, None))


def _answer(hello, connection):
    connection.bio_write(hello)
    return _advance(connection, "accept")


def _advance(connection, side):
    getattr(connection, f"set_{side}_state")()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(2**16)


def _messages(flight):
    at, content = 0, b""
    while (record := parse_record_header_untrusted(flight, at)) is not None:
        start, at = at + 5, at + 5 + record.length
        if record.content_type == ContentType.HANDSHAKE:
            content += flight[start:at]
    found = {}
    while (header := parse_handshake_header_untrusted(content)) is not None:
        found[message_name(header.message_type)] = content[4 : 4 + header.length]
        content = content[4 + header.length :]
    return found
