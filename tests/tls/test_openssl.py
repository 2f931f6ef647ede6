"""Each private binding still does what it is here for, beside what happens without it."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from OpenSSL import SSL, crypto

from tlslab.tls import _openssl
from tlslab.tls.context import client_context

OPTIONS = SSL.OP_NO_TICKET | _openssl.NO_RESUMPTION_ON_RENEGOTIATION
TLS_1_2, TLS_1_3 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


class Sink:
    """Keeps what OpenSSL reports: (sent, content type, first byte, whether the content came along)."""

    def __init__(self):
        self.seen = []

    def on_message(self, sent, content_type, first, length, body):
        self.seen.append((sent, content_type, first, len(body) == length))

    def sent(self):
        """The types of the handshake messages that were sent."""
        return [first for sent, content_type, first, _ in self.seen if sent and content_type == _openssl.HANDSHAKE]

    def may_answer(self) -> bool:
        """Answer at once."""
        return True


@pytest.fixture
def server(certificates):
    """Make a bare server context; its connections ask for nothing."""

    def make(options=OPTIONS, *, version=TLS_1_2, watched=True):
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(certificates.server.chain[0])
        context.use_privatekey(certificates.server.key)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_options(options)
        context.set_session_id(b"site")
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(certificates.client_authority.certificate))
        if watched:
            _openssl.watch_messages(context)
        return context

    return make


@pytest.fixture
def identity_context(certificates):
    """Return a function that makes a context with an identity, and nothing else."""

    def make(name):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate(certificates.clients[name].chain[0])
        context.use_privatekey(certificates.clients[name].key)
        return context

    return make


@pytest.fixture
def alice(client_settings):
    """A client context with a certificate."""
    return client_context(client_settings("alice"))


@pytest.mark.parametrize(("mode", "sent"), [(0, 2), (_openssl.NO_AUTO_CHAIN, 1)])
def test_no_auto_chain_sends_what_is_configured(server, certificates, mode, sent):
    """Without it OpenSSL adds an issuer that it happens to trust to the chain it was given."""
    context, client = server(), SSL.Context(SSL.TLS_CLIENT_METHOD)
    authority = crypto.X509.from_cryptography(certificates.server_authority.certificate)
    context.get_cert_store().add_cert(authority)
    context.set_mode(mode)
    _, ours, _ = joined(context, client)
    assert len(ours.get_peer_cert_chain()) == sent


def joined(server, client):
    """Two connections after their handshake; (server side, client side, the messages of the server)."""
    ends = SSL.Connection(server, None), SSL.Connection(client, None)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    sink = Sink()
    _openssl.send_messages_to(ends[0], sink)
    exchange(*ends, handshake=True)
    return *ends, sink


def exchange(*ends, handshake=False):
    """Let both sides handshake, or read, until neither says anything."""
    moved = True
    while moved:
        moved = False
        for one, other in (ends, ends[::-1]):
            with suppress(SSL.WantReadError):
                one.do_handshake() if handshake else one.recv(1)
            moved |= carry(one, other)


def carry(one, other):
    """Bring what one side has to say to the other; True when there was something."""
    try:
        other.bio_write(one.bio_read(2**16))
    except SSL.WantReadError:
        return False
    return True


def certificate_of(connection):
    """The certificate that the other side sent, or None."""
    return connection.get_peer_certificate(as_cryptography=True)


def renegotiate(server, client):
    """Ask for the certificate by HelloRequest and carry the renegotiation through."""
    _openssl.ask_for_certificate(server)
    server.renegotiate()
    server.do_handshake()
    exchange(server, client)


@pytest.mark.parametrize(("options", "size"), [(OPTIONS | _openssl.NO_ENCRYPT_THEN_MAC, 53), (OPTIONS, 57)])
def test_no_encrypt_then_mac(server, alice, options, size):
    """With the option a MAC is encrypted with its message: HelloRequest, with an IV of 16 bytes, is 4 bytes shorter."""
    context = server(options)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    one, _, _ = joined(context, alice)
    one.renegotiate()
    with suppress(SSL.WantReadError):
        one.do_handshake()
    assert len(one.bio_read(2**16)) == size


@pytest.mark.parametrize(("options", "has_certificate"), [(OPTIONS, True), (SSL.OP_NO_TICKET, False)])
def test_no_resumption_on_renegotiation(server, alice, options, has_certificate):
    """Without option 0x10000 the renegotiation is abbreviated: no CertificateRequest, no certificate, no error."""
    one, other, sink = joined(server(options), alice)
    sink.seen.clear()
    renegotiate(one, other)
    assert not one.renegotiate_pending()
    assert one.total_renegotiations() == 1
    assert (13 in sink.sent()) is has_certificate
    assert (certificate_of(one) is not None) is has_certificate


@pytest.mark.parametrize("refuses", [False, True])
def test_no_renegotiation(server, client_settings, refuses):
    """A client with NO_RENEGOTIATION answers HelloRequest with a warning; without it, with its certificate."""
    one, other, sink = joined(server(), client_context(client_settings("alice", refuses=refuses)))
    if refuses:
        with pytest.raises(SSL.Error, match="no renegotiation"):
            renegotiate(one, other)
    else:
        renegotiate(one, other)
    assert (certificate_of(one) is None) is refuses
    assert ((False, _openssl.ALERT, 1, True) in sink.seen) is refuses


def test_release_buffers_is_a_mode_of_contexts(server):
    """set_mode answers with the modes that are on, and this one is not on by itself."""
    context = server()
    before = context.set_mode(0)
    assert not before & _openssl.RELEASE_BUFFERS
    assert context.set_mode(_openssl.RELEASE_BUFFERS) == before | _openssl.RELEASE_BUFFERS


@pytest.mark.parametrize("watched", [True, False])
def test_watch_messages(server, alice, watched):
    """A watched context reports encrypted messages too, and the content of those that are told; another, nothing."""
    _, _, sink = joined(server(version=TLS_1_3, watched=watched), alice)
    hello, finished = (False, _openssl.HANDSHAKE, 1, True), (False, _openssl.HANDSHAKE, 20, False)
    assert [report in sink.seen for report in (hello, finished)] == [watched, watched]
    assert (11 in sink.sent()) is watched  # Certificate: encrypted in TLS 1.3


def test_a_sink_that_is_gone_gets_nothing(server, alice):
    """Messages of a connection whose owner was dropped are dropped too, and nothing keeps the owner alive."""
    one, other, sink = joined(server(), alice)
    assert sink.seen
    del sink
    renegotiate(one, other)
    assert certificate_of(one) is not None


UNTRUSTED = (18, 19, 20, 21)  # openssl/x509_vfy.h: which of them depends on what the client sends along


@pytest.mark.parametrize(
    ("identity", "codes"),
    [("alice", (0,)), ("bob", UNTRUSTED), ("carol", (10,)), ("dan", (9,)), ("erin", (26,))],
)
def test_accept_any_chain(server, client_settings, identity, codes):
    """A chain that does not check out still ends in a handshake, and its X509_V_ code stays."""
    context = server()
    _openssl.accept_any_chain(context, ask=True)
    one, _, _ = joined(context, client_context(client_settings(identity)))
    assert certificate_of(one).subject.rfc4514_string() == f"CN={identity}"
    assert _openssl.verify_result(one) in codes


def test_openssl_alone_refuses_a_chain(server, client_settings):
    """Without accept_any_chain the same client never gets through."""
    context = server()
    context.set_verify(SSL.VERIFY_PEER)
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        joined(context, client_context(client_settings("carol")))


@pytest.mark.parametrize("ask", [True, False])
def test_accept_any_chain_asks_if_told(server, alice, ask):
    """`ask` decides whether the first handshake carries a CertificateRequest."""
    context = server()
    _openssl.accept_any_chain(context, ask=ask)
    one, _, sink = joined(context, alice)
    assert (13 in sink.sent()) is ask
    assert (certificate_of(one) is not None) is ask


@pytest.mark.parametrize("offered", [True, False])
def test_request_post_handshake(server, alice, certificates, offered):
    """A TLS 1.3 client is asked where it offered to be; elsewhere nothing goes on the wire, and no error stays."""
    client = alice if offered else no_offer(certificates)
    one, other, sink = joined(server(version=TLS_1_3), client)
    sink.seen.clear()
    _openssl.ask_for_certificate(one)
    assert _openssl.request_post_handshake(one) is offered
    one.do_handshake()
    assert (13 in sink.sent()) is offered
    exchange(one, other)
    assert (certificate_of(one) is not None) is offered


def test_a_request_that_cannot_be_made_leaves_no_error(server, certificates):
    """What OpenSSL says of it would else be taken for the reason of the next failure."""
    one, _, _ = joined(server(version=TLS_1_3), no_offer(certificates))
    _openssl.ask_for_certificate(one)
    assert not _openssl.request_post_handshake(one)
    assert first_reason_of_damage(one) == "decryption failed or bad record mac"


def first_reason_of_damage(connection):
    """Give a connection a record that is none, and return the first thing OpenSSL has to say."""
    connection.bio_write(b"\x17\x03\x03\0\x20" + bytes(32))
    with pytest.raises(SSL.Error) as caught:
        connection.recv(1)
    return caught.value.args[0][0][2]


def no_offer(certificates):
    """A client context with alice's certificate and without the extension post_handshake_auth."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.use_certificate(certificates.clients["alice"].chain[0])
    context.use_privatekey(certificates.clients["alice"].key)
    return context


