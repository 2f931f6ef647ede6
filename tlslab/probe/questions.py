"""Which questions a probe asks, in which order, and how many at most; sans-IO: a generator that is sent the answers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from tlslab.errors import LabError
from tlslab.probe.call import PATIENCE, Enquiry, HowEnded, Reply, Until
from tlslab.probe.seen import Fate, Portrait, TriedUpload
from tlslab.text import format_host_port
from tlslab.tls.context import Protocol
from tlslab.tls.offers import Offer, every_suite

MOST, MOST_QUICK, MOST_OF_UPLOADS, MOST_OF_LONG = 40, 24, 12, 4  # connections
READ_AHEAD = 49_152  # bytes: uploadReadAheadSize (iis-docs, serverRuntime)
LARGEST_UPLOAD = 256 * 1024
LARGEST_HEAD = 64 * 1024
STEP = 1024  # bytes: how exactly a limit is looked for
LONG_SECONDS = 150.0  # http.sys' timers have 120 (HTTP_TIMEOUT_LIMIT_INFO)
OTHER_NAME = "other.invalid"  # RFC 6761: a name that nobody has
HEAD_REFUSED = (400, 413, 414, 431, 494)  # 494 is nginx's own

_Asked = Generator[Enquiry, Reply | None, Reply]
_Walk = Generator[Enquiry, Reply | None, None]


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, and how closely. `host` is a name or an address; an address is never a server name."""

    host: str
    port: int
    path: str = "/"
    has_identity: bool = False
    issuers_of_mine: tuple[bytes, ...] = ()
    upload: bool = False
    quick: bool = False
    long: bool = False

    @property
    def most(self) -> int:
        """How many connections it makes at most."""
        usual = MOST_QUICK if self.quick else MOST
        return usual + MOST_OF_UPLOADS * self.upload + MOST_OF_LONG * self.long

    @property
    def server_name(self) -> str:
        """What the ClientHello says, "" for an address (RFC 6066, 3)."""
        return self.host if self.host.strip("0123456789.:") else ""

    def questions(self) -> Generator[Enquiry, Reply | None, Portrait]:
        """Yield each question, and take its answer. LabError: it is no server to ask anything more."""
        seen = Portrait(self.host, self.port, self.path, self.server_name, self.has_identity, self.issuers_of_mine)
        asking = Subjects(self, seen)
        yield from asking.begin()
        yield from asking.certificate()
        yield from asking.names()
        yield from asking.sessions()
        yield from asking.http()
        if self.upload:
            yield from asking.uploads()
        if self.long:
            yield from asking.timers()
        yield from asking.suites()
        return seen

    def text(self, method: str = "GET", *, headers: Sequence[str] = (), body: int = 0) -> bytes:
        """A request for the path."""
        host = format_host_port((self.host, self.port)) if self.port != 443 else self.host
        lines = [f"{method} {self.path} HTTP/1.1", f"Host: {host}", "User-Agent: tlslab-probe", "Accept: */*", *headers]
        if body:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {body}"]
        return "\r\n".join([*lines, "", ""]).encode()


