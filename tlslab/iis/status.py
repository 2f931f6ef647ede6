"""IIS status codes with their substatus, and the phrase and advice the lab's pages carry for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """A status and substatus of KB943891; `advice` is what a tired engineer should try, in our words."""

    code: int
    substatus: int
    title: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.code}.{self.substatus}"


OK = Status(200, 0, "OK")
BAD_REQUEST = Status(400, 0, "Bad Request", "What arrived is not a request that HTTP/1.1 knows.")
CERTIFICATE_REQUIRED = Status(
    403,
    7,
    "Client certificate required",
    "This path requires a client certificate and none arrived. The client has none to offer, none of its "
    "certificates matches the issuer names the server sent, or somebody pressed Cancel. Send one (curl: --cert and "
    "--key), and look in the trace whether the server's CertificateRequest names the issuer of yours.",
)
CERTIFICATE_UNTRUSTED = Status(
    403,
    16,
    "Client certificate is untrusted or invalid",
    "A certificate arrived, but its chain does not end in an authority this server trusts.",
)
CERTIFICATE_EXPIRED = Status(
    403,
    17,
    "Client certificate has expired or is not yet valid",
    "A certificate arrived from a trusted authority, but today is outside its validity.",
)
NOT_FOUND = Status(
    404, 0, "Not Found", "No site of this scenario has that path. The start page lists those that are there."
)
METHOD_NOT_ALLOWED = Status(405, 0, "Method Not Allowed", "This lab answers GET, HEAD, POST and PUT.")
CERTIFICATE_UNAVAILABLE = Status(
    500,
    0,
    "The client certificate cannot be asked for (0x80070032)",
    "This connection speaks TLS 1.3 and the client did not offer post-handshake authentication. Ask for the "
    "certificate when the connection opens (clientcertnegotiation=enable), or leave TLS 1.3 out on this binding.",
)
