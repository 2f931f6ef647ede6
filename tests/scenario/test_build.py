"""From a scenario to a plan."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tlslab.core.plan import CutIssuers
from tlslab.errors import LabError
from tlslab.httpsys.bindings import ServerCertificate
from tlslab.iis.access import SslFlag
from tlslab.pki.servers import FAULTS
from tlslab.scenario.build import build
from tlslab.scenario.load import parse_scenario
from tlslab.tls.context import Protocol

TWO_FIXES = """\
  other-fix:
    title: F
    says: it helps
    changes: [server-config]
    recommended: true
    deterministic: true
    costs: little
    set: {PATH: VALUE}
    expect: {outcome: 200}
teach: X
"""


@pytest.fixture
def plan(sound, pki):
    """Builds a plan of a scenario with these endpoints."""

    def with_endpoints(*endpoints: str, **options):
        bindings = "".join(f'  b{index}:\n    endpoint: "{text}"\n' for index, text in enumerate(endpoints))
        text = sound.replace('  site:\n    endpoint: "0.0.0.0:8443"\n', bindings).replace(
            "bindings.site.", "bindings.b0."
        )
        return build(parse_scenario(text.encode(), "small", "f"), (), {}, pki, **options)

    return with_endpoints


def where(plan) -> list[tuple[str, int, str]]:
    """Address, port and bindings of each listener."""
    return [(item.host, item.port, " ".join(b.name for b in item.bindings)) for item in plan.listeners]


@pytest.mark.parametrize(
    ("endpoints", "options", "listeners"),
    [
        (["0.0.0.0:8443"], {}, [("127.0.0.1", 8443, "b0")]),
        (["[::]:8443"], {}, [("::1", 8443, "b0")]),
        (["127.0.0.2:8443"], {}, [("127.0.0.2", 8443, "b0")]),
        (["up.localhost:8443"], {}, [("127.0.0.1", 8443, "b0")]),
        (["0.0.0.0:1", "up.localhost:1", "[::]:1"], {}, [("127.0.0.1", 1, "b0 b1"), ("::1", 1, "b2")]),
        (["0.0.0.0:1", "up.localhost:2"], {}, [("127.0.0.1", 1, "b0"), ("127.0.0.1", 2, "b1")]),
        (["0.0.0.0:1", "127.0.0.1:1"], {}, [("127.0.0.1", 1, "b0 b1")]),
        (["0.0.0.0:8443"], {"host": "0.0.0.0"}, [("0.0.0.0", 8443, "b0")]),
        (["192.0.2.1:8443", "up.localhost:8443"], {"host": "[::]"}, [("::", 8443, "b0 b1")]),
        (["0.0.0.0:8443", "0.0.0.0:8445"], {"port": 9000}, [("127.0.0.1", 9000, "b0"), ("127.0.0.1", 9002, "b1")]),
        (["0.0.0.0:8443", "0.0.0.0:8442"], {"port": 2}, [("127.0.0.1", 2, "b0"), ("127.0.0.1", 1, "b1")]),
        (["0.0.0.0:1", "a.localhost:1"], {"port": 65535}, [("127.0.0.1", 65535, "b0 b1")]),
        (["0.0.0.0:1", "a.localhost:1"], {"port": 0}, [("127.0.0.1", 0, "b0 b1")]),
        (["0.0.0.0:1", "0.0.0.0:2"], {"port": 0}, [("127.0.0.1", 0, "b0"), ("127.0.0.1", 0, "b1")]),
    ],
)
def test_where_it_listens(plan, endpoints, options, listeners):
    """Loopback for the wildcards and names, the distances between ports kept, shared ports shared."""
    assert where(plan(*endpoints, **options)) == listeners


@pytest.mark.parametrize(
    ("endpoints", "options", "message"),
    [
        (["192.0.2.1:8443"], {}, "the binding b0 is for 192.0.2.1:8443, and the lab listens on loopback"),
        (["0.0.0.0:8443"], {"host": "localhost"}, "cannot listen on 'localhost': it is not an IP address"),
        (["0.0.0.0:1", "[::]:1"], {"host": "::"}, "the bindings b0 and b1 would listen on the same address"),
        (["0.0.0.0:8443"], {"port": 65536}, "there is no port 65536"),
        (["0.0.0.0:8443"], {"port": -1}, "there is no port -1"),
        (["0.0.0.0:8443", "0.0.0.0:8444"], {"port": 65535}, r"there is no port 65536 \(the scenario keeps it \+1"),
        (["0.0.0.0:8443", "0.0.0.0:8442"], {"port": 1}, r"there is no port 0 \(the scenario keeps it -1"),
        (["0.0.0.0:8443"], {"sans": ["not a name"]}, "'not a name' is neither a host name nor an IP address"),
    ],
)
def test_where_it_cannot(plan, endpoints, options, message):
    """An address or port that cannot be is one clear line with a hint."""
    with pytest.raises(LabError, match=message) as caught:
        plan(*endpoints, **options)
    assert caught.value.hint


def test_certificate(plan, pki):
    """One credential for all bindings, with their names, the address to listen on and --san in it."""
    got = plan("0.0.0.0:1", "up.localhost:1", host="192.0.2.7", sans=["lab.example"])
    first, second = got.tls["b0"], got.tls["b1"]
    names = first.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "up.localhost", "lab.example"} == set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "192.0.2.7"}
    assert first.key is second.key


def test_an_rsa_certificate_is_made_where_a_binding_wants_it(loaded, pki):
    """Each binding shows the kind that it names, and suites go by OpenSSL's names."""
    bindings = {"a": {"endpoint": "0.0.0.0:1"}, "b": {"endpoint": "up.localhost:1", "certificate": "server-rsa"}}
    got = build(loaded, [], {"bindings": bindings}, pki).tls
    assert isinstance(got["a"].key, ec.EllipticCurvePrivateKey)
    assert isinstance(got["b"].key, rsa.RSAPrivateKey)
    assert (got["a"].ciphers, got["b"].ciphers) == ((), ())
    suites = ["TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"]
    plan = build(loaded, [], {"schannel.cipher_suites": suites}, pki)
    assert plan.tls["site"].ciphers == ("AES256-SHA", "AES128-SHA")