class Subjects:
    """The questions by their subject; each puts what it learns into `seen`."""

    def __init__(self, look: Look, seen: Portrait) -> None:
        self._look = look
        self._seen = seen

    def _ask(self, question: Enquiry) -> _Asked:
        self._seen.connections += 1
        answer = yield question
        assert answer is not None
        return answer

    @property
    def _left(self) -> int:
        return self._look.most - self._seen.connections

    def _question(self, text: bytes, offer: Offer) -> Enquiry:
        until = Until.ANSWERED if text else Until.ESTABLISHED
        return Enquiry(offer, self._look.server_name, text, until=until)

    # --- the subjects ------------------------------------------------------------------------------

    def begin(self) -> _Walk:
        """See whether it speaks TLS, and which versions."""
        seen = self._seen
        seen.first = yield from self._ask(self._question(b"", Offer(shows_identity=False)))
        _check(seen.first, format_host_port((self._look.host, self._look.port)))
        for protocol in Protocol:
            offer = Offer(protocol, protocol)
            question = Enquiry(offer, self._look.server_name, until=Until.ESTABLISHED)
            seen.protocols[protocol] = yield from self._ask(question)

    def certificate(self) -> _Walk:
        """See when it asks for a certificate, in each way that there is, and what it answers with and without one."""
        seen, text = self._seen, self._look.text()
        for highest in filter(None, (seen.below_1_3, max(seen.accepted, default=None))):
            if highest in seen.bare:
                continue
            bare = Offer(highest=highest, shows_identity=False)
            seen.bare[highest] = yield from self._ask(self._question(text, bare))
            if self._look.has_identity:
                seen.mine[highest] = yield from self._ask(self._question(text, Offer(highest=highest)))
        if Protocol.TLS1_3 in seen.accepted:
            seen.without_post_handshake = yield from self._ask(self._question(text, Offer(post_handshake=False)))
        if seen.below_1_3 is not None:
            offer = Offer(highest=seen.below_1_3)
            renegotiating = Enquiry(offer, self._look.server_name, text, renegotiates=True)
            seen.renegotiation = yield from self._ask(renegotiating)

    def names(self) -> _Walk:
        """See what it does without a server name, with one that it does not have, and which protocol it chooses."""
        seen = self._seen
        if self._look.server_name:
            seen.no_name = yield from self._ask(Enquiry(Offer(), until=Until.ESTABLISHED))
        seen.other_name = yield from self._ask(Enquiry(Offer(), OTHER_NAME, until=Until.ESTABLISHED))
        offer = Offer(alpn=(b"h2", b"http/1.1"))
        seen.alpn = yield from self._ask(Enquiry(offer, self._look.server_name, until=Until.ESTABLISHED))

    def sessions(self) -> _Walk:
        """See whether a session is resumed, by each of the three ways."""
        seen = self._seen
        if seen.below_1_3 is not None:
            seen.resumed_by_id = yield from self._resumes(Offer(highest=seen.below_1_3, tickets=False))
            seen.resumed_by_ticket = yield from self._resumes(Offer(highest=seen.below_1_3))
        if Protocol.TLS1_3 in seen.accepted:
            seen.resumed_in_1_3 = yield from self._resumes(Offer(lowest=Protocol.TLS1_3))

    def _resumes(self, offer: Offer) -> Generator[Enquiry, Reply | None, bool | None]:
        """Whether a second connection resumes; None: the first came to nothing. Without a ticket it is none by one."""
        first = yield from self._ask(Enquiry(offer, self._look.server_name, until=Until.ESTABLISHED))
        if first.session is None:
            return None
        if offer.tickets and not first.sends_ticket:
            return False
        again = Enquiry(offer, self._look.server_name, session=first.session, until=Until.ESTABLISHED)
        second = yield from self._ask(again)
        return second.resumed if second.established else None

    def http(self) -> _Walk:
        """See how a connection ends, what a malformed request comes to, and how long a head may be."""
        seen, look = self._seen, self._look
        text = look.text(headers=["Connection: close"])
        seen.ending = yield from self._ask(Enquiry(Offer(), look.server_name, text, until=Until.ENDED))
        bad = f"GET {look.path} HTTP/1.1\r\n\r\n".encode()  # without a Host
        seen.malformed = yield from self._ask(Enquiry(Offer(), look.server_name, bad))
        if not look.quick:
            yield from self._head_limit()

    def _head_limit(self) -> _Walk:
        seen, low, high = self._seen, STEP, LARGEST_HEAD
        if not self._is_head_taken((yield from self._head(low))):
            return
        answer = yield from self._head(high)
        if self._is_head_taken(answer):
            seen.head_taken = high
            return
        while high - low > STEP:
            middle = (low + high) // 2 // STEP * STEP
            tried = yield from self._head(middle)
            if self._is_head_taken(tried):
                low = middle
            else:
                high, answer = middle, tried
        seen.head_taken, seen.head_refused, seen.head_answer = low, high, answer

    def _head(self, size: int) -> _Asked:
        """Send a head of so many bytes in all."""
        empty = len(self._look.text(headers=["X-Tlslab-Probe: "]))
        text = self._look.text(headers=[f"X-Tlslab-Probe: {'a' * (size - empty)}"])
        return (yield from self._ask(Enquiry(Offer(), self._look.server_name, text)))

    def _is_head_taken(self, answer: Reply) -> bool:
        return bool(answer.status) and answer.status not in HEAD_REFUSED

    # --- those that are asked for ------------------------------------------------------------------

    def uploads(self) -> _Walk:
        """See which uploads are answered, and look for the size from which on they are not."""
        seen, spent = self._seen, self._seen.connections
        smallest = yield from self._upload(1, None)
        if smallest.fate is not Fate.ANSWERED:
            return
        if (yield from self._upload(LARGEST_UPLOAD, smallest)).fate is Fate.ANSWERED:
            return
        low, high = 0, LARGEST_UPLOAD
        for known in (READ_AHEAD, READ_AHEAD + 1):
            fate = (yield from self._upload(known, smallest)).fate
            low, high = (known, high) if fate is Fate.ANSWERED else (low, known)
            if fate is not Fate.ANSWERED:
                break
        while high - low > STEP and seen.connections - spent < MOST_OF_UPLOADS:
            middle = (low + high) // 2 // STEP * STEP
            if middle <= low:
                break
            fate = (yield from self._upload(middle, smallest)).fate
            low, high = (middle, high) if fate is Fate.ANSWERED else (low, middle)

    def _upload(self, size: int, smallest: TriedUpload | None) -> Generator[Enquiry, Reply | None, TriedUpload]:
        highest = self._seen.below_1_3 or Protocol.TLS1_3
        is_last = self._look.long and smallest is not None and len(self._seen.uploads) == 1
        patience = LONG_SECONDS if is_last else PATIENCE
        text = self._look.text("POST", body=size)
        offer = Offer(highest=highest)
        question = Enquiry(offer, self._look.server_name, text, body=size, patience=patience)
        answer = yield from self._ask(question)
        upload = TriedUpload(size, answer, _fate(answer, smallest, patience))
        self._seen.uploads.append(upload)
        return upload

    def timers(self) -> _Walk:
        """Wait for what ends a connection that says nothing, and one whose head does not come to its end."""
        seen, look = self._seen, self._look
        session = None
        if seen.below_1_3 is not None and seen.resumed_by_id:
            offer = Offer(highest=seen.below_1_3, tickets=False)
            first = yield from self._ask(Enquiry(offer, look.server_name, until=Until.ESTABLISHED))
            session = first.session
        head = look.text()[:-2]
        for name, text in (("idle", look.text()), ("header_wait", head)):
            question = Enquiry(Offer(), look.server_name, text, until=Until.ENDED, patience=LONG_SECONDS)
            setattr(seen, name, (yield from self._ask(question)))
        if session is not None:
            again = Enquiry(offer, look.server_name, session=session, until=Until.ESTABLISHED)
            second = yield from self._ask(again)
            seen.resumed_late = second.resumed
            waited = (seen.idle, seen.header_wait)
            seen.resumed_after = sum(one.seconds for one in waited if one is not None)

    def suites(self) -> _Walk:
        """Take away the suite that it chooses, and see what it chooses then, for as long as there are connections."""
        seen = self._seen
        protocol = seen.below_1_3
        if protocol is None:
            return
        left = list(every_suite(protocol))
        while left and self._left > 1:
            answer = yield from self._suite(protocol, left)
            if answer.suite not in left:
                # Not where it was the missing certificate that ended a handshake, or nobody answered.
                seen.suites_complete = not answer.version and answer.end is not HowEnded.PATIENCE
                break
            seen.suites.append(answer.suite)
            left.remove(answer.suite)
        if len(seen.suites) > 1 and self._left > 0:
            answer = yield from self._suite(protocol, seen.suites[::-1])
            seen.server_prefers = answer.suite == seen.suites[0]

    def _suite(self, protocol: Protocol, suites: Sequence[str]) -> _Asked:
        offer = Offer(protocol, protocol, tuple(suites))
        return (yield from self._ask(Enquiry(offer, self._look.server_name, until=Until.ESTABLISHED)))


