"""Windows' own names in --set: understood, or answered with the path that is meant."""

from __future__ import annotations

import pytest

from tlslab.errors import LabError, ScenarioError
from tlslab.scenario.build import build
from tlslab.scenario.load import load, parse_scenario
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.schema import Setup
from tlslab.scenario.windows_names import understood

ONE_SITE = "ca-list-truncation"  # one binding, one site, IIS's own way to ask


def ours(setting: str, name: str = ONE_SITE) -> dict[str, object]:
    """What --set comes to."""
    return understood(load(name).data, dict([parse_set(setting)]))


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("MaximumCacheSize=7", "schannel.maximum_cache_size", 7),
        ("maximumcachesize=7", "schannel.maximum_cache_size", 7),
        ("maximum_cache_size=7", "schannel.maximum_cache_size", 7),
        (
            r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\MaximumCacheSize=0x10",
            "schannel.maximum_cache_size",
            16,
        ),
        ("schannel.MaximumCacheSize=7", "schannel.maximum_cache_size", 7),
        ("ServerCacheTime=36000000", "schannel.server_cache_time", 36_000.0),
        ("ServerCacheTime=10h", "schannel.server_cache_time", "10h"),
        ("server_cache_time=10", "schannel.server_cache_time", 10),
        ("SendTrustedIssuerList=1", "schannel.send_trusted_issuer_list", True),
        ("SENDTRUSTEDISSUERLIST=0", "schannel.send_trusted_issuer_list", False),
        ("ClientAuthTrustMode=2", "schannel.client_auth_trust_mode", 2),
        ("EventLogging=7", "schannel.event_logging", 7),
        ("EnableKernelSSL=0", "enable_kernel_ssl", False),
        ("ListenerPort=8443", "sstp_listener_port", 8443),
        ("clientcertnegotiation=enable", "bindings.site.client_cert_negotiation", "enable"),
        ("SSLAlwaysNegoClientCert=TRUE", "bindings.site.client_cert_negotiation", "enable"),
        ("bindings.site.SslAlwaysNegoClientCert=false", "bindings.site.client_cert_negotiation", "disable"),
        ("Negotiate Client Certificate=Enabled", "bindings.site.client_cert_negotiation", "enable"),
        ("Ctl Store Name=WebClients", "bindings.site.ctl_store", "WebClients"),
        ("connectionTimeout=30", "timers.idle_connection", 30),
        ("sslctlstorename=WebClients", "bindings.site.ctl_store", "WebClients"),
        ("ipport=0.0.0.0:443", "bindings.site.endpoint", "0.0.0.0:443"),
        ("certhash=expired", "bindings.site.certificate", "expired"),
        ("headerwaittimeout=30", "timers.header_wait", 30),
        ("DrainEntityBody=0", "timers.drain_entity_body", 0),
        ("Timer_SslRenegotiation=30s", "timers.ssl_renegotiation", "30s"),
        ("sslFlags=Ssl,SslNegotiateCert", "sites./protected.ssl_flags", ["Ssl", "SslNegotiateCert"]),
        ("system.webServer/security/access/sslFlags=None", "sites./protected.ssl_flags", []),
        ("/sslFlags:Ssl", "sites./protected.ssl_flags", ["Ssl"]),
        ("uploadReadAheadSize=204800", "sites./protected.client_cert_retrieval.size", 204_800),
        ("/uploadReadAheadSize:204800", "sites./protected.client_cert_retrieval.size", 204_800),
        ("system.webServer/serverRuntime.UPLOADREADAHEADSIZE=1", "sites./protected.client_cert_retrieval.size", 1),
    ],
)
def test_understood(setting, path, value, pki):
    """In any case, behind any path, with values as Windows writes them; and the lab that results can be built."""
    assert ours(setting) == {path: value}
    assert build(load(ONE_SITE), (), dict([parse_set(setting)]), pki)


@pytest.mark.parametrize(
    ("setting", "name", "hint"),
    [
        ("clientcertnegotiation=enable", "stale-binding", "bindings.site.client_cert_negotiation or bindings.other."),
        ("sslFlags=Ssl", "client-certificate-verdicts", "sites./protected.ssl_flags or sites./accept.ssl_flags"),
        ("MaximumCachSize=1", "large-post-deadlock", "did you mean MaximumCacheSize (schannel.maximum_cache_size)?"),
        ("client_cert_negotiaton=1", ONE_SITE, "(bindings.site.client_cert_negotiation)?"),
        ("uploadReadAheadSize=1", "large-post-deadlock", "client_cert_retrieval={kind: read_ahead_413, size: 48KiB}"),
    ],
)
def test_answered_with_the_path(setting, name, hint):
    """Where it is more than one setting of this lab, or none yet, the answer says how it is written."""
    with pytest.raises(LabError) as caught:
        ours(setting, name)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "setting",
    ["registry=1", "some certificate=1", "SslUseDsMapper=1", "timers.header_wai=1", "=x", "..=1", "sites./no.x=1"],
)
def test_what_is_no_name_is_left_to_the_paths(setting, pki):
    """It gets the answer of a path that leads nowhere; words of the sentence around a name are none."""
    path, _, value = setting.partition("=")
    assert understood(load(ONE_SITE).data, {path: value}) == {path: value}
    with pytest.raises(LabError, match="cannot set"):
        build(load(ONE_SITE), (), {path: value}, pki)


def test_a_path_of_the_labs_own_stays_as_it_is():
    """Its value too: nothing is read as Windows would."""
    settings = {"schannel.server_cache_time": 10, "schannel.send_trusted_issuer_list": 1, "bindings.new": {}}
    assert understood(load(ONE_SITE).data, settings) == settings


def test_in_a_file_the_path_is_told(sound):
    """What a fix sets is written as a lab has it."""
    text = sound.replace("bindings.site.client_cert_negotiation", "SSLAlwaysNegoClientCert")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text.encode(), "small", "f.yaml")
    assert "in a lab it is bindings.site.client_cert_negotiation" in str(caught.value)


def test_every_name_is_found():
    """No knob is without a name that leads to it: its own, if Windows has none."""
    assert {"timers", "schannel", "bindings", "sites", "stores"} < set(Setup.model_fields)
    data = load(ONE_SITE).data
    for group, names in (("timers", data["timers"]), ("schannel", data["schannel"])):
        for name, value in names.items():
            assert understood(data, {name: value}) == {f"{group}.{name}": value}
