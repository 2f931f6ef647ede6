"""Entries of Windows' event logs: which of them an event of the lab makes, and how they are written down.

Schannel's own are in `schannel.event_log`; here are those of its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tlslab.events import CertificateNotUsable, ClientCertificateReceived, Event, SstpCertificatesDiffer
from tlslab.schannel import event_log
from tlslab.schannel.event_log import SYSTEM, Entry, Level, entry_of, is_logged
from tlslab.schannel.settings import Schannel
from tlslab.text import escaped, json_text
from tlslab.types import Unusable, Verdict

CAPI2_CHANNEL = "Microsoft-Windows-CAPI2/Operational"
_CAPI2 = "TechNet Wiki, CAPI2 Diagnostics (the level follows the result); TechNet cc749296"
_CAPI2_UNVERIFIED = "which further entries the check of a client's chain leaves, and the result code in this one"

BINDING_UNUSABLE = Entry(
    15021,
    "HttpEvent",
    SYSTEM,
    Level.ERROR,
    "the certificate of a binding cannot be used, most often because it is no longer in the store; its connections "
    "are reset",
    "microsoft/IIS.Administration issue 284 (reset, an entry at each visit); blog.terenceluk.com, Exchange 2016 EAC "
    "displays a blank page (Error, constantly)",
    "that there is an entry for each connection, not only for each visit; the error code in its data, left out here "
    "(0xC000005F in a user's entry)",
)
SSTP_CERTIFICATES_DIFFER = Entry(
    24,
    "RasSstp",
    SYSTEM,
    None,
    "SSTP's port has one certificate for IPv4 and another, or none, for IPv6; the check is made at boot",
    "blog Tales from the Crypto, Debugging SSTP error -2147023660",
    "its level, and that it is also written where one of the two has no record",
)
CHAIN_BUILT = Entry(
    11, "CAPI2", CAPI2_CHANNEL, Level.INFORMATION, "the chain of a certificate was built", _CAPI2, _CAPI2_UNVERIFIED
)
CHAIN_FAILED = Entry(
    11,
    "CAPI2",
    CAPI2_CHANNEL,
    Level.ERROR,
    "the chain of a certificate was built, and has a fault",
    _CAPI2,
    _CAPI2_UNVERIFIED,
)
KEY_UNREADABLE = Entry(
    36870,
    "Schannel",
    SYSTEM,
    Level.ERROR,
    "the private key of a server's certificate could not be used; the code in the data says that its container is not "
    "there or not readable",
    "Microsoft Learn, troubleshooting-ssl, scenario 2 (0x80090016); KB824035 (Error)",
    "that there is an entry for each connection, and that the connection is then reset: one trace shows it",
)
UNUSABLE_ENTRIES = {Unusable.DELETED: BINDING_UNUSABLE, Unusable.KEY_MISSING: KEY_UNREADABLE}
ENTRIES = (BINDING_UNUSABLE, KEY_UNREADABLE, SSTP_CERTIFICATES_DIFFER, CHAIN_BUILT, CHAIN_FAILED)
HEADING = f"{'Level':11}  {'Date and Time (UTC)':19}  {'Source':9}  Event ID  Log\n"


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it was written. `peer` is the client's `host:port`, `connection` the lab's number for it.

    Connection 0 is the machine itself; `peer` is "" then.
    """

    moment: datetime
    entry: Entry
    connection: int
    peer: str
    data: Mapping[str, object]

    def as_json(self) -> str:
        """One JSON object, and the end of its line."""
        entry = self.entry
        content = {
            "time": self.moment.isoformat(timespec="milliseconds"),
            "id": entry.event_id,
            "source": entry.source,
            "channel": entry.channel,
            "level": entry.level,
            "message": entry.message,
            "data": dict(self.data),
            "connection": self.connection,
            "peer": self.peer or None,
            "documented": entry.documented,
            "unverified": entry.unverified or None,
        }
        return json_text(content) + "\n"

    def as_text(self) -> str:
        """A row as the Event Viewer lists it, below it what it says."""
        entry = self.entry
        level, moment = entry.level or "-", f"{self.moment:%Y-%m-%d %H:%M:%S}"
        row = f"{level:11}  {moment}  {entry.source:9}  {entry.event_id:<8}  {entry.channel}"
        data = ", ".join(f"{name} {value}" for name, value in self.data.items())
        says = [entry.message, data, f"connection {self.connection} from {self.peer}" if self.peer else ""]
        if entry.unverified:
            says.append(f"unverified: {entry.unverified}")
        return "\n    ".join([row, *map(escaped, filter(None, says))]) + "\n"


def remark(lost: str) -> str:
    """A line of the JSON file that is no entry of Windows', and says what is missing there."""
    return json_text({"time": None, "id": None, "source": "tlslab", "message": lost}) + "\n"


KINDS = event_log.KINDS | {CertificateNotUsable, ClientCertificateReceived, SstpCertificatesDiffer}


def entry_for(event: Event, schannel: Schannel, *, capi2: bool) -> tuple[Entry, dict[str, object]] | None:
    """What a machine writes of an event (one of `KINDS`), with its data; None for nothing.

    `capi2` says whether CAPI2's log is on.
    """
    match event:
        case ClientCertificateReceived():
            if not capi2:
                return None
            entry = CHAIN_BUILT if event.verdict == Verdict.TRUSTED else CHAIN_FAILED
            return entry, {"subject": event.subject, "verdict": str(event.verdict)}
        case CertificateNotUsable(why=Unusable.KEY_MISSING):
            data: dict[str, object] = {"endpoint": event.endpoint, "code": "0x80090016"}
            return (KEY_UNREADABLE, data) if is_logged(KEY_UNREADABLE, schannel) else None
        case CertificateNotUsable():
            return BINDING_UNUSABLE, {"endpoint": event.endpoint}
        case SstpCertificatesDiffer():
            names = {"ipv4": event.ipv4 or "none", "ipv6": event.ipv6 or "none"}
            return SSTP_CERTIFICATES_DIFFER, {"port": event.port, **names}
    found = entry_of(event)
    return found if found is not None and is_logged(found[0], schannel) else None
