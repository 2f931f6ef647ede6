r"""What Schannel writes to the System log, and whether it does.

`EventLogging` under `HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL` is a mask: 1 errors, 2 warnings,
4 information and successes (KB260729). Warnings are not logged unless somebody asks for them (KB933430).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tlslab.events import AlertReceived, AlertSent, Event, HandshakeCompleted, IssuerListTruncated, TlsFailed
from tlslab.schannel.settings import LOG_ERRORS, LOG_INFORMATION, LOG_WARNINGS, Schannel

SYSTEM = "System"
_SCHANNEL_EVENTS = "Microsoft Learn, dn786445"
_NO_LEVEL = "that its level is Error (dn786445 gives none, secondary pages this one)"


class Level(StrEnum):
    """How the Event Viewer ranks an entry."""

    ERROR = "Error"
    WARNING = "Warning"
    INFORMATION = "Information"


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of entry: Windows' number and source, and its sense in our words.

    `level` is None where no document gives it; `documented` says where the entry is described, `unverified` what of
    it is not.
    """

    event_id: int
    source: str
    channel: str
    level: Level | None
    message: str
    documented: str
    unverified: str = ""


ISSUER_LIST_TRUNCATED = Entry(
    36885,
    "Schannel",
    SYSTEM,
    Level.WARNING,
    "the list of trusted issuers for clients had grown too long and was cut; take out the roots that no client needs",
    f"KB933430; {_SCHANNEL_EVENTS}",
)
NO_CIPHER_IN_COMMON = Entry(
    36874,
    "Schannel",
    SYSTEM,
    Level.ERROR,
    "a client offered no cipher suite that this server supports, and was refused",
    _SCHANNEL_EVENTS,
    _NO_LEVEL,
)
HANDSHAKE_COMPLETED = Entry(
    36880,
    "Schannel",
    SYSTEM,
    Level.INFORMATION,
    "a TLS handshake with a client was completed",
    _SCHANNEL_EVENTS,
    "that its level is Information, and EventLogging 4 what lets it through",
)
ALERT_RECEIVED = Entry(
    36887,
    "Schannel",
    SYSTEM,
    Level.ERROR,
    "the client sent a fatal alert, whose code is in the data",
    _SCHANNEL_EVENTS,
    _NO_LEVEL,
)
ALERT_SENT = Entry(
    36888,
    "Schannel",
    SYSTEM,
    Level.ERROR,
    "this server sent a fatal alert, whose code is in the data",
    _SCHANNEL_EVENTS,
    _NO_LEVEL,
)
ENTRIES = (NO_CIPHER_IN_COMMON, HANDSHAKE_COMPLETED, ISSUER_LIST_TRUNCATED, ALERT_RECEIVED, ALERT_SENT)
_BITS = {Level.ERROR: LOG_ERRORS, Level.WARNING: LOG_WARNINGS, Level.INFORMATION: LOG_INFORMATION}


def is_logged(entry: Entry, settings: Schannel) -> bool:
    """Whether a machine with these settings writes the entry."""
    return entry.level is not None and bool(_BITS[entry.level] & settings.event_logging)


KINDS: frozenset[type[Event]] = frozenset(
    {AlertReceived, AlertSent, HandshakeCompleted, IssuerListTruncated, TlsFailed}
)


def entry_of(event: Event) -> tuple[Entry, dict[str, object]] | None:
    """What Schannel has to say of an event (one of `KINDS`), and the data that go with it; None for nothing."""
    match event:
        case IssuerListTruncated():
            names = {"names_sent": len(event.sent), "names_dropped": len(event.dropped)}
            return ISSUER_LIST_TRUNCATED, {**names, "bytes": event.wire_bytes, "limit_bytes": event.limit_bytes}
        case TlsFailed(kind="no_shared_cipher"):
            return NO_CIPHER_IN_COMMON, {}
        case HandshakeCompleted():
            return HANDSHAKE_COMPLETED, {"protocol": event.protocol, "cipher": event.cipher}
        case AlertReceived(level="fatal"):
            return ALERT_RECEIVED, {"alert": event.code, "name": event.description}
        case AlertSent(level="fatal"):
            return ALERT_SENT, {"alert": event.code, "name": event.description}
    return None
