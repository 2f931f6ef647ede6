"""The knobs of a lab for people: what Windows calls each, and their values in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tlslab.scenario.schema import Setup
from tlslab.text import format_bytes, format_seconds

WINDOWS_NAMES = {
    "endpoint": "netsh http add sslcert ipport= or hostnameport=",
    "certificate": "netsh http add sslcert certhash=",
    "client_cert_negotiation": "netsh http add sslcert clientcertnegotiation=; IIS 6: SSLAlwaysNegoClientCert",
    "protocols": r"registry, SCHANNEL\Protocols",
    "ctl_store": "netsh http add sslcert sslctlstorename=",
    "ssl_flags": "applicationHost.config <access sslFlags>; IIS Manager: SSL Settings, Ignore / Accept / Require",
    "client_cert_retrieval": "how the component above http.sys calls HttpReceiveClientCertificate; IIS: "
    "read_ahead_413, with <serverRuntime uploadReadAheadSize>",
    "continue_100": "the order of 100 Continue and the certificate; what Windows does is unverified",
    "application_delay": "the lab's own: how long the application takes before it asks",
    "ssl_renegotiation": "HTTPERR Timer_SslRenegotiation, default two minutes (KB820729)",
    "entity_body": "HTTP_TIMEOUT_LIMIT_INFO EntityBody",
    "header_wait": "HTTP_TIMEOUT_LIMIT_INFO HeaderWait; netsh http add timeout headerwaittimeout",
    "idle_connection": "HTTP_TIMEOUT_LIMIT_INFO IdleConnection; netsh http add timeout idleconnectiontimeout",
    "drain_entity_body": "HTTP_TIMEOUT_LIMIT_INFO DrainEntityBody",
    "send_trusted_issuer_list": "registry, SCHANNEL: SendTrustedIssuerList",
    "trusted_issuer_list_limit": "a buffer of Schannel, which has no name; KB933430 made it larger",
    "maximum_cache_size": "registry, SCHANNEL: MaximumCacheSize",
    "server_cache_time": "registry, SCHANNEL: ServerCacheTime, in milliseconds there",
    "event_logging": "registry, SCHANNEL: EventLogging, 1 errors, 3 warnings too, 7 all",
    "cipher_suites": "group policy SSL Cipher Suite Order; registry, Policies, "
    r"Cryptography\Configuration\SSL\00010002: Functions",
    "capi2_operational_log": "Event Viewer: CAPI2 / Operational, Enable Log; wevtutil sl "
    "Microsoft-Windows-CAPI2/Operational /e:true",
    "enable_kernel_ssl": r"IIS 6: registry, Services\HTTP\Parameters: EnableKernelSSL",
    "roots": "certlm.msc, or certutil -store and -addstore",
    "without": "certlm.msc, or certutil -delstore: the roots that are taken out of the store",
    "sstp_listener_port": r"registry, SstpSvc\Parameters: ListenerPort, 443 unless set; none: no SSTP on this machine",
    "on_unavailable": "not a setting: what http.sys does when TLS 1.3 cannot ask for the certificate",
}
COUNTS = {"maximum_cache_size": "entries", "event_logging": "", "count": ""}  # every other whole number is a size


@dataclass(frozen=True, slots=True)
class KnobAt:
    """A knob: its path for --set, its value (sizes in bytes, times in seconds), and what Windows calls it."""

    path: str
    value: Any
    windows_name: str

    @property
    def text(self) -> str:
        """The value in words."""
        return value_text(self.value, self.path.rpartition(".")[2])


def knobs_of(lab: Setup) -> Iterator[KnobAt]:
    """List every knob of a lab that has a name here, in the order of a scenario file."""
    for name, binding in lab.bindings.items():
        yield from _named(f"bindings.{name}.", binding.model_dump(mode="json"))
    for site in lab.sites:
        yield from _named(f"sites.{site.path}.", site.model_dump(mode="json", exclude={"path"}))
    rest = lab.model_dump(mode="json", include=set(Setup.model_fields) - {"bindings", "sites"})
    for section in ("timers", "schannel"):
        yield from _named(f"{section}.", rest.pop(section))
    stores = rest.pop("stores")
    yield from _named("", rest)
    for name, store in stores.items():
        yield from _named(f"stores.{name}.", store)


def _named(prefix: str, values: Mapping[str, Any]) -> Iterator[KnobAt]:
    for key, value in values.items():
        if key in WINDOWS_NAMES:
            yield KnobAt(f"{prefix}{key}", value, WINDOWS_NAMES[key])


def value_text(value: Any, name: str = "") -> str:
    """Write the value of the knob `name`: floats are times, whole numbers sizes unless `COUNTS` says otherwise."""
    match value:
        case None | []:
            return "none"
        case bool():
            return "true" if value else "false"
        case dict():
            return ", ".join(f"{key} {value_text(inner, key)}" for key, inner in value.items() if inner is not None)
        case list():
            return ("; " if isinstance(value[0], dict) else ", ").join(map(value_text, value))
        case float():
            return format_seconds(value) if value else "0 s"
        case int() if name.endswith("_port"):
            return str(value)
        case int() if name in COUNTS:
            return f"{value:,} {COUNTS[name]}".strip()
        case int():
            return format_bytes(value)
    return str(value)
