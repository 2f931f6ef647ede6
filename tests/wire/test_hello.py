"""ClientHello and ServerHello: real ones, and ones no engine would send."""

import pytest

from tlslab.errors import WireError
from tlslab.wire.hello import (
    HELLO_RETRY_RANDOM,
    ClientHello,
    ServerHello,
    parse_server_hello_untrusted,
    read_client_hello_untrusted,
    read_session_id_untrusted,
    version_name,
)

TLS_1_0, TLS_1_2, TLS_1_3 = 0x0301, 0x0303, 0x0304
HEADERS = 9  # of the record and of the message
RANDOM = bytes(range(32))


def vector(length_size, content):
    """A vector: its length, then its content."""
    return len(content).to_bytes(length_size, "big") + content


def extensions(*pairs):
    """A hello's extensions from pairs of number and content."""
    return vector(2, b"".join(number.to_bytes(2, "big") + vector(2, content) for number, content in pairs))


def client_body(tail=b"", *, session_id=b"", suites=b"\xc0\x2b", compression=b"\0"):
    """A ClientHello's body; `tail` is what follows the compression methods."""
    return b"\x03\x03" + RANDOM + vector(1, session_id) + vector(2, suites) + vector(1, compression) + tail


def server_body(tail=b"", *, random=RANDOM, session_id=b"id"):
    """A ServerHello's body; `tail` is what follows the compression method."""
    return b"\x03\x03" + random + vector(1, session_id) + b"\xc0\x2b\0" + tail


def server_name(name, kind=b"\0"):
    """Extensions with one server name."""
    return extensions((0, vector(2, kind + vector(2, name))))


def test_openssl_tls12_hello(client_hellos):
    """A TLS 1.2 client of today: no supported_versions, secure renegotiation signalled."""
    hello = read_client_hello_untrusted(client_hellos[TLS_1_2][HEADERS:])
    assert hello.legacy_version == TLS_1_2
    assert hello.versions == ("TLS 1.2",)
    assert (hello.server_name, hello.alpn) == ("upload.example", (b"h2", b"http/1.1"))
    assert (hello.session_id, hello.offers_post_handshake_auth) == (b"", False)
    assert hello.signals_secure_renegotiation


def test_openssl_tls13_hello(client_hellos):
    """A TLS 1.3 client calls itself 1.2, fills session_id, and may offer post-handshake authentication."""
    hello = read_client_hello_untrusted(client_hellos[TLS_1_3][HEADERS:])
    assert (hello.legacy_version, hello.supported_versions, hello.versions) == (TLS_1_2, (TLS_1_3,), ("TLS 1.3",))
    assert (len(hello.random), len(hello.session_id)) == (32, 32)
    assert 0x1301 in hello.cipher_suites
    assert hello.offers_post_handshake_auth


def test_hello_without_extensions():
    """The shortest legal hello offers its one version and signals nothing."""
    expected = ClientHello(TLS_1_2, RANDOM, b"id", (0xC02B,), None, (), (), False, None)
    assert read_client_hello_untrusted(client_body(session_id=b"id")) == expected
    assert (expected.versions, expected.signals_secure_renegotiation) == (("TLS 1.2",), False)


@pytest.mark.parametrize("session_id", [b"", b"id", bytes(32)])
def test_a_session_id_by_itself(session_id):
    """It is read without what follows it, and is none if it is cut short or too long."""
    body = client_body(session_id=session_id)
    end = len(b"\x03\x03" + RANDOM + vector(1, session_id))
    assert read_session_id_untrusted(body[:end]) == read_client_hello_untrusted(body).session_id == session_id
    for wrong in (body[: end - 1], client_body(session_id=bytes(33))):
        assert read_session_id_untrusted(wrong) == b""


@pytest.mark.parametrize(
    ("suites", "tail", "info", "signals"),
    [
        (b"\xc0\x2b", b"", None, False),
        (b"\xc0\x2b\x00\xff", b"", None, True),
        (b"\xc0\x2b", extensions((0xFF01, b"\0")), b"", True),
        (b"\xc0\x2b", extensions((0xFF01, vector(1, b"verify data."))), b"verify data.", True),
    ],
)
def test_secure_renegotiation_is_signalled_by_suite_or_extension(suites, tail, info, signals):
    """RFC 5746 knows two signals; only the extension carries verify data."""
    hello = read_client_hello_untrusted(client_body(tail, suites=suites))
    assert (hello.renegotiation_info, hello.signals_secure_renegotiation) == (info, signals)


def test_grease_is_no_version():
    """Browsers mix reserved values in (RFC 8701); those are not offers, an unknown number is one."""
    hello = read_client_hello_untrusted(client_body(extensions((43, vector(1, bytes.fromhex("fafa0304030a0a0a0303"))))))
    assert hello.versions == ("TLS 1.3", "0x030a", "TLS 1.2")