def test_set_issuer_names(server, alice, certificates):
    """Names go into the CertificateRequest without a certificate behind them, in the order given."""
    names = [certificates.clients[who].chain[0].subject for who in ("bob", "alice")]
    context = server()
    _openssl.accept_any_chain(context, ask=True)
    _openssl.set_issuer_names(context, [name.public_bytes() for name in names])
    _, other, _ = joined(context, alice)
    assert [name.CN for name in other.get_client_ca_list()] == ["bob", "alice"]


@pytest.mark.parametrize("der", [b"", b"\x30", b"CN=alice", b"\x30\x82\xff\xff"])
def test_what_is_no_name_is_refused(server, alice, der):
    """Bytes that are not a DER name are an error of ours, told at once, and no later call trips over it."""
    one, _, _ = joined(server(version=TLS_1_3), alice)
    with pytest.raises(ValueError, match="not a DER name"):
        _openssl.set_issuer_names(server(), [der])
    assert first_reason_of_damage(one) == "decryption failed or bad record mac"


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize(("chosen", "sent"), [(0, "alice"), (1, "bob"), (None, None)])
def test_send_chosen(server, certificates, identity_context, version, chosen: int | None, sent):
    """The certificate is there that was chosen, by the names that the server sent."""
    asking = server(version=version)
    _openssl.accept_any_chain(asking, ask=True)
    _openssl.set_issuer_names(asking, [certificates.clients["bob"].chain[0].subject.public_bytes()])
    heard: list[frozenset[bytes]] = []

    def choose(names: frozenset[bytes]) -> int | None:
        heard.append(names)
        return chosen

    choosing = SSL.Context(SSL.TLS_CLIENT_METHOD)
    _openssl.send_chosen(choosing, [identity_context("alice"), identity_context("bob")], choose)
    del choose
    gc.collect()  # what OpenSSL calls back must not have gone
    certificate = certificate_of(joined(asking, choosing)[0])
    assert (certificate and certificate.subject.rfc4514_string()) == (sent and f"CN={sent}")
    assert heard == [{certificates.clients["bob"].chain[0].subject.public_bytes()}]


