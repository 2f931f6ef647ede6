"""Values of enumerations in words. An event that was read from a file has a value as plain text: it is found, too."""

from __future__ import annotations

from tlslab.text import format_bytes, format_count, plural
from tlslab.types import Activity, ConnectionEnd, EvidenceEnd, EvidenceFile, Unavailable, Unusable

ACTIVITIES = {
    Activity.TLS_HANDSHAKE: "the TLS handshake",
    Activity.RENEGOTIATION: "the renegotiation",
    Activity.CERTIFICATE_RETRIEVAL: "client certificate retrieval",
    Activity.IDLE: "an idle connection",
    Activity.REQUEST_HEAD: "the request headers",
    Activity.APPLICATION: "the application's own work",
    Activity.ENTITY_BODY: "the request body",
    Activity.RESPONSE: "the response",
    Activity.ENDING: "the end",
}
CONNECTION_ENDS = {
    ConnectionEnd.RESET: "reset by the server",
    ConnectionEnd.RESET_BY_PEER: "reset by the client",
    ConnectionEnd.CLOSED: "closed",
    ConnectionEnd.ABANDONED: "ended with the lab",
}
UNAVAILABLE = {Unavailable.NO_POST_HANDSHAKE_AUTH: "the client did not offer post-handshake authentication"}
UNUSABLE = {
    Unusable.DELETED: "still names a certificate that is no longer in the store",
    Unusable.KEY_MISSING: "names a certificate whose private key is not there or not readable",
}
EVIDENCE = {
    EvidenceFile.EVENTS_FILE: "the events file",
    EvidenceFile.KEY_LOG: "the key log",
    EvidenceFile.CAPTURE: "the capture",
    EvidenceFile.SITE_LOG: "the site's log",
    EvidenceFile.HTTPERR_LOG: "the HTTPERR log",
    EvidenceFile.EVENT_LOG_JSON: "the event log windows-events.jsonl",
    EvidenceFile.EVENT_LOG_TEXT: "the event log windows-events.txt",
}


UNITS = {file: "packet" if file == EvidenceFile.CAPTURE else "line" for file in EvidenceFile}  # what is counted
HINTS = {
    EvidenceEnd.DISK_FULL: "make room on its disk",
    EvidenceEnd.NO_DESCRIPTORS: "close connections, or start the lab with a higher `ulimit -n`",
    EvidenceEnd.NOT_THERE: "put its folder back, or make it again",
    EvidenceEnd.NOT_ALLOWED: "let the lab write there again",
    EvidenceEnd.UNREAD: "read on, or end the reader",
    EvidenceEnd.FAILED: "see what is wrong with its disk",
}


def why_ended(why: EvidenceEnd, detail: str) -> str:
    """Say why a file ended, or is not written for now; `detail` is that of `EvidenceEnded`."""
    if why == EvidenceEnd.SIZE_LIMIT:
        return "it has reached the size it may have"
    if why == EvidenceEnd.READER_GONE:
        return f"its reader has gone ({detail})"
    if why == EvidenceEnd.UNREAD:
        return f"its reader left {format_bytes(int(detail))} unread" if detail else "its reader does not read"
    if why == EvidenceEnd.DELETED:
        return f"somebody has deleted {detail}"
    return detail


def missing(count: int, unit: str) -> str:
    """Say how much is missing: `1 line is missing`, `1,234 packets are missing`."""
    return f"{format_count(count, unit)} {plural(count, 'is', 'are')} missing"