def test_a_deleted_certificate_is_none(loaded, pki):
    """The record names it and is listened on; there is nothing to show for it, and the others have theirs."""
    bindings = {"a": {"endpoint": "0.0.0.0:1", "certificate": "deleted"}, "b": {"endpoint": "up.localhost:1"}}
    plan = build(loaded, [], {"bindings": bindings}, pki)
    [listener] = plan.listeners
    assert [(one.name, one.record.certificate) for one in listener.bindings] == [("a", "deleted"), ("b", "server")]
    assert set(plan.tls) == {"b"}
    assert build(loaded, [], {"bindings.site.certificate": "deleted"}, pki).tls == {}


@pytest.mark.parametrize("port", [None, 1, 8443, 65535])
def test_where_sstp_listens(loaded, pki, port):
    """Nowhere unless somebody says so."""
    assert build(loaded, [], {"sstp_listener_port": port}, pki).setup.sstp_listener_port == port
    assert build(loaded, [], {}, pki).setup.sstp_listener_port is None


@pytest.mark.parametrize("port", [0, 65536, "https", True])
def test_where_sstp_cannot_listen(loaded, pki, port):
    """A port is a whole number of 16 bits, not 0."""
    with pytest.raises(LabError, match="sstp_listener_port: expected"):
        build(loaded, [], {"sstp_listener_port": port}, pki)


def test_trusted_issuers(loaded, pki):
    """A binding names the lab's client authorities where the list is on; the profile of 2012 R2 has it off."""
    ours = tuple(authority.subject for authority in pki.client_authorities)
    on = {"schannel.send_trusted_issuer_list": True}
    assert build(loaded, [], {}, pki).tls["site"].issuer_names == ()
    plan = build(loaded, [], on, pki)
    settings = plan.tls["site"]
    assert (settings.issuer_names, settings.client_authorities) == (ours, pki.client_authorities)
    assert plan.cut_issuers == {}
    short = build(loaded, [], on | {"schannel.trusted_issuer_list_limit": 9}, pki)
    assert short.tls["site"].issuer_names == ()
    assert short.cut_issuers == {"site": CutIssuers(tuple(name.rfc4514_string() for name in ours), 9)}


def test_each_binding_has_its_own_list(loaded, pki):
    """The store that a binding names is its list; another binding's is made of Trusted Roots."""
    changes = {
        "bindings": {"a": {"endpoint": "0.0.0.0:1"}, "b": {"endpoint": "up.localhost:1", "ctl_store": "Mine"}},
        "stores": {"Root": {"roots": [{"name": "R"}]}, "Mine": {"roots": [{"name": "M {n}", "count": 2}]}},
        "schannel.send_trusted_issuer_list": True,
    }
    got = build(loaded, [], changes, pki).tls
    names = {name: [issuer.rfc4514_string() for issuer in settings.issuer_names] for name, settings in got.items()}
    assert names == {"a": ["CN=R"], "b": ["CN=M 1", "CN=M 2"]}
    assert {settings.client_authorities for settings in got.values()} == {()}


