"""What a probe says of a server: each thing it found, how it was seen, and how certain that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tlslab.probe.call import HowEnded, Reply
from tlslab.probe.seen import Fate, Portrait, ends_in_words, protocols_text, status_text
from tlslab.text import format_bytes, format_count, format_elapsed
from tlslab.tls.certificates import server_facts_untrusted
from tlslab.wire.hello import version_name

CUT_NOTE = "one more name would have passed 16 KB, where Schannel cuts; what was left out cannot be seen"
# X509_V_ codes (openssl/x509_vfy.h) of what servers get wrong.
VERDICTS = {
    10: "expired",
    18: "self-signed",
    19: "its root is not trusted here",
    20: "its issuer is not known here",
    21: "its issuer is not known here",
    62: "for another name",
    64: "for another address",
}


class Sureness(StrEnum):
    """How sure a finding is."""

    SEEN = "seen"
    INFERRED = "inferred"
    NOT_LOOKED = "not looked at"


@dataclass(frozen=True, slots=True)
class Insight:
    """One thing that was found: `subject` is a word or two, `what` a phrase, `how` the way it was seen."""

    subject: str
    what: str
    how: str
    certainty: Sureness = Sureness.SEEN


def findings(seen: Portrait, *, upload: bool, long: bool) -> list[Insight]:
    """Everything that can be said, in the order in which a connection goes."""
    parts = (_tls(seen), _server_certificate(seen), _names(seen), _client_certificate(seen), _issuers(seen))
    found = [finding for part in parts for finding in part]
    return [*found, *_sessions(seen), *_http(seen), *_uploads(seen, upload=upload), *_timers(seen, long=long)]


# --- TLS ----------------------------------------------------------------------------------------------------------


def _tls(seen: Portrait) -> Iterator[Insight]:
    refused = [one for one in seen.protocols if one not in seen.accepted]
    why = "; ".join(f"{version_name(one)}: {ends_in_words(seen.protocols[one])}" for one in refused)
    how = "a connection that offers nothing else, for each"
    yield Insight("protocols", protocols_text(seen.accepted) + (f" (refused: {why})" if why else ""), how)
    if seen.below_1_3 is not None:
        yield from _suites(seen)
    if seen.alpn is not None and seen.alpn.established:
        yield Insight("ALPN", seen.alpn.alpn or "none chosen", "h2 and http/1.1 were offered")


def _suites(seen: Portrait) -> Iterator[Insight]:
    protocol = version_name(seen.below_1_3 or 0)
    if not seen.suites:
        yield Insight("suites", "none found", f"no handshake of {protocol} was completed", Sureness.INFERRED)
        return
    names = ", ".join(seen.suites)
    all_of_them = "all that OpenSSL can offer were offered, and what it chose was taken away, until it refused"
    some = "what it chose was taken away, as long as there were connections left: there may be more"
    certainty = Sureness.SEEN if seen.suites_complete else Sureness.INFERRED
    yield Insight(f"suites of {protocol}", names, all_of_them if seen.suites_complete else some, certainty)
    if seen.server_prefers is not None:
        whose = "the server's" if seen.server_prefers else "the client's"
        yield Insight("suite order", f"{whose} counts", "the same suites were offered the other way round")


def _server_certificate(seen: Portrait) -> Iterator[Insight]:
    chain = seen.first.chain if seen.first else ()
    if not chain:
        return
    leaf, *others = map(server_facts_untrusted, chain)
    names = ", ".join(leaf.names) or leaf.subject
    what = f"{names}; valid {leaf.dates}; issued by {leaf.issuer}"
    yield Insight("certificate", what, "the first handshake")
    what = f"{format_count(len(chain), 'certificate')} sent" + (
        f": also {', '.join(one.subject for one in others)}" if others else ""
    )
    yield Insight("chain", what, "the first handshake")
    if seen.first_code:
        verdict = VERDICTS.get(seen.first_code, f"X509_V_ code {seen.first_code}")
        yield Insight("certificate check", verdict, "OpenSSL, with the authorities that this computer or --ca has")
    if seen.chain_is_incomplete:
        what = "an intermediate is missing, or its root is unknown here"
        yield Insight("intermediate", what, "its own certificate alone came, and its issuer is not known", _INFERRED)


_INFERRED = Sureness.INFERRED


def _names(seen: Portrait) -> Iterator[Insight]:
    for subject, answer in (("no server name", seen.no_name), ("another server name", seen.other_name)):
        if answer is not None:
            yield Insight(subject, _name_outcome(seen, answer), "a connection whose ClientHello has it so")


def _name_outcome(seen: Portrait, answer: Reply) -> str:
    if not answer.chain:
        return ends_in_words(answer)
    same = seen.first is not None and answer.chain[:1] == seen.first.chain[:1]
    return "the same certificate" if same else f"another certificate: {server_facts_untrusted(answer.chain[0]).subject}"


# --- the client's certificate ---------------------------------------------------------------------------------------


def asks_in_words(seen: Portrait) -> str:
    """When it asks for a certificate."""
    when = []
    if seen.asks_in_handshake:
        when.append("in the first handshake")
    if seen.renegotiates_for_it:
        when.append("after the request, by a renegotiation")
    if seen.asks_post_handshake:
        when.append("after the request, by TLS 1.3's post-handshake authentication")
    return "; and ".join(when) if when else f"never, for GET {seen.path}"


def _client_certificate(seen: Portrait) -> Iterator[Insight]:
    asked = asks_in_words(seen)
    how = f"GET {seen.path} with the newest version of TLS that it speaks, and the newest below 1.3"
    yield Insight("asks for a certificate", asked, how, Sureness.SEEN if seen.is_answered else _INFERRED)
    for protocol, answer in seen.bare.items():
        mine = f", with it {status_text(seen.mine[protocol])}" if protocol in seen.mine else ""
        what = f"without a certificate {status_text(answer)}{mine}"
        yield Insight(f"answers by {version_name(protocol)}", what, f"GET {seen.path}")
    without = seen.without_post_handshake
    if without is not None:
        what = f"a client that does not offer it gets {status_text(without)}"
        yield Insight("post-handshake authentication", what, f"GET {seen.path} in TLS 1.3, as browsers do")
    if seen.renegotiation is not None and seen.below_1_3 is not None:
        answer = seen.renegotiation
        taken = answer.handshakes > 1
        what = "accepted" if taken else f"refused ({ends_in_words(answer)})"
        yield Insight("renegotiation by the client", what, "a second ClientHello, before the request")
        safe = answer.secure_renegotiation
        what = "supported" if safe else "not supported: most clients of today refuse to renegotiate with it"
        yield Insight("RFC 5746", what, "renegotiation_info in its ServerHello")


def _issuers(seen: Portrait) -> Iterator[Insight]:
    names = seen.list_names
    flawed = [asking.flaw for one in seen.every_answer for asking in one.askings if asking.flaw]
    if flawed:
        yield Insight("issuer list", f"broken: {flawed[0]}", "its CertificateRequest")
    if names is None:
        return
    if not names:
        yield Insight("issuer list", "empty: any issuer will do (RFC 5246, 7.4.4)", "its CertificateRequest")
        return
    size = f"{format_count(len(names), 'name')}, {format_bytes(seen.list_bytes)}"
    yield Insight("issuer list", size, "its CertificateRequest")
    if seen.list_looks_cut:
        yield Insight("issuer list", "perhaps cut at 16 KB", CUT_NOTE, _INFERRED)
    if seen.lists_mine is not None:
        what = "is named" if seen.lists_mine else "is NOT named: clients that go by the list keep the certificate back"
        yield Insight("an issuer of yours", what, "the names of the list, and those up the chain of the certificate")


# --- what comes after -------------------------------------------------------------------------------------------------


def _sessions(seen: Portrait) -> Iterator[Insight]:
    ways = (
        ("resumption by id", seen.resumed_by_id),
        ("resumption by ticket", seen.resumed_by_ticket),
        ("resumption in TLS 1.3", seen.resumed_in_1_3),
    )
    for subject, resumed in ways:
        if resumed is None:
            continue
        # Several machines may be behind one address, and share no sessions.
        how = "a second connection that offers the session of the first"
        yield Insight(subject, "yes" if resumed else "no", how, Sureness.SEEN if resumed else _INFERRED)
    if seen.resumed_after is not None:
        what = f"{'still resumed' if seen.resumed_late else 'gone'} after {format_elapsed(seen.resumed_after)}"
        yield Insight("how long a session lasts", what, "the same session, offered again")


def _http(seen: Portrait) -> Iterator[Insight]:
    if seen.server_header:
        yield Insight("Server header", seen.server_header, "its answers")
    if seen.ending is not None:
        yield Insight("end of a connection", ends_in_words(seen.ending), "an answer to Connection: close")
    if seen.malformed is not None:
        what = status_text(seen.malformed)
        if _is_http_sys(seen.malformed):
            what += ", the page of http.sys"
        yield Insight("a request without Host", what, "HTTP/1.1 wants one")
    if seen.head_taken is not None:
        if seen.head_refused is None:
            yield Insight("head of a request", f"{format_bytes(seen.head_taken)} and more", "one header, made longer")
        else:
            taken, refused = format_bytes(seen.head_taken), format_bytes(seen.head_refused)
            what = f"{taken} pass, {refused} get {status_text(seen.head_answer)}"
            yield Insight("head of a request", what, "one header, made longer, by halves")


def _is_http_sys(answer: Reply) -> bool:
    return answer.http is not None and "Microsoft-HTTPAPI" in answer.http.headers.get("server", "")


def _uploads(seen: Portrait, *, upload: bool) -> Iterator[Insight]:
    if not upload:
        yield Insight("uploads", "", "--upload sends some, of 256 KiB at most", Sureness.NOT_LOOKED)
        return
    if not seen.uploads:
        return
    if (found := seen.boundary()) is not None:
        largest, smallest = found
        what = f"{format_bytes(largest.size)} are answered with {status_text(largest.answer)}, "
        what += f"{format_bytes(smallest.size)}: {_fate_in_words(smallest.fate, smallest.answer)}"
        certainty = (
            _INFERRED if smallest.fate is Fate.STUCK and smallest.answer.end is HowEnded.PATIENCE else Sureness.SEEN
        )
        yield Insight("uploads", what, f"POST {seen.path}, by halves; everything written before it is read", certainty)
        return
    last = seen.uploads[-1]
    what = f"{format_bytes(last.size)}: {_fate_in_words(last.fate, last.answer)}"
    yield Insight("uploads", what, f"POST {seen.path}")


def _fate_in_words(fate: Fate, answer: Reply) -> str:
    after = f" after {format_elapsed(answer.seconds)}"
    if fate is Fate.STUCK:
        return f"stuck, {ends_in_words(answer)}{after}"
    return status_text(answer) if answer.http else f"{ends_in_words(answer)}{after}"


def _timers(seen: Portrait, *, long: bool) -> Iterator[Insight]:
    if not long:
        yield Insight("timers", "", "--long waits for them: some five minutes", Sureness.NOT_LOOKED)
        return
    waits = (
        ("idle connection", seen.idle, "an answered request, and then nothing"),
        ("half a head", seen.header_wait, "a request that does not come to its end"),
    )
    for subject, answer, how in waits:
        if answer is not None:
            yield Insight(subject, f"{status_or_end(answer)} after {format_elapsed(answer.seconds)}", how)


def status_or_end(answer: Reply) -> str:
    """How a connection ended on which nothing more was said."""
    return "still open" if answer.end is HowEnded.PATIENCE else ends_in_words(answer)
