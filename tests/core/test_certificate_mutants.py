"""Client certificates that nobody should have made, whole DER trees of them: each is told of, answered or refused.

The suite takes a few hundred. `TLSLAB_MUTANTS=40000 pytest -s tests/core/test_certificate_mutants.py` takes more, for a
minute and a half, and says what became of them; `TLSLAB_MUTANTS_SEED` repeats what failed.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto

from tlslab.events import ClientCertificateReceived, InternalFault, ResponseSent, TlsFailed
from tlslab.lab.sinks import event_lines
from tlslab.tls.context import Protocol, client_context
from tlslab.words.comments import comment
from tlslab.words.timeline import say_verbosely

COUNT = int(os.environ.get("TLSLAB_MUTANTS", "240"))
SEED = int(os.environ.get("TLSLAB_MUTANTS_SEED", "0")) or Random().randrange(1, 2**32)
CERTIFICATE = 11  # a handshake message
CONSTRUCTED, OCTET_STRING = 0x20, 0x04
TAGS = bytes.fromhex("0102030405060708090a0c10121314161718191a1b1c1d1e1f3031a0a1a2a38086df")
NASTY = [
    b"",
    b"\0",
    b"\xff",
    b"\x80" + bytes(20),
    b"\x1b]0;title\x07\x1b[2J\x9b31m",
    b"alice\0.example\r\nx",
    "\u202ealice\u2066".encode(),
    b"\xd8\x00\xdc",
    b"\xed\xa0\x80",
    b"x" * 70_000,
    b"000000000000Z",
    b"00000101000000Z",
    b"99991231235959Z",
    b"20240230250000Z",
    b"\x2a\x86\x48\xce\x3d\x03\x01\x63",  # a curve that there is not
    b"\x88\x37\x80\x80",  # an OID that is cut
    b"\x7f" + b"\xff" * 8,
]


# --- mutants ---------------------------------------------------------------------------------------


@dataclass
class Node:
    """A value of DER: its tag, and its content, as nodes where it has any."""

    tag: int
    content: bytes | list[Node]

    def encode(self) -> bytes:
        """Write it, with the length that it has now."""
        content = self.content if isinstance(self.content, bytes) else b"".join(node.encode() for node in self.content)
        length = len(content)
        size = (length.bit_length() + 7) // 8
        head = bytes((length,)) if length < 128 else bytes((128 | size,)) + length.to_bytes(size, "big")
        return bytes((self.tag,)) + head + content


def decode(der: bytes) -> list[Node]:
    """Read the values of good DER; what an OCTET STRING holds is looked into."""
    nodes, at = [], 0
    while at < len(der):
        tag, length, start = der[at], der[at + 1], at + 2
        if length & 128:
            start += length & 127
            length = int.from_bytes(der[at + 2 : start], "big")
        at = start + length
        content = der[start:at]
        if at > len(der):
            raise ValueError
        nodes.append(Node(tag, decode(content) if tag & CONSTRUCTED else _inside(tag, content)))
    return nodes


def _inside(tag: int, content: bytes) -> bytes | list[Node]:
    if tag == OCTET_STRING and content[:1] == b"\x30":
        try:
            return decode(content)
        except (ValueError, IndexError):
            pass
    return content


def families(node: Node) -> list[list[Node]]:
    """All lists of values in it."""
    if isinstance(node.content, bytes):
        return []
    return [node.content, *(family for child in node.content for family in families(child))]


def mutate(random: Random, der: bytes) -> bytes:
    """Change one to three values of a certificate, or a byte of the whole."""
    [tree] = decode(der)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        family = random.choice([family for family in families(tree) if family])
        place = random.randrange(len(family))
        node = family[place]
        match random.randrange(8):
            case 0:
                node.tag = random.choice(TAGS)
            case 1 | 2 | 3:
                node.content = random.choice(NASTY)
            case 4:
                del family[place]
            case 5:
                family.insert(place, node)
            case 6:
                family[place] = deepcopy(random.choice(random.choice([one for one in families(tree) if one])))
            case _ if isinstance(node.content, bytes) and node.content:
                at = random.randrange(len(node.content))
                node.content = node.content[:at] + random.randbytes(1) + node.content[at + 1 :]
    mutant = bytearray(tree.encode())
    if random.random() < 0.1:
        mutant[random.randrange(len(mutant))] = random.randrange(256)
    return bytes(mutant)


@pytest.fixture(scope="module")
def ancestors(certificates):
    """Certificates with alice's key: her own, and one with much in it."""
    alice = certificates.clients["alice"]
    now = datetime.now(UTC)
    kinds = [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.EMAIL_ADDRESS, NameOID.DOMAIN_COMPONENT]
    name = x509.Name([x509.NameAttribute(kind, "alice") for kind in kinds])
    others = [
        x509.DNSName("alice.example"),
        x509.RFC822Name("alice@example.org"),
        x509.UniformResourceIdentifier("https://alice.example/"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.DirectoryName(name),
        x509.RegisteredID(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x05alice"),
    ]
    builder = x509.CertificateBuilder(name, name, alice.key.public_key(), 2**150 + 1, now, now + timedelta(days=9))
    for extension in (
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectAlternativeName(others),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectKeyIdentifier.from_public_key(alice.key.public_key()),
        x509.AuthorityKeyIdentifier(b"key", [x509.DirectoryName(name)], 5),
        x509.CRLDistributionPoints([x509.DistributionPoint([others[2]], None, None, None)]),
        x509.NameConstraints([others[0]], None),
        x509.KeyUsage(True, False, False, False, True, False, False, False, False),
    ):
        builder = builder.add_extension(extension, critical=False)
    made = builder.sign(alice.key, hashes.SHA256())
    return [alice.chain[0].public_bytes(Encoding.DER), made.public_bytes(Encoding.DER)]


# --- what becomes of them --------------------------------------------------------------------------

WAYS = {
    "TLS 1.2": (Protocol.TLS1_2, True, "/open"),
    "TLS 1.3": (Protocol.TLS1_3, True, "/open"),
    "a renegotiation": (Protocol.TLS1_2, False, "/upload"),
}


@pytest.fixture
def shows(certificates, client_settings):
    """Make a client that shows a certificate with alice's key; None where its own OpenSSL does not let it."""
    key = certificates.clients["alice"].key

    def make(der):
        context = client_context.__wrapped__(client_settings())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyOpenSSL wants a certificate of cryptography's, which reads fewer
            try:
                context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
                context.use_privatekey(key)
            except (crypto.Error, SSL.Error):
                return None
        return context

    return make


def with_certificate(flight, mutant):
    """A client's flight of TLS 1.2, with this certificate in the place of its own: it is a record in the clear."""
    changed, at = b"", 0
    while at < len(flight):
        end = at + 5 + int.from_bytes(flight[at + 3 : at + 5], "big")
        record, at = flight[at:end], end
        if record[0] == 22 and record[5] == CERTIFICATE:
            message = vector(bytes((CERTIFICATE,)), vector(b"", vector(b"", mutant)))
            pieces = (message[start : start + 16_384] for start in range(0, len(message), 16_384))
            record = b"".join(b"\x16\3\3" + len(piece).to_bytes(2, "big") + piece for piece in pieces)
        changed += record
    return changed


def vector(head, content):
    """What has a length of three bytes."""
    return head + len(content).to_bytes(3, "big") + content


def show_in_the_clear(client, mutant):
    """Put `mutant` on the wire, whatever the client's own OpenSSL thinks of it; the handshake cannot go on."""
    client.client.read(0)
    for change in (lambda flight: flight, lambda flight: with_certificate(flight, mutant)):
        client.driver.receive_data(change(client.client.data_to_send()), 0.0)
        client._down()


@pytest.fixture
def labs(make_lab):
    """A lab for each way to ask for the certificate."""
    return {way: make_lab(protocol, asks=asks) for way, (protocol, asks, _path) in WAYS.items()}


def told_of(client):
    """What became of a mutant in one word; everything that is said of it prints, and can be written down."""
    assert not client.all(InternalFault)
    for event in client.told:
        assert say_verbosely(event).text.isprintable()
        assert comment(event).isprintable()
    assert event_lines(client.told).isascii()
    if client.all(TlsFailed):
        return client.only(TlsFailed).kind
    [certificate] = client.all(ClientCertificateReceived)
    [answer] = client.all(ResponseSent)
    assert answer.certificate == certificate.subject
    assert client.received.isascii()
    return certificate.verdict


def test_mutants(talk, labs, shows, ancestors, get):
    """In each way they are told of, with a verdict, or refused with an alert; nothing faults, nothing paints."""
    random, seen = Random(SEED), Counter[tuple[str, str]]()
    for number in range(COUNT):
        mutant = mutate(random, random.choice(ancestors))
        way = random.choice(list(WAYS))
        context = shows(mutant)
        try:
            if context is None:
                way = "in the clear"
                client = talk(lab=labs["TLS 1.2"], opened=False)
                show_in_the_clear(client, mutant)
            else:
                client = talk(lab=labs[way], client=context)
                if not client.all(TlsFailed):
                    client.send(get(WAYS[way][2]))
            seen[way, told_of(client)] += 1
        except BaseException as error:
            error.add_note(f"TLSLAB_MUTANTS_SEED={SEED}, number {number}, {way}: {mutant.hex()}")
            raise
    print(f"seed {SEED}", *sorted(seen.items()), sep="\n")  # noqa: T201 - with -s
    assert {way for way, _ in seen} == {*WAYS, "in the clear"}
    assert {verdict for _, verdict in seen} >= {"invalid", "other"}