NAMED = (0, vector(2, b"\0" + vector(2, b"a.example")))
OFFERED = (16, vector(2, b"\2h2"))


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        (client_body(extensions(NAMED), suites=b"\xc0\x2b\xc0"), "the list of cipher suites has an odd"),
        (client_body(extensions(NAMED) + b"\0"), "the ClientHello is followed by 1 bytes too many"),
        (client_body((20).to_bytes(2, "big") + extensions(NAMED)[2:]), "the ClientHello is cut short"),
        (client_body(b"\0\x12" + extensions(NAMED, OFFERED)[2:]), "the ClientHello is followed by 9 bytes too many"),
        (client_body(extensions(NAMED, OFFERED, OFFERED)), "the ClientHello has extension 16 twice"),
        (client_body(extensions(NAMED, (16, vector(2, b"\0")))), "alpn has a field of 0 bytes"),
        (client_body(extensions((16, vector(2, b"\3h2")), NAMED)), "alpn is cut short"),
        (client_body(extensions((16, b""), NAMED)), "alpn is cut short"),
        (client_body(extensions(NAMED, (43, vector(1, b"\3")))), "supported_versions has an odd number of bytes"),
        (client_body(extensions(NAMED, (0xFF01, b""))), "renegotiation_info is cut short"),
    ],
)
def test_a_client_hello_that_is_partly_broken(body, flaw):
    """What is broken is named and is as if it had not been sent; the name beside it is read."""
    hello = read_client_hello_untrusted(body)
    assert hello.flaw.startswith(flaw)
    assert (hello.server_name, hello.session_id, hello.legacy_version) == ("a.example", b"", TLS_1_2)
    assert (hello.supported_versions, hello.renegotiation_info) == ((), None)
    assert set(hello.alpn) <= {b"h2"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        client_body(session_id=bytes(33)),
        client_body(suites=b""),
        client_body(suites=b"\xc0"),
        client_body(compression=b""),
        client_body(b"\0"),
        client_body(server_name(b"")),
        client_body(server_name(b"a", kind=b"\1")),
        client_body(server_name("münchen.example".encode())),
        client_body(server_name(b"\x1b[2Jexample")),
    ],
)
def test_a_client_hello_without_a_readable_name(body):
    """Each broken rule is named, a name that would paint the console too, and then there is no name."""
    hello = read_client_hello_untrusted(body)
    assert hello.flaw
    assert (hello.server_name, hello.session_id) == (None, b"")
    assert hello.versions == (("TLS 1.2",) if body and b"\x21" not in body else ())


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_truncated_client_hello(client_hellos, version):
    """A real hello cut anywhere is broken, except right before its extensions; nothing in it is another than before."""
    body = client_hellos[version][HEADERS:]
    whole = read_client_hello_untrusted(body)
    cut = [read_client_hello_untrusted(body[:count]) for count in range(len(body))]
    [unbroken] = [count for count, hello in enumerate(cut) if not hello.flaw]
    assert body[unbroken:] == vector(2, body[unbroken + 2 :])
    for field in ("session_id", "cipher_suites", "server_name", "alpn", "supported_versions", "renegotiation_info"):
        assert {getattr(hello, field) for hello in cut} <= {getattr(whole, field), None, b"", ()}


def _parses(parse, body):
    try:
        parse(body)
    except WireError:
        return False
    return True


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_2, TLS_1_3])
def test_openssl_server_hello(server_flights, version):
    """The negotiated version comes out, in TLS 1.3 from supported_versions."""
    hello = parse_server_hello_untrusted(server_flights[version]["ServerHello"])
    assert (hello.version, hello.is_hello_retry_request) == (version, False)
    assert (hello.renegotiation_info is None) == (version == TLS_1_3)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_truncated_server_hello(server_flights, version):
    """A real hello cut anywhere does not parse, except right before its extensions."""
    body = server_flights[version]["ServerHello"]
    parsed = [count for count in range(len(body)) if _parses(parse_server_hello_untrusted, body[:count])]
    assert [body[count:] for count in parsed] == [vector(2, body[parsed[0] + 2 :])]


def test_server_hello_fields():
    """Without supported_versions the version in front counts; the retry is told by its random."""
    assert parse_server_hello_untrusted(server_body()) == ServerHello(TLS_1_2, RANDOM, b"id", 0xC02B, None)
    retry = parse_server_hello_untrusted(server_body(extensions((43, b"\3\4")), random=HELLO_RETRY_RANDOM))
    assert (retry.version, retry.is_hello_retry_request) == (TLS_1_3, True)


@pytest.mark.parametrize(
    "body",
    [server_body(session_id=bytes(33)), server_body(b"\0"), server_body(extensions((43, b"\3")))],
)
def test_malformed_server_hello(body):
    """Every broken rule is a WireError."""
    with pytest.raises(WireError):
        parse_server_hello_untrusted(body)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (0x0300, "SSL 3.0"),
        (0x0301, "TLS 1.0"),
        (0x0302, "TLS 1.1"),
        (0x0303, "TLS 1.2"),
        (0x0304, "TLS 1.3"),
        (2, "0x0002"),
    ],
)
def test_version_names(version, name):
    """Versions are called what people call them."""
    assert version_name(version) == name


@pytest.mark.parametrize(("tail", "selects"), [(extensions((41, b"\0\0")), True), (extensions(), False), (b"", False)])
def test_a_server_that_resumes_by_a_key(tail, selects):
    """pre_shared_key in a ServerHello is how TLS 1.3 resumes (RFC 8446, 4.2.11)."""
    assert parse_server_hello_untrusted(server_body(tail)).selects_psk is selects
