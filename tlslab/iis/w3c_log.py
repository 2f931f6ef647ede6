"""The log of a site in the W3C extended format, with the fields that IIS 8.0 and later write unless told otherwise.

IIS 7.x has no Referer among them, IIS 6.0 no time-taken either (Microsoft Learn, ms524906); the lab writes one format.
Sources: iis-docs (logFile; HTTP/2 on IIS for a sample) for the fields, their order and UTC, TechNet cc786596 for what
each says, cc728311 for `+` in place of what cannot be printed.
"""

from __future__ import annotations

from functools import lru_cache

from tlslab.events import RequestReceived, ResponseSent
from tlslab.iis.sites import origin_form
from tlslab.text import NOTHING, HostPort, log_field

SOFTWARE = "Microsoft Internet Information Services (imitated by tlslab)"
FIELDS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) "
    "sc-status sc-substatus sc-win32-status time-taken"
)


def file_name(moment: str) -> str:
    """Name the file that a moment belongs to, one a day. A moment is `2026-03-04 05:06:07`, in UTC, here and below."""
    return f"u_ex{moment[2:4]}{moment[5:7]}{moment[8:10]}.log"


def heading(moment: str) -> str:
    """Write what stands at the top of a file, and again where IIS goes on with one after a restart."""
    lines = (f"#Software: {SOFTWARE}", "#Version: 1.0", f"#Date: {moment}", f"#Fields: {FIELDS}")
    return "".join(f"{line}\n" for line in lines)


def line(moment: str, client: str, server: HostPort, request: RequestReceived, response: ResponseSent) -> str:
    """Write the line of an answered request.

    `client` is an IP address, `server` address and port. The URL stands there as it was sent. Nobody has a user name:
    no account is mapped to the certificate. A sc-win32-status that no document shows is `-`.
    """
    asked = _asked(client, server, request.method, request.target, request.user_agent, request.referer)
    win32 = NOTHING if response.win32 is None else response.win32
    milliseconds = round(response.seconds * 1000)
    return f"{moment} {asked} {response.status} {response.substatus} {win32} {milliseconds}\n"


@lru_cache(maxsize=128)  # clients ask the same again and again; a target may have 16 KiB
def _asked(client: str, server: HostPort, method: str, target: str, user_agent: str, referer: str) -> str:
    """Write the fields that are the same whenever the same is asked, from s-ip to cs(Referer)."""
    stem, _, query = origin_form(target).partition("?")
    return (
        f"{server[0]} {log_field(method)} {log_field(stem)} {log_field(query)} {server[1]} {NOTHING} {client}"
        f" {log_field(user_agent)} {log_field(referer)}"
    )
