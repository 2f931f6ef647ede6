"""What the lab's identities come to."""

from __future__ import annotations

from tlslab.iis.access import earns
from tlslab.pki.identities import IDENTITIES
from tlslab.text import format_status


def status_of(identity: str) -> str:
    """What an identity earns on a path that requires a certificate: `200` or `403.16`."""
    status = earns(IDENTITIES[identity].verdict)
    return format_status(status.code, status.substatus)
