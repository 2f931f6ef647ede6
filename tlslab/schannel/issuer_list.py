"""The trusted issuers that Schannel names in a CertificateRequest: which store they come from, and where it cuts them.

Nothing on the wire tells a client that the list was cut. A client that chooses its certificate by the list then
offers none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlslab.schannel.settings import Schannel

NAME_PREFIX = 2  # bytes of length before each name (RFC 5246, 7.4.4; in TLS 1.3 RFC 8446, 4.2.4)

# Stores of LocalMachine, as certutil and netsh call them. In certlm.msc: Trusted Root Certification Authorities, and
# Client Authentication Issuers (from Windows Server 2012 on).
ROOT = "Root"
CLIENT_AUTH_ISSUER = "ClientAuthIssuer"


@dataclass(frozen=True, slots=True)
class IssuerList:
    """The DER names that go out and those that do not, in the store's order; `wire_bytes` is what goes out."""

    sent: tuple[bytes, ...]
    dropped: tuple[bytes, ...]
    wire_bytes: int


def issuer_list(names: Sequence[bytes], settings: Schannel) -> IssuerList:
    """Add whole DER names until the next one would pass the limit, then stop; none at all where the list is off.

    Windows Server 2012 is said to fail above the limit whether the list is on or off (KB2880390). That it then sends
    the list, cut as ever, is an assumption.

    Sizes are wire bytes: each name costs its length plus two. The limit is 16 KB from KB933430 through Windows Server
    2012 (Microsoft Learn, what's new in TLS/SSL); that it counts these bytes and cuts between names is unverified.
    """
    is_off = not settings.send_trusted_issuer_list
    if is_off and not settings.always_sends_cut_list:
        return IssuerList((), (), 0)
    used = kept = 0
    for name in names:
        cost = NAME_PREFIX + len(name)
        if used + cost > settings.trusted_issuer_list_limit:
            break
        used, kept = used + cost, kept + 1
    if is_off and kept == len(names):
        return IssuerList((), (), 0)
    return IssuerList(tuple(names[:kept]), tuple(names[kept:]), used)


def source_store(ctl_store: str | None, sizes: Mapping[str, int]) -> str:
    """Choose the store whose content is the list; `sizes` counts the certificates of each store there is.

    The binding's own, else Client Authentication Issuers, else Trusted Roots; one without certificates is passed over
    (Microsoft Learn, what's new in TLS/SSL; Windows Server 2012 and later).
    """
    wanted = (ctl_store, CLIENT_AUTH_ISSUER)
    return next((name for name in wanted if name is not None and sizes.get(name)), ROOT)
