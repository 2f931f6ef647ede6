"""The ladder: lines of both sides made of a logbook and of the lab's events."""

from __future__ import annotations

import pytest

from tlslab import events as e
from tlslab.cli.both_sides import ladder
from tlslab.client.choice import Decision, KeptBack
from tlslab.client.https import LEFT
from tlslab.client.logbook import Logbook, Passed, Said
from tlslab.types import Activity, Direction

HELLO = (0.0, "ClientHello"), (0.1, "ServerHello"), (0.2, "Finished"), (0.3, "Finished")
FIRST = 7  # the lab's number of the first connection: it need not be the client's


class Talk:
    """A conversation as both sides tell of it."""

    def __init__(self) -> None:
        self.logbook = Logbook()
        self.events: list[e.Event] = []

    def opened(self, at: float, number: int = 1) -> None:
        """A connection comes."""
        self.event(e.ConnectionOpened, at, number, "c", "s")
        self.logbook.connections += 1

    def event(self, kind: type[e.Event], at: float, number: int, *fields: object) -> None:
        """The lab tells something."""
        self.events.append(kind(at, FIRST - 1 + number, "site", *fields))

    def note(self, at: float, sent: bool, what: Said, name: str = "", size: int = 0, number: int = 1) -> None:
        """The client notes something."""
        self.logbook.note(Passed(at, number, sent, what, name, size))

    def message(self, at: float, name: str, *, by_client: bool, number: int = 1, read: bool = True, size=99) -> None:
        """A handshake message passes, and is read soon after, or never."""
        directions = (Direction.RECEIVED, Direction.SENT)
        if by_client or read:
            self.note(at + 0.001 * (not by_client), by_client, Said.HANDSHAKE, name, size, number)
        if read or not by_client:
            self.event(e.HandshakeMessage, at, number, directions[not by_client], name, size, False)

    def handshake(self, at: float = 0.0, number: int = 1) -> None:
        """A whole handshake."""
        self.opened(at, number)
        for seconds, name in HELLO:
            self.message(at + seconds, name, by_client=seconds in (0.0, 0.2), number=number)

    def lines(self, speed: float = 1.0) -> list[str]:
        """The ladder, without its times: `>` was read, `|` was not."""
        rungs = ladder(self.logbook, self.events, speed)
        arrows = {(True, True): ">", (True, False): "|", (False, True): " ", (False, False): " "}
        return [
            f"{one.connection} {one.side.value[0].upper() if one.side else '.'}"
            f"{arrows[one.is_message, one.is_read]} {one.text}"
            for one in rungs
        ]


@pytest.fixture
def talk() -> Talk:
    """A conversation that has begun, with its first handshake."""
    begun = Talk()
    begun.handshake()
    return begun


HANDSHAKE = ["1 C> ClientHello", "1 S> ServerHello", "1 C> [Finished]", "1 S> [Finished]"]


def test_an_answer(talk):
    """A request and its answer; the numbers are the client's."""
    talk.note(0.4, True, Said.REQUEST, "GET /x")
    talk.event(e.RequestReceived, 0.4, 1, "GET", "/x", "1.1", 0, False, "", "")
    talk.event(e.ResponseSent, 0.5, 1, 403, 7, "GET", "/x", None, None, 0.1)
    talk.note(0.5, False, Said.RESPONSE, "403.7")
    assert talk.lines() == [*HANDSHAKE, "1 C> GET /x", "1 S> answer 403.7"]


def freeze(talk: Talk, *, hears: bool) -> None:
    """An upload that is not read, with a HelloRequest that its client reads or does not."""
    talk.note(0.4, True, Said.REQUEST, "POST /x", 1000)
    talk.event(e.RequestReceived, 0.4, 1, "POST", "/x", "1.1", 1000, False, "", "")
    talk.note(0.41, True, Said.BODY, size=1000)
    talk.message(0.5, "HelloRequest", by_client=False, read=hears)
    if hears:
        talk.message(0.6, "ClientHello", by_client=True, read=False)
    talk.event(e.EntityBodyStalled, 0.7, 1, 400, 1000, 1, 2, "ClientHello")
    talk.event(e.TimerExpired, 120.5, 1, "ssl_renegotiation", 120.0)
    talk.note(120.6, False, Said.RESET)


def test_a_freeze(talk):
    """What stands unread, what is encrypted, and whose turn it was while nothing was said."""
    freeze(talk, hears=True)
    *lines, silence, timer, reset = talk.lines()[len(HANDSHAKE) :]
    assert lines == [
        "1 C> POST /x",
        "1 C| 1,000 bytes of body",
        "1 S> [HelloRequest]",
        "1 C| [ClientHello]",
        "1 S  STUCK: has 400 bytes of the body and reads no more",
    ]
    assert silence.startswith("1 .  119.8 s of silence, turn: server (both wait). ")
    assert "which stands behind the body" in silence
    assert "frame" not in silence
    assert [timer, reset] == ["1 S  timer ssl_renegotiation ran out", "1 S> RESETS the connection"]


def test_a_question_that_is_not_read(talk):
    """A client that writes everything first has not come to it."""
    freeze(talk, hears=False)
    assert "1 S| [HelloRequest]" in talk.lines()


def test_a_silence_on_a_fast_clock(talk):
    """What a machine takes to think is no silence, however much of the lab's time it is."""
    talk.note(30.0, True, Said.REQUEST, "GET /x")
    assert any("of silence, turn: client" in line for line in talk.lines())
    assert not any("of silence" in line for line in talk.lines(speed=1000))


def test_a_choice(talk):
    """What the client decided stands before what it sends, which is empty; the list that was cut on the other side."""
    talk.message(0.5, "CertificateRequest", by_client=False)
    talk.event(e.IssuerListTruncated, 0.5, 1, ("CN=a",), ("CN=b", "CN=c"), 9, 9, 36885, False)
    talk.logbook.decided(Decision(None, 1, {"alice": KeptBack.ISSUER}))
    talk.message(0.6, "Certificate", by_client=True, size=3)
    talk.event(e.ClientCertificateNotSent, 0.6, 1)
    assert talk.lines()[len(HANDSHAKE) - 1 :] == [
        "1 S> [Finished, CertificateRequest]",
        "1 S  the list is CUT: 1 of 3 issuers fit in",
        "1 C  keeps alice back (issuer); has nothing to send",
        "1 C> [empty Certificate]",
        "1 S  gets no certificate",
    ]


def test_coming_back(talk):
    """A browser leaves, and has another connection; those of other clients are counted and not shown."""
    talk.note(0.5, True, Said.END, LEFT)
    talk.event(e.PeerClosed, 0.5, 1, Activity.IDLE, False)
    for number in (2, 3):
        talk.opened(0.6, number)
        talk.event(e.HandshakeMessage, 0.6, number, Direction.RECEIVED, "ClientHello", 9, False)
    talk.handshake(0.7, 4)
    lines = talk.lines()[len(HANDSHAKE) :]
    assert lines[:3] == ["1 C> leaves, to come back", "0 C  2 other clients come and go", "4 C> ClientHello"]
    assert len(lines) == 2 + len(HANDSHAKE)


def test_hostile_text(talk):
    """What a peer wrote moves no cursor."""
    talk.event(e.BadRequestReceived, 0.4, 1, "\x1b[2J")
    assert talk.lines()[-1] == r"1 S  no request that it can serve: \x1b[2J"
