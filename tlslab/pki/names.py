"""The names a server certificate carries, and what an authority may vouch for: as a person types them, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from cryptography import x509

from tlslab.errors import UsageProblem

ALWAYS = ("localhost", "127.0.0.1", "::1")
MAX_HOST_NAME = 253
# Top-level domains in which there is no site anywhere (RFC 6761), and the addresses that no other machine has.
RESERVED = ("localhost", "test", "example", "invalid")
LOOPBACK = ("127.0.0.0/8", "::1/128")

# The underscore is no part of a host name (RFC 1123, 2.1), but Windows lets a computer carry one. A last label of
# digits alone is a mistyped address: browsers read it as IPv4 (WHATWG URL, "ends in a number").
LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = re.compile(rf"(?:{LABEL}\.)*(?![0-9]+$){LABEL}")


def alternative_names(names: Iterable[str]) -> x509.SubjectAlternativeName:
    """Make the SubjectAlternativeName of `localhost`, both loopback addresses and `names`, each once, in that order.

    An IP literal becomes an iPAddress, anything else a dNSName in lower case. UsageProblem names the first bad one.
    """
    return x509.SubjectAlternativeName(dict.fromkeys(map(_general_name, (*ALWAYS, *names))))


def _general_name(name: str) -> x509.GeneralName:
    try:
        address = ip_address(name)
    except ValueError:
        return x509.DNSName(_host_name(name))
    # Through its bytes: the zone of a link-local address (fe80::1%eth0) has no place in a certificate.
    return x509.IPAddress(ip_address(address.packed))


def _host_name(name: str) -> str:
    lowered = name.lower()
    if len(name) <= MAX_HOST_NAME and HOST_NAME.fullmatch(lowered):
        return lowered
    raise UsageProblem(
        f"{name!r} is neither a host name nor an IP address, so no certificate can carry it",
        "write it like upload.lab.example, 192.0.2.10 or 2001:db8::10: no port, no brackets, no wildcard, "
        "and an international name in its ASCII form (xn--...)",
    )


# --- what an authority may vouch for ------------------------------------------------------------------------------


def limits(names: Iterable[str]) -> x509.NameConstraints:
    """Permit what names this machine alone, and `names`: each of them as it is, a host name also with what is below it.

    UsageProblem names the first bad one.
    """
    permitted: list[x509.GeneralName] = [*map(x509.DNSName, RESERVED)]
    permitted += [x509.IPAddress(ip_network(network)) for network in LOOPBACK]
    for name in map(_general_name, names):
        if not any(_is_under(name, limit) for limit in permitted):
            permitted.append(x509.IPAddress(ip_network(name.value)) if isinstance(name, x509.IPAddress) else name)
    return x509.NameConstraints(permitted, excluded_subtrees=None)


def limits_of(certificate: x509.Certificate) -> list[x509.GeneralName] | None:
    """Give what an authority is limited to; None for one without limits, as older labs made them."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None
    return list(found.permitted_subtrees or ())


def added(permitted: Iterable[x509.GeneralName]) -> list[str]:
    """Those of an authority's limits that somebody asked for, as they can be asked for again."""
    always = limits(()).permitted_subtrees or ()
    return [str(limit.value).removesuffix("/32").removesuffix("/128") for limit in permitted if limit not in always]


def outside(names: Iterable[str], permitted: Iterable[x509.GeneralName] | None) -> list[str]:
    """Those of `names` that limits do not permit, each once. UsageProblem names the first bad one."""
    if permitted is None:
        return []
    known = list(permitted)
    checked = {name: _general_name(name) for name in names}
    return [name for name, general in checked.items() if not any(_is_under(general, limit) for limit in known)]


def _is_under(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    """Whether a limit permits a name (RFC 5280, 4.2.1.10)."""
    if isinstance(name, x509.IPAddress) and isinstance(limit, x509.IPAddress):
        network = ip_network(limit.value)
        return name.value.version == network.version and name.value in network
    if isinstance(name, x509.DNSName) and isinstance(limit, x509.DNSName):
        return f".{name.value}".endswith(f".{limit.value}")
    return False
