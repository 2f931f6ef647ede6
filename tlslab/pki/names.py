"""The names a server certificate carries: host names and addresses as a person types them, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from cryptography import x509

from tlslab.errors import UsageProblem

ALWAYS = ("localhost", "127.0.0.1", "::1")
MAX_HOST_NAME = 253

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
