"""Contexts, built from settings."""

from __future__ import annotations

import pytest

from tlslab.events import CertificateRequested, ServerHelloSent
from tlslab.pki.root_names import root_name
from tlslab.tls.context import Protocol, client_context, server_context
from tlslab.tls.server import ServerTls

ALL_PROTOCOLS = tuple(Protocol)


@pytest.mark.parametrize(
    ("protocols", "spoken"),
    [
        (ALL_PROTOCOLS, "TLS 1.3"),
        (ALL_PROTOCOLS[:3], "TLS 1.2"),
        ((Protocol.TLS1_2, Protocol.TLS1_3), "TLS 1.3"),
        ((Protocol.TLS1_2,), "TLS 1.2"),
    ],
)
def test_the_highest_protocol_is_spoken(join, protocols, spoken):
    """A client of today gets the best that the binding has."""
    assert join(*protocols).only(ServerHelloSent).protocol == spoken


@pytest.mark.parametrize(("protocols", "works"), [(ALL_PROTOCOLS, True), ((Protocol.TLS1_2,), False)])
def test_a_client_of_old(join, client_settings, protocols, works):
    """A binding with TLS 1.0 really speaks it, security level and all; another refuses it."""
    context = client_context(client_settings())
    context.set_min_proto_version(Protocol.TLS1_0)
    context.set_max_proto_version(Protocol.TLS1_0)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    assert join(*protocols, client=context).server.established is works


def test_key_log(join, server_settings):
    """A key log gets the secrets of every handshake, in the lines that Wireshark reads; nobody else does."""
    lines: list[bytes] = []
    ends = join(Protocol.TLS1_3, handshake=False)
    context = server_context(server_settings(Protocol.TLS1_3), "site", lines.append)
    ends.server = ServerTls(context, ends.recorder, ends.watcher)
    ends.exchange()
    assert {line.split()[0] for line in lines} >= {b"CLIENT_HANDSHAKE_TRAFFIC_SECRET", b"CLIENT_TRAFFIC_SECRET_0"}


def test_a_long_binding_name_is_no_trouble(server_settings):
    """OpenSSL takes 32 bytes to keep sessions apart."""
    assert server_context(server_settings(), "n" * 200)


def test_issuer_texts(server_settings, certificates):
    """Names are told as RFC 4514 strings, found by the bytes on the wire."""
    name = certificates.client_authority.certificate.subject
    assert server_context(server_settings(), "site").issuer_texts == {name.public_bytes(): "CN=Client Authority"}


def test_two_roots_of_one_name_are_named_twice(join):
    """A root that was renewed keeps its name; the list has one for each."""
    names = (root_name("Renewed"), root_name("Other"), root_name("Renewed"))
    request = join(asks=True, issuer_names=names).only(CertificateRequested)
    assert request.issuers == ("CN=Renewed", "CN=Other", "CN=Renewed")


def test_hundreds_of_issuers(join):
    """60 KB of names, nearly all that TLS can carry, go through."""
    names = tuple(root_name(f"Some Root Certification Authority {number:05}", "Somebody Ltd") for number in range(700))
    request = join(asks=True, issuer_names=names).only(CertificateRequested)
    assert len(request.issuers) == 700
    assert 50_000 < request.issuers_bytes < 0xFFFF
