"""IIS status codes with their substatus, and the phrase and advice the lab's pages carry for each."""

from __future__ import annotations

from dataclasses import dataclass

from tlslab.text import format_full_status


@dataclass(frozen=True, slots=True)
class Status:
    """A status and substatus of KB943891; `advice` is what a tired engineer should try, in our words.

    `win32` is what the W3C log says beside it (sc-win32-status); None where no document of Microsoft shows a value.
    """

    code: int
    substatus: int
    title: str
    advice: str = ""
    win32: int | None = None

    def __str__(self) -> str:
        return format_full_status(self.code, self.substatus)


OK = Status(200, 0, "OK", win32=0)  # the sample line of iis-docs, HTTP/2 on IIS
CERTIFICATE_REQUIRED = Status(
    403,
    7,
    "Client certificate required",
    "This path requires a client certificate and none arrived. The client has none to offer, none of its "
    "certificates matches the issuer names the server sent, or somebody pressed Cancel. Send one (curl: --cert and "
    "--key), and look in the trace whether the server's CertificateRequest names the issuer of yours.",
    # ERROR_ACCESS_DENIED: the page shows it as HRESULT 0x80070005 (KB942067), a practitioner's log as 5
    # (gradenegger.eu).
    win32=5,
)
CERTIFICATE_UNTRUSTED = Status(
    403,
    16,
    "Client certificate is untrusted or invalid",
    "A certificate arrived, but the root at the end of its chain is none that this server trusts. Install that root on "
    "the server (in IIS: Trusted Root Certification Authorities of the computer, not of a user), or use a certificate "
    "from an authority that is there.",
    win32=2_148_204_809,  # 0x800B0109 CERT_E_UNTRUSTEDROOT (KB942061, KB2802568)
)
CERTIFICATE_INCOMPLETE_CHAIN = Status(
    403,
    16,
    "Client certificate is untrusted or invalid",
    "A certificate arrived, but no chain leads from it to an authority this server trusts. Either an intermediate is "
    "missing between the two: have the client send it along, or install it on the server. Or the root is missing on "
    "the server (in IIS: Trusted Root Certification Authorities of the computer, not of a user). (That the status is "
    "403.16 where an intermediate alone is missing is an assumption; no document says so.)",
)
CERTIFICATE_INVALID = Status(
    403,
    16,
    "Client certificate is untrusted or invalid",
    "A certificate arrived that is damaged or was never in order: its signature is wrong, it cannot be read, or one of "
    "those above it is no authority. Look at it with another program, and have a new one issued. (Which faults IIS "
    "calls invalid no document says.)",
)
CERTIFICATE_WRONG_USAGE = Status(
    403,
    16,
    "Client certificate is untrusted or invalid",
    "A certificate arrived and its chain is in order, but it was not issued for client authentication: its extended "
    "key usage lacks 1.3.6.1.5.5.7.3.2. Use one that has it. (http.sys checks this while usagecheck is enabled on the "
    "binding, which it is by default. That the status is 403.16 then is an assumption; no document says so.)",
)
CERTIFICATE_EXPIRED = Status(
    403,
    17,
    "Client certificate has expired or is not yet valid",
    "A certificate arrived from a trusted authority, but today is outside its validity. Renew it, and if it looks "
    "valid, compare the clocks of both machines.",
)
CERTIFICATE_REVOCATION_OFFLINE = Status(
    403,
    13,
    "Client certificate revoked",
    "A certificate arrived and is in order, but whether it was revoked cannot be told: 403.13 says that, too "
    "(KB294305). Here the revocation list is older than revocationfreshnesstime allows. Set it to 0 on the binding, or "
    "publish the list more often. Look into the list for its date before you look for the certificate in it.",
    # Presumably CRYPT_E_REVOCATION_OFFLINE; no document says so.
)
NOT_FOUND = Status(
    404, 0, "Not Found", "No site of this scenario has that path. The start page lists those that are there."
)
METHOD_NOT_ALLOWED = Status(
    405, 0, "Method Not Allowed", "This lab answers GET, HEAD, POST, PUT and, on a path that it serves, OPTIONS."
)
ENTITY_TOO_LARGE = Status(
    413,
    0,
    "Request Entity Too Large",
    "This path needs a client certificate, which cannot be asked for while a body is on its way, and the body is "
    "larger than what is read before the question (uploadReadAheadSize). Ask for the certificate when the connection "
    "opens (clientcertnegotiation=enable), send a GET or HEAD first on the same connection, or raise "
    "uploadReadAheadSize.",
)
APPLICATION_REFUSES = Status(
    403,
    0,
    "Forbidden",
    "IIS let this request in, and the application refuses it, because no client certificate came with it. Send one "
    "(curl: --cert and --key).",
)
FRONT_END_REFUSES = Status(
    403,
    0,
    "Forbidden",
    "This path needs a client certificate, which cannot be asked for while a body is on its way, and the body is "
    "larger than what the front end reads before the question: 100 KB, and nobody can change that. Send a HEAD first "
    "on the same connection, send Expect: 100-continue, or have the certificate asked for when the connection opens "
    "(client certificate mode Required or Optional, without exclusion paths).",
)
_TOO_LONG = (
    "The request announces more than maxAllowedContentLength allows, 30,000,000 bytes unless it is set "
    "(<security><requestFiltering><requestLimits>), and was refused before its body was read. Raise it, for this path. "
    "It has nothing to do with uploadReadAheadSize, whose refusal is 413.0."
)
CONTENT_TOO_LONG_413 = Status(413, 1, "Request Entity Too Large", f"{_TOO_LONG} (The KB articles call this 404.13.)")
CONTENT_TOO_LONG_404 = Status(404, 13, "Not Found: content length too large", f"{_TOO_LONG} (iis-docs calls it 413.1.)")
CERTIFICATE_UNAVAILABLE = Status(
    500,
    0,
    "The client certificate cannot be asked for (0x80070032)",
    "This connection speaks TLS 1.3 and the client did not offer post-handshake authentication. Ask for the "
    "certificate when the connection opens (clientcertnegotiation=enable), or leave TLS 1.3 out on this binding.",
    # ERROR_NOT_SUPPORTED: the page shows it as HRESULT 0x80070032 (IIS Support Blog, 29 August 2025); 50 in the log is
    # an assumption.
    win32=50,
)
