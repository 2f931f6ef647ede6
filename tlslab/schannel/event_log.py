r"""What Schannel writes to the System log, and whether it does.

`EventLogging` under `HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL` is a mask: 1 errors, 3 errors
and warnings, 7 all (Microsoft Learn, tls-registry-settings). Warnings are not logged unless somebody asks for them
(KB933430).
"""

from __future__ import annotations

from dataclasses import dataclass

from tlslab.schannel.settings import LOG_WARNINGS, Schannel


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of entry: Windows' number, the bit of EventLogging that lets it through, and its sense in our words."""

    event_id: int
    level: int
    message: str


ISSUER_LIST_TRUNCATED = Entry(  # KB933430; Microsoft Learn, dn786445
    36885,
    LOG_WARNINGS,
    "the list of trusted issuers for clients had grown too long and was cut; take out the roots that no client needs",
)


def is_logged(entry: Entry, settings: Schannel) -> bool:
    """Whether a machine with these settings writes the entry."""
    return bool(entry.level & settings.event_logging)
