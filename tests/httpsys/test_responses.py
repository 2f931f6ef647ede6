"""Responses as bytes: what h11 itself would have sent for the same request."""

from __future__ import annotations

import h11
import pytest

from tlslab.httpsys.effects import Response
from tlslab.httpsys.head_limits import HeadLimits
from tlslab.httpsys.reader import make_reader
from tlslab.httpsys.responses import closes_after, encode

HEAD = {
    "goes on": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "closes": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "is old": b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
    "head": b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    "offers websocket": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "offers and closes": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n",
    "connects": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "has a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "is not read": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na",
}


def read(request):
    """A reader that has read the request, as far as it came."""
    reader = make_reader(HeadLimits())
    reader.receive_data(request)
    while reader.next_event() not in (h11.EndOfMessage(), h11.NEED_DATA):
        pass
    return reader


@pytest.mark.parametrize("request_", HEAD.values(), ids=HEAD)
@pytest.mark.parametrize("status", [200, 403, 413])
def test_it_is_what_h11_would_send(request_, status):
    """The same bytes, and the same decision whether the connection goes on."""
    method = request_.split()[0].decode()
    response = Response(status, 0, "text/plain", b"body\n", None, (("Allow", "GET"),))
    if method == "CONNECT" and status == 200:
        return  # the lab never answers that
    theirs = read(request_)
    early = [("Connection", "close")] if theirs.their_state is h11.SEND_BODY else []
    fields = [("Content-Type", "text/plain"), ("Content-Length", "5"), ("Cache-Control", "no-store"), ("Allow", "GET")]
    reason = {200: b"OK", 403: b"Forbidden", 413: b"Request Entity Too Large"}[status]
    sent = [theirs.send(h11.Response(status_code=status, headers=[*fields, *early], reason=reason))]
    sent += [theirs.send(h11.Data(data=b"body\n"))] if method != "HEAD" else []
    sent.append(theirs.send(h11.EndOfMessage()))
    closes = closes_after(read(request_))
    assert encode(response, method, closes=closes) == b"".join(sent)
    assert closes is (h11.MUST_CLOSE in (theirs.our_state, theirs.their_state) or bool(early))
