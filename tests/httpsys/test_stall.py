"""What is told of a body that is no longer read."""

from __future__ import annotations

from tlslab.events import ALL, EntityBodyResumed, EntityBodyStalled, UnreadBytesChanged
from tlslab.httpsys.entity_body import EntityBody
from tlslab.httpsys.stall import Stall
from tlslab.recorder import Recorder


def test_a_stall():
    """It is told once, then only what changes, and how long it took in the end."""
    emit = Recorder(1, ALL)
    stall, body = Stall(emit), EntityBody(9)
    body.take(b"abc")
    for waits in (1, 1, 2):
        stall.note(body, 4, waits, "ClientHello", 10.0)
    assert stall.told
    stall.end(15.5)
    stall.end(16.0)
    assert not stall.told
    assert emit.take() == [
        EntityBodyStalled(10.0, 1, "", 3, 9, 4, 1, "ClientHello"),
        UnreadBytesChanged(10.0, 1, "", 4, 2),
        EntityBodyResumed(15.5, 1, "", 5.5),
    ]
