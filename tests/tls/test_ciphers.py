"""The cipher suites of a binding, and the RSA certificate that some of them need."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.pki.authorities import server_credential
from tlslab.schannel.cipher_suites import OPENSSL_NAMES, openssl_names
from tlslab.tls.context import Protocol

AES_128, AES_256 = "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"
SEGMENT = 1460


@pytest.fixture(scope="module")
def rsa(certificates):
    """What a binding with `certificate: server-rsa` shows, as changes of its settings."""
    credential = server_credential(certificates.server_authority, [], datetime.now(UTC), rsa_key=True)
    return {"chain": credential.chain, "key": credential.key}


@pytest.mark.parametrize("suite", OPENSSL_NAMES)
def test_every_suite_of_the_table_can_be_spoken(join, rsa, suite):
    """The OpenSSL in use has each of them, and agrees on it with the certificate that it is for."""
    identity = {} if "_ECDSA_" in suite else rsa
    facts = join(Protocol.TLS1_2, ciphers=openssl_names([suite]), **identity).server.facts()
    assert (facts.cipher, facts.protocol) == (OPENSSL_NAMES[suite], "TLS 1.2")


def test_without_the_list_another_suite_is_agreed_on(join, rsa):
    """The contrast: both ends prefer ECDHE with GCM where nobody says otherwise."""
    assert join(Protocol.TLS1_2, **rsa).server.facts().cipher == "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("suites", [[AES_128, AES_256], [AES_256, AES_128]])
def test_the_order_of_the_server_decides(join, rsa, suites):
    """The first of the list that the client has, whatever the client prefers; with TLS 1.0 too."""
    for protocol in (Protocol.TLS1_0, Protocol.TLS1_2):
        cipher = join(protocol, ciphers=openssl_names(suites), **rsa).server.facts().cipher
        assert cipher == OPENSSL_NAMES[suites[0]]


def test_a_suite_that_does_not_fit_the_certificate(join, rsa):
    """Windows writes event 36874 then: a key exchange by RSA takes an RSA certificate."""
    assert not join(Protocol.TLS1_2, ciphers=openssl_names([AES_128])).server.established
    assert join(Protocol.TLS1_2, ciphers=openssl_names([AES_128]), **rsa).server.established


def test_tls_1_3_is_out_of_its_reach(join, rsa):
    """A binding that speaks TLS 1.3 goes on to offer its suites."""
    facts = join(Protocol.TLS1_2, Protocol.TLS1_3, ciphers=openssl_names([AES_128]), **rsa).server.facts()
    assert (facts.protocol, facts.cipher) == ("TLS 1.3", "TLS_AES_256_GCM_SHA384")


@pytest.mark.parametrize(("protocol", "finished", "hello_request"), [("TLS1_0", 53, 37), ("TLS1_2", 73, 57)])
def test_the_sizes_of_encrypted_messages(join, rsa, protocol, finished, hello_request):
    """TLS 1.0 has those of the published trace: MAC, then encrypt. TLS 1.2 does it in RFC 7366's order, with an IV."""
    ends = join(Protocol[protocol], ciphers=openssl_names([AES_128]), handshake=False, **rsa)
    ends.client.read(0)
    ends.take(0)
    ends.pass_on(ends.client, ends.server)
    ends.pass_on(ends.server, ends.client)
    ends.pass_on(ends.client, ends.server)
    flight = ends.server.data_to_send()
    assert len(flight) == len(b"\x14\x03\x01\x00\x01\x01") + finished
    ends.client.receive(flight)
    ends.exchange()
    ends.ask()
    assert len(ends.server.data_to_send()) == hello_request


@pytest.mark.parametrize("asks", [False, True])
def test_the_first_flight_fits_one_segment(join, rsa, asks):
    """ServerHello, Certificate, CertificateRequest with the client authority's name, ServerHelloDone: 1,460 bytes."""
    ends = join(Protocol.TLS1_0, ciphers=openssl_names([AES_128]), asks=asks, handshake=False, **rsa)
    ends.client.read(0)
    ends.server.receive(ends.client.data_to_send())
    ends.take(0)
    flight = ends.server.data_to_send()
    assert 700 < len(flight) < SEGMENT - 100  # what encryption adds to four records in a renegotiation
    ends.client.receive(flight)
    ends.exchange()
    assert ends.server.established