def _fate(answer: Reply, smallest: TriedUpload | None, patience: float) -> Fate:
    if answer.http is None:
        is_stuck = answer.end is HowEnded.PATIENCE or answer.seconds >= min(patience, PATIENCE)
        return Fate.STUCK if is_stuck else Fate.CUT_OFF
    if answer.status == 413:
        return Fate.TOO_LARGE
    same = smallest is None or answer.status == smallest.answer.status
    return Fate.ANSWERED if same else Fate.REFUSED


def _check(first: Reply, where: str) -> None:
    """LabError: there is nothing to go on with."""
    if first.version:
        return
    if first.end is HowEnded.NOT_TLS:
        hint = f"perhaps it speaks plain HTTP there: curl -i http://{where}/"
        raise LabError(f"{where} speaks no TLS: what came is no TLS record", hint)
    if first.end is HowEnded.PATIENCE:
        raise LabError(f"{where} took the connection and said nothing for {PATIENCE:.0f} s", "is this a TLS server?")
    why = {
        HowEnded.ALERT: f"with the alert {first.alert}",
        HowEnded.RESET: "by a reset",
        HowEnded.FIN: "without a word",
    }.get(first.end, f"({first.detail})")
    hint = "plain HTTP on this port, no binding for this name, or a version of TLS that nobody speaks today"
    raise LabError(f"{where} ended the handshake {why}, before it chose a version of TLS", hint)
