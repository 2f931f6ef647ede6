"""Who may use the API: whoever has the token, and no web page that somebody happens to have open."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tlslab.control.answers import problem

OPEN_PATHS = frozenset(("/health",))  # asked by those who watch over a container, and it says nothing
TOKEN_HINT = "send Authorization: Bearer TOKEN; the token is in the ready file, as control.token"


class Guard:
    """Lets requests through to `app` that come to this machine by address or by one of its `names`, with the token.

    A page on the Internet can have a browser send requests here, by a name that it lets point to 127.0.0.1 (DNS
    rebinding) or across origins: the first has a foreign Host, the second a foreign Origin.
    """

    def __init__(self, app: ASGIApp, token: str, names: Iterable[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._names: Collection[str] = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(headers, scope)
        await (self._app if refused is None else refused)(scope, receive, send)

    def _refusal(self, headers: Headers, scope: Scope) -> ASGIApp | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return problem(403, f"this is not {host or 'a request with a Host'}", "ask by address, or as localhost")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            return problem(
                403, f"a page of {origin} has no business here", "ask from a program, or from a page of this API"
            )
        if scope["path"] in OPEN_PATHS or self._knows_token(headers, scope):
            return None
        return problem(401, "the token is missing, or another one", TOKEN_HINT, {"WWW-Authenticate": "Bearer"})

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._names
        return True

    def _knows_token(self, headers: Headers, scope: Scope) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":  # EventSource in a browser cannot send a header
            given = next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", ())), "")
        return compare_digest(given.strip().encode(), self._token)