def test_settings_of_a_binding(loaded, pki):
    """Protocols and negotiation become TLS settings; the fix that turns negotiation on does."""
    plain, fixed = build(loaded, [], {}, pki), build(loaded, ["a-fix", "a-fix"], {}, pki)
    assert plain.tls["site"].protocols == {Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2}
    assert (plain.tls["site"].asks_in_handshake, fixed.tls["site"].asks_in_handshake) == (False, True)
    assert (plain.fixes, fixed.fixes) == ((), ("a-fix",))
    assert fixed.landing.fixes == (("a-fix", "F", True),)
    assert plain.landing.paths[0] == ("/upload", "needs no client certificate")


def test_limits_of_messages(loaded, pki):
    """Schannel's two limits reach each binding; without them there is none."""
    settings = {"schannel.message_limit_server": "16KiB", "schannel.message_limit_server_client_auth": 0}
    plain, limited = build(loaded, [], {}, pki).tls["site"], build(loaded, [], settings, pki).tls["site"]
    assert (plain.message_limit, plain.message_limit_client_auth) == (None, None)
    assert (limited.message_limit, limited.message_limit_client_auth) == (16384, 0)


def test_overrides_win_over_fixes(loaded, pki):
    """--set is the last word."""
    path = "bindings.site.client_cert_negotiation"
    got = build(loaded, ["a-fix"], {path: "disable", "sites./upload.ssl_flags": ["SslRequireCert"]}, pki)
    assert not got.tls["site"].asks_in_handshake
    assert got.sites[0].ssl_flags == (SslFlag.SSL_REQUIRE_CERT,)


@pytest.mark.parametrize(
    ("fixes", "overrides", "message"),
    [
        (["a-fi"], {}, "small has no fix 'a-fi'"),
        ([], {"timers.header_wai": "1s"}, "cannot set timers.header_wai"),
        ([], {"timers.header_wait": "soon"}, "timers.header_wait: expected a duration such as 120s"),
        ([], {"timers": None}, "timers: expected a mapping, found nothing"),
        ([], {"sites": []}, "sites: at least one is needed here"),
        ([], {"bindings.site.endpoint": "0.0.0.0:99999"}, "bindings.site.endpoint: expected an endpoint"),
        ([], {"sites./upload.client_cert_retrieval.max": 1}, "max: there is no such key here; known: kind, size"),
        ([], {"sites./upload.path": "/up.load"}, "the path /up.load is taken already"),
    ],
)
def test_refusals(loaded, pki, fixes, overrides, message):
    """An unknown fix, path or value is one clear line with a hint."""
    with pytest.raises(LabError, match=message) as caught:
        build(loaded, fixes, overrides, pki)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "value", "agree"),
    [
        ("bindings.site.client_cert_negotiation", "enable", True),
        ("bindings.site.client_cert_negotiation", "disable", False),
        ("bindings.site", "{endpoint: '0.0.0.0:1'}", False),
        ("bindings.site.protocols", "[TLS1.2]", True),
    ],
)
def test_fixes_that_contradict(sound, pki, path, value, agree):
    """Two fixes may set the same thing to the same value, and nothing else, whichever of them sets more."""
    text = sound.replace("teach: X\n", TWO_FIXES.replace("PATH", path).replace("VALUE", value))
    loaded = parse_scenario(text.encode(), "small", "f")
    for fixes in (["a-fix", "other-fix"], ["other-fix", "a-fix"]):
        if agree:
            assert build(loaded, fixes, {}, pki).fixes == tuple(fixes)
        else:
            with pytest.raises(LabError, match=r"both set bindings\.site\.client_cert_negotiation"):
                build(loaded, fixes, {}, pki)


def test_every_certificate_that_can_be_named_is_made():
    """What a scenario can say of a binding is issued, or said to be unusable."""
    usable = {kind.value for kind in ServerCertificate if kind.unusable is None}
    assert usable == {"server", "server-rsa", *FAULTS}
    assert {kind.value for kind in ServerCertificate} - usable == {"deleted", "key-missing"}


def test_each_binding_has_its_own_certificate(loaded, pki):
    """Of the kind that it names, with every name of the file where it is a good one; a missing key is none."""
    kinds = {"site": "server", "shop": "wrong-name", "old": "expired", "gone": "key-missing"}
    bindings = {
        name: {"endpoint": f"0.0.0.0:{9000 + number}", "certificate": kind}
        for number, (name, kind) in enumerate(kinds.items())
    }
    tls = build(loaded, [], {"bindings": bindings}, pki).tls
    assert set(tls) == {"site", "shop", "old"}
    assert len({settings.chain[0].fingerprint(SHA256()) for settings in tls.values()}) == 3
    assert tls["old"].chain[0].not_valid_after_utc < tls["site"].chain[0].not_valid_before_utc
    assert tls["shop"].chain[0].subject.rfc4514_string() == "CN=wrong-name.localhost"
