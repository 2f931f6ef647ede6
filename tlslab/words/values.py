"""Values of enumerations in words. An event that was read from a file has a value as plain text: it is found, too."""

from __future__ import annotations

from tlslab.types import Activity, ConnectionEnd, Unavailable

ACTIVITIES = {
    Activity.TLS_HANDSHAKE: "the TLS handshake",
    Activity.RENEGOTIATION: "the renegotiation",
    Activity.CERTIFICATE_RETRIEVAL: "client certificate retrieval",
    Activity.IDLE: "an idle connection",
    Activity.REQUEST_HEAD: "the request headers",
    Activity.APPLICATION: "the application's own work",
    Activity.ENTITY_BODY: "the request body",
    Activity.ENDING: "the end",
}
CONNECTION_ENDS = {
    ConnectionEnd.RESET: "reset by the server",
    ConnectionEnd.RESET_BY_PEER: "reset by the client",
    ConnectionEnd.CLOSED: "closed",
    ConnectionEnd.ABANDONED: "ended with the lab",
}
UNAVAILABLE = {Unavailable.NO_POST_HANDSHAKE_AUTH: "the client did not offer post-handshake authentication"}