def test_a_context_that_is_gone_leaves_nothing_behind(identity_context):
    """A client context is made for every connection; what belongs to it goes with it."""
    before = len(_openssl._wallets)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    _openssl.send_chosen(context, [identity_context("alice")], lambda _names: None)
    assert len(_openssl._wallets) == before + 1
    del context
    gc.collect()
    assert len(_openssl._wallets) == before


def test_bytes_pass_whole(server, alice):
    """What is written arrives, in order, beyond the size of a record and of the buffer too; and then nothing."""
    one, other, _ = joined(server(), alice)
    sent = bytes(range(256)) * 800
    assert _openssl.write(one, sent)
    _openssl.feed(other, _openssl.take_output(one))
    assert _openssl.take_output(one) == b""
    received = []
    while piece := _openssl.read(other):
        received.append(piece)
    assert b"".join(received) == sent
    assert max(map(len, received)) == _openssl.BUFFER_BYTES


def test_threads_do_not_read_into_one_buffer():
    """OpenSSL works without Python's lock: what one thread has read must not be another's."""
    here = _openssl._scratch.buffer
    with ThreadPoolExecutor(1) as elsewhere:
        there = elsewhere.submit(lambda: _openssl._scratch.buffer).result()
    assert here is _openssl._scratch.buffer
    assert here is not there


def test_writing_nothing_is_done_at_once(server, alice):
    """Nothing goes on the wire, and it is no error."""
    one, _, _ = joined(server(), alice)
    assert _openssl.write(one, b"")
    assert _openssl.take_output(one) == b""


def test_a_read_takes_one_record_and_all_of_it(server, alice):
    """What was written in two records comes in two pieces, and nothing of one is left in OpenSSL."""
    one, other, _ = joined(server(), alice)
    assert _openssl.read(other) == b""
    assert _openssl.write(one, b"abc")
    assert _openssl.write(one, bytes(_openssl.BUFFER_BYTES))
    _openssl.feed(other, _openssl.take_output(one))
    assert (_openssl.read(other), other.pending()) == (b"abc", 0)
    assert (_openssl.read(other), other.pending()) == (bytes(_openssl.BUFFER_BYTES), 0)
    assert _openssl.read(other) == b""


def test_waiting_for_bytes_is_no_error(server, alice):
    """A handshake that waits says so, and one that is over too; what pyOpenSSL makes of either is an exception."""
    one, other = SSL.Connection(server(), None), SSL.Connection(alice, None)
    one.set_accept_state()
    other.set_connect_state()
    assert not _openssl.handshake(one)
    assert not _openssl.write(one, b"not yet")
    with pytest.raises(SSL.WantReadError):
        one.do_handshake()
    exchange(one, other, handshake=True)
    assert _openssl.handshake(one)


def test_the_end_and_a_failure_are_errors(server, alice):
    """close_notify and a record that is none are told as pyOpenSSL tells them."""
    one, other, _ = joined(server(), alice)
    other.shutdown()
    carry(other, one)
    with pytest.raises(SSL.ZeroReturnError):
        _openssl.read(one)
    one, _, _ = joined(server(), alice)
    _openssl.feed(one, b"\x17\x03\x03\0\x20" + bytes(32))
    with pytest.raises(SSL.Error, match="decryption failed or bad record mac"):
        _openssl.read(one)
