"""SSL bindings as http.sys keeps them: a key (address or name, and port) and whether it asks for a certificate."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from tlslab.httpsys.settings import BindingPrecedence
from tlslab.knobs import Knob, Seconds, TakesEffect, Tool, WindowsSetting
from tlslab.text import format_host_port
from tlslab.types import Unusable

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})", re.ASCII)
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*", re.ASCII)
WILDCARDS = ("0.0.0.0", "::")  # as `Endpoint.parse` writes them
WANTED = "an endpoint such as 0.0.0.0:8443, [::]:8443 or upload.localhost:8443 (a name makes it an SNI binding)"


def is_host_name(text: str) -> bool:
    """Whether a client could send `text` as a server name: labels joined by dots, and not an IPv4 address."""
    return _NAME.fullmatch(text) is not None and not text.replace(".", "").isdigit()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The key of a binding: `ipport=` (an address) or `hostnameport=` (a name, matched against SNI) of netsh."""

    host: str
    port: int
    is_name: bool

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read `0.0.0.0:8443`, `[::]:8443` or `upload.localhost:8443`; ValueError says what would be right."""
        match = _HOST_PORT.fullmatch(text.strip())
        if match is None or not 1 <= int(match["port"]) <= 65535:
            raise ValueError(f"expected {WANTED}")
        host, port = match["v6"] or match["host"], int(match["port"])
        try:
            return cls(str(ipaddress.ip_address(host)), port, is_name=False)
        except ValueError:
            if match["v6"] or not is_host_name(host):
                raise ValueError(f"expected {WANTED}") from None
            return cls(host.lower(), port, is_name=True)

    @property
    def is_ipv6(self) -> bool:
        """Whether the key is an IPv6 address; an SNI key stands for the IPv4 wildcard (sdk-api, SSL SNI key)."""
        return ":" in self.host

    def __str__(self) -> str:
        return format_host_port((self.host, self.port))


def _parse_endpoint(value: Any) -> Any:
    if isinstance(value, Endpoint):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {WANTED}")
    return Endpoint.parse(value)


EndpointText = Annotated[
    Endpoint,
    BeforeValidator(_parse_endpoint),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": WANTED}),
]


class Toggle(StrEnum):
    """netsh's own words for on and off."""

    ENABLE = "enable"
    DISABLE = "disable"


class ServerCertificate(StrEnum):
    """What a record's certhash names: a certificate of the lab's, good or faulty, or one that cannot be used.

    The faulty ones are served as they are, for http.sys checks none of this: it is the client that refuses them.
    """

    SERVER = "server"
    SERVER_RSA = "server-rsa"
    EXPIRED = "expired"
    WRONG_NAME = "wrong-name"
    SELF_SIGNED = "self-signed"
    NO_INTERMEDIATE = "no-intermediate"
    KEY_MISSING = "key-missing"
    DELETED = "deleted"

    @property
    def unusable(self) -> Unusable | None:
        """Why nobody can be served with it; None where somebody can."""
        return _UNUSABLE.get(self)


_UNUSABLE = {ServerCertificate.DELETED: Unusable.DELETED, ServerCertificate.KEY_MISSING: Unusable.KEY_MISSING}


class BindingRecord(Knob):
    """One record of `netsh http show sslcert`, as far as http.sys knows it in the lab."""

    endpoint: Annotated[
        EndpointText,
        WindowsSetting("netsh http add sslcert ipport= or hostnameport=", Tool.NETSH, TakesEffect.NEXT_CONNECTION),
    ]
    certificate: Annotated[
        ServerCertificate,
        WindowsSetting("netsh http add sslcert certhash=", Tool.NETSH, TakesEffect.NEXT_CONNECTION),
    ] = ServerCertificate.SERVER
    revocation_freshness_time: Annotated[
        Seconds,
        WindowsSetting(
            "netsh http add sslcert revocationfreshnesstime=, in seconds", Tool.NETSH, TakesEffect.NEXT_CONNECTION
        ),
    ] = 0.0
    client_cert_negotiation: Annotated[
        Toggle,
        WindowsSetting(
            "netsh http add sslcert clientcertnegotiation=; IIS 6: SSLAlwaysNegoClientCert",
            Tool.NETSH,
            TakesEffect.NEXT_CONNECTION,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Binding:
    """A record, and the name that the scenario has for it."""

    name: str
    record: BindingRecord

    def on_port(self, port: int) -> Binding:
        """The same record, for another port."""
        endpoint = replace(self.record.endpoint, port=port)
        return replace(self, record=self.record.model_copy(update={"endpoint": endpoint}))


def choose(bindings: Iterable[Binding], server_name: str | None, precedence: BindingPrecedence) -> Binding | None:
    """Pick the binding for a ClientHello among those that share an address and port.

    An exact address and the name that was asked for go before the wildcard; which of the two goes first is disputed.
    """
    wanted = None if server_name is None else server_name.lower().rstrip(".")
    named = exact = wildcard = None
    for binding in bindings:
        endpoint = binding.record.endpoint
        if endpoint.is_name:
            named = named or (binding if endpoint.host == wanted else None)
        elif endpoint.host in WILDCARDS:
            wildcard = wildcard or binding
        else:
            exact = exact or binding
    first = (exact, named) if precedence is BindingPrecedence.EXACT_ADDRESS_FIRST else (named, exact)
    return next((binding for binding in (*first, wildcard) if binding is not None), None)


def wildcard_certificates(bindings: Iterable[Binding], port: int) -> tuple[str, str]:
    """Name the certificates of 0.0.0.0:`port` and [::]:`port`; "" where there is no such record.

    They are two records that know nothing of each other (netsh http, iplisten: all of IPv4, all of IPv6).
    """
    named = {binding.record.endpoint: binding.record.certificate.value for binding in bindings}
    ipv4, ipv6 = (named.get(Endpoint(host, port, is_name=False), "") for host in WILDCARDS)
    return ipv4, ipv6
