"""The timeline's sentences."""

from __future__ import annotations

import pytest

from tlslab import events as e
from tlslab.types import (
    FOR_GOOD,
    Activity,
    ConnectionEnd,
    Direction,
    EvidenceEnd,
    EvidenceFile,
    Fault,
    HandshakeKind,
    Unavailable,
    Unusable,
    Verdict,
)
from tlslab.words.timeline import MATTERS, say, say_verbosely
from tlslab.words.values import HINTS

# Types without a sentence, each because another one says it.
QUIET = {
    e.ConnectionSummary,  # all that was said before
    e.BindingChosen,  # the panel says what its URL is bound to
    e.HandshakeMessage,  # -v
    e.ServerHelloSent,  # HandshakeCompleted
    e.SessionResumed,  # HandshakeCompleted
    e.EntityBodyReceived,  # ResponseSent
    e.UnreadBytesChanged,  # EntityBodyStalled; with -v, a sentence of its own
}
AT = (1.5, 7, "site")


def test_every_event_is_known():
    """An event has a sentence, or is knowingly quiet."""
    assert MATTERS.isdisjoint(QUIET)
    assert MATTERS | QUIET == e.ALL


SENTENCES = [
    (e.ConnectionOpened(*AT, "c:1", "s:2"), "", "connection from c:1 to s:2"),
    (e.PeerClosed(*AT, Activity.IDLE, False), "", "the client closed the connection"),
    (e.PeerClosed(*AT, Activity.ENTITY_BODY, False), "bad", "the client gave up during the request body"),
    (
        e.PeerClosed(*AT, Activity.RENEGOTIATION, False),
        "odd",
        "the client left in the renegotiation; a browser does that to let you choose a certificate, and comes again on "
        "a new connection",
    ),
    (
        e.PeerClosed(*AT, Activity.ENTITY_BODY, True),
        "bad",
        "the client gave up during the request body; its FIN is stuck behind the body, and a server elsewhere would "
        "not know yet",
    ),
    (e.PeerReset(*AT, Activity.ENTITY_BODY), "bad", "the client reset the connection during the request body"),
    (e.ConnectionClosed(*AT, ConnectionEnd.RESET, 120.0), "", "connection reset by the server after 120 s"),
    (e.ConnectionClosed(*AT, ConnectionEnd.RESET_BY_PEER, 3.0), "", "connection reset by the client after 3 s"),
    (e.ConnectionClosed(*AT, ConnectionEnd.CLOSED, 0.04), "", "connection closed after 40 ms"),
    (e.ConnectionClosed(*AT, ConnectionEnd.ABANDONED, 2.5), "", "connection ended with the lab after 2.5 s"),
    (e.ClientHelloReceived(*AT, "h", (), "", False, False, None), None, None),
    (
        e.ClientHelloReceived(*AT, "h", (), "", False, True, 40960),
        "",
        "ClientHello behind 40 KiB of body: the client answers, the renegotiation begins",
    ),
    (
        e.ClientHelloReceived(*AT, "h", (), "", False, True, 0),
        "",
        "ClientHello: the client answers, the renegotiation begins",
    ),
    (
        e.ClientHelloReceived(*AT, "h", (), "", False, False, None, "alpn is cut short"),
        "bad",
        "a broken ClientHello: alpn is cut short",
    ),
    (
        e.ClientHelloReceived(*AT, None, (), "", False, True, 0, "alpn is cut short"),
        "bad",
        "ClientHello: the client answers, the renegotiation begins, but it is broken: alpn is cut short",
    ),
    (e.NoBindingMatched(*AT, "h"), "bad", "no binding on this port for the name h: connection reset"),
    (e.NoBindingMatched(*AT, None), "bad", "no binding on this port for a client that names none: connection reset"),
    (
        e.CertificateNotUsable(*AT, "0.0.0.0:443", Unusable.DELETED),
        "bad",
        "NO CERTIFICATE: the record of 0.0.0.0:443 still names a certificate that is no longer in the store: "
        "connection reset; Windows writes event 15021 of HttpEvent",
    ),
    (
        e.CertificateNotUsable(*AT, "0.0.0.0:443", Unusable.KEY_MISSING),
        "bad",
        "NO CERTIFICATE: the record of 0.0.0.0:443 names a certificate whose private key is not there or not readable: "
        "connection reset; Windows writes event 36870 of Schannel",
    ),
    (e.LabChanged(*AT, 3, (), ()), "odd", "from connection #3 on the lab serves without fixes"),
    (
        e.LabChanged(*AT, 3, ("a", "b"), ("timers.x=5s",)),
        "odd",
        "from connection #3 on the lab serves with a and b, timers.x=5s",
    ),
    (
        e.SstpCertificatesDiffer(*AT, 443, "server", ""),
        "bad",
        "SSTP listens on port 443, where 0.0.0.0 has the certificate server and [::] has no record: Windows writes "
        "event 24 of RasSstp, at boot, whether or not anybody uses IPv6 (that it does so for a missing record is "
        "unverified)",
    ),
    (
        e.SstpCertificatesDiffer(*AT, 443, "server", "server-rsa"),
        "bad",
        "SSTP listens on port 443, where 0.0.0.0 has the certificate server and [::] has the certificate server-rsa: "
        "Windows writes event 24 of RasSstp, at boot, whether or not anybody uses IPv6",
    ),
    (
        e.HelloRequestSent(*AT),
        "",
        "HelloRequest: the server asks the client to renegotiate, so that it can ask for a certificate",
    ),
    (
        e.CertificateRequested(*AT, HandshakeKind.FIRST, (), 0),
        "",
        "CertificateRequest in the first handshake, naming no issuer",
    ),
    (
        e.CertificateRequested(*AT, HandshakeKind.RENEGOTIATION, ("CN=a",), 9),
        "",
        "CertificateRequest in the renegotiation, naming 1 issuer: CN=a",
    ),
    (
        e.CertificateRequested(*AT, HandshakeKind.POST_HANDSHAKE, ("CN=a", "CN=b", "CN=c"), 9),
        "",
        "CertificateRequest in TLS 1.3, naming 3 issuers: CN=a; CN=b; ...",
    ),
    (
        e.IssuerListTruncated(*AT, ("CN=a", "CN=b"), ("CN=c", "CN=d", "CN=e"), 16380, 16384, 36885, False),
        "bad",
        "LIST CUT: only 2 of 5 trusted issuers fit into 16 KiB; a client that chooses by this list offers no "
        "certificate of the other 3: CN=c; CN=d; ...; Windows says so (event 36885) only with EventLogging=3",
    ),
    (
        e.IssuerListTruncated(*AT, (), ("CN=c",), 0, 9, 36885, True),
        "bad",
        "LIST CUT: only 0 of 1 trusted issuers fit into 9 bytes; a client that chooses by this list offers no "
        "certificate of the other 1: CN=c; Windows writes event 36885: the list of trusted issuers for clients had "
        "grown too long and was cut; take out the roots that no client needs",
    ),
    (
        e.ClientCertificateReceived(*AT, "CN=a", "CN=i", "ff", Verdict.TRUSTED),
        "good",
        "client certificate: CN=a, issued by CN=i",
    ),
    (
        e.ClientCertificateReceived(*AT, "CN=a", "CN=i", "ff", Verdict.NOT_YET_VALID),
        "bad",
        "client certificate: CN=a, issued by CN=i: not yet valid",
    ),
    (e.ClientCertificateNotSent(*AT), "odd", "the client was asked and sent no certificate"),
    (e.HandshakeCompleted(*AT, "TLS 1.2", "C", False, False), "", "TLS 1.2 handshake complete (C)"),
    (e.HandshakeCompleted(*AT, "TLS 1.2", "C", True, False), "", "TLS 1.2 handshake complete (C, session resumed)"),
    (e.HandshakeCompleted(*AT, "TLS 1.2", "C", False, True), "", "renegotiation complete"),
    (
        e.SessionEvicted(*AT, "0123456789", "fifo", "MaximumCacheSize", 90.0, 10_000),
        "odd",
        "the session 01234567... leaves the cache after 90 s: it was the oldest, and newer ones needed the room; "
        "10,000 remain",
    ),
    (
        e.SessionNotResumed(*AT, "0123456789", "abcdef0123", "lifetime", "ServerCacheTime", 3, 6144, 12288),
        "bad",
        "the client offers the session 01234567... and gets the new one abcdef01...: its time was over "
        "(ServerCacheTime); 3 sessions are kept, some 6 to 12 KB of lsass.exe",
    ),
    (e.AlertReceived(*AT, "warning", "close_notify", 0), None, None),
    (
        e.AlertReceived(*AT, "warning", "no_renegotiation", 100),
        "odd",
        "warning alert no_renegotiation (100) from the client: the client will not renegotiate",
    ),
    (e.AlertReceived(*AT, "fatal", "decode_error", 50), "odd", "fatal alert decode_error (50) from the client"),
    (e.AlertSent(*AT, "warning", "close_notify", 0), None, None),
    (e.AlertSent(*AT, "fatal", "decode_error", 50), "odd", "fatal alert decode_error (50) to the client"),
    (
        e.RenegotiationRefused(*AT),
        "bad",
        "REFUSED: this client never renegotiates, so no certificate can come and no 403 either: reset",
    ),
    (
        e.TlsFailed(*AT, "not_tls", "wrong version number"),
        "bad",
        "TLS failed: what came is not TLS; is the URL http:// instead of https://? (wrong version number)",
    ),
    (e.TlsFailed(*AT, "other", "x"), "bad", "TLS failed: OpenSSL gives up (x)"),
    (e.RequestReceived(*AT, "GET", "/", "1.1", 0, False, "", ""), "", "GET /"),
    (e.RequestReceived(*AT, "POST", "/u", "1.1", None, False, "", ""), "", "POST /u, a chunked body"),
    (
        e.RequestReceived(*AT, "POST", "/u", "1.1", 2**20, True, "", ""),
        "",
        "POST /u, a body of 1 MiB, waits for 100 Continue",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "synchronous", 40960, 2**20, False, 120.0),
        "",
        "40 KiB of the body read, asking for the client certificate now; a blocking call: the application reads no "
        "more of the body until the answer comes",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "early_async_drain", 0, 2**20, True, 120.0),
        "",
        "0 bytes of the body read, asking for the client certificate now; an asynchronous call, as early as can be: "
        "the body is read meanwhile",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "synchronous", 0, 0, True, 120.0),
        "",
        "asking for the client certificate now",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "after_response", 0, 0, True, 120.0),
        "",
        "asking for the client certificate now; the answer is out, the next request on this connection will have the "
        "certificate",
    ),
    (
        e.CertificateUnavailable(*AT, Unavailable.NO_POST_HANDSHAKE_AUTH),
        "bad",
        "the certificate cannot be asked for: the client did not offer post-handshake authentication",
    ),
    (
        e.EntityBodyStalled(*AT, 40960, 2**20, 1000, 2000, "ClientHello"),
        "bad",
        "STUCK: 40 KiB of the body are buffered and no more is read, but the ClientHello the server waits for comes "
        "behind the body (1,000 bytes wait in TLS, 2,000 in the socket)",
    ),
    (e.EntityBodyResumed(*AT, 60.0), "good", "the body is read again, after 60 s"),
    (e.ContinueSent(*AT, True), "", "100 Continue: the client may send the body now"),
    (
        e.RetrievalCancelled(*AT, 2**22 + 1, 2**22),
        "bad",
        "CANCELLED: 4,194,305 bytes of body came before the certificate did, over the maximum of 4 MiB",
    ),
    (
        e.ReadAheadExceeded(*AT, 49_152, 49_152, 10 * 2**20),
        "bad",
        "TOO LARGE: more body than the 48 KiB that are read ahead, and the certificate cannot be asked for behind it: "
        "refused, instead of a deadlock",
    ),
    (e.TimerExpired(*AT, "ssl_renegotiation", 120.0), "bad", "the timer ssl_renegotiation ran out after 120 s"),
    (
        e.HttpErrLogged(*AT, "Timer_SslRenegotiation", "POST", "/u", "1.1", None),
        "bad",
        "HTTPERR log: Timer_SslRenegotiation for POST /u",
    ),
    (e.HttpErrLogged(*AT, "Timer_HeaderWait", None, None, None, None), "bad", "HTTPERR log: Timer_HeaderWait"),
    (e.BadRequestReceived(*AT, "x"), "bad", "not a request that can be served: x"),
    (e.ResponseSent(*AT, 200, 0, "GET", "/", "CN=a", 0, 0.1), "good", "200 for GET / (CN=a)"),
    (e.ResponseSent(*AT, 403, 7, "GET", "/", None, 5, 0.1), "bad", "403.7 for GET / (no client certificate)"),
    (
        e.EvidenceEnded(*AT, EvidenceFile.CAPTURE, EvidenceEnd.DISK_FULL, "No space left on device"),
        "bad",
        "the capture cannot be written for now, the lab goes on and tries again: No space left on device; make room on "
        "its disk",
    ),
    (
        e.EvidenceEnded(*AT, EvidenceFile.SITE_LOG, EvidenceEnd.UNREAD, "16777216"),
        "bad",
        "the site's log cannot be written for now, the lab goes on and tries again: its reader left 16 MiB unread; "
        "read on, or end the reader",
    ),
    (
        e.EvidenceEnded(*AT, EvidenceFile.EVENTS_FILE, EvidenceEnd.DELETED, "e.jsonl"),
        "bad",
        "the events file is gone, and begins anew: somebody has deleted e.jsonl",
    ),
    (
        e.EvidenceEnded(*AT, EvidenceFile.CAPTURE, EvidenceEnd.READER_GONE, "Broken pipe"),
        "bad",
        "the capture ends here, the lab does not: its reader has gone (Broken pipe)",
    ),
    (e.EvidenceResumed(*AT, EvidenceFile.CAPTURE, 1234), "odd", "the capture goes on; 1,234 packets are missing"),
    (e.EvidenceResumed(*AT, EvidenceFile.KEY_LOG, 0), "odd", "the key log goes on; nothing is missing"),
    (
        e.EvidenceEnded(*AT, EvidenceFile.KEY_LOG, EvidenceEnd.SIZE_LIMIT, ""),
        "bad",
        "the key log ends here, the lab does not: it has reached the size it may have",
    ),
    (
        e.InternalFault(*AT, Fault.SYSTEM, "No space left on device; make room", "T"),
        "bad",
        "the system refused what this connection needs, which ends: No space left on device; make room",
    ),
    (
        e.InternalFault(*AT, Fault.EXCEPTION, "", "T"),
        "bad",
        "a defect of tlslab ended this connection; please report it:\nT",
    ),
    (
        e.InternalFault(*AT, Fault.EVICTED_SESSION_RESUMED, "fifo", ""),
        "bad",
        "a defect of tlslab, which resumed a session that its table had let go (fifo); please report it",
    ),
]


@pytest.mark.parametrize(("event", "mark", "text"), SENTENCES, ids=lambda value: type(value).__name__)
def test_sentences(event, mark, text):
    """An event's sentence is made of its numbers, and marked for how to take it."""
    line = say(event)
    assert (line and line.mark, line and line.text) == (mark, text)


def test_every_sentence_is_tested():
    """No sentence is left out of the table above."""
    assert {type(event) for event, _, _ in SENTENCES} == MATTERS


NASTY = "CN=\x1b[2J\x1b]0;owned\x07\u202ebob\r\n  12.000  #9   200 for GET /"


@pytest.mark.parametrize("speak", [say, say_verbosely])
@pytest.mark.parametrize(
    "event",
    [
        e.ClientCertificateReceived(*AT, NASTY, NASTY, "ff", Verdict.TRUSTED),
        e.RequestReceived(*AT, NASTY, NASTY, "1.1", 0, False, NASTY, NASTY),
        e.ResponseSent(*AT, 403, 7, NASTY, NASTY, NASTY, 5, 0.1),
        e.HttpErrLogged(*AT, "BadRequest", NASTY, NASTY, NASTY, 400),
        e.BadRequestReceived(*AT, NASTY),
        e.TlsFailed(*AT, "other", NASTY),
        e.NoBindingMatched(*AT, NASTY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_peer_cannot_write_to_the_terminal(speak, event):
    """Escape sequences, line ends and characters that turn text around are shown, not sent."""
    text = speak(event).text
    assert text.isprintable()
    assert r"CN=\x1b[2J\x1b]0;owned\x07\u202ebob\r\n  12.000" in text


@pytest.mark.parametrize("speak", [say, say_verbosely])
def test_a_line_has_an_end(speak):
    """A target of 16 KiB is cut where it is shown; one of a usual length is not."""
    assert len(speak(e.RequestReceived(*AT, "GET", "/" + "x" * 16_000, "1.1", 0, False, "", "")).text) < 2100
    assert speak(e.RequestReceived(*AT, "GET", "/" + "x" * 1000, "1.1", 0, False, "", "")).text.endswith("xxx")


def test_what_prints_stays_as_it_is():
    """Names in any script are shown as they are."""
    line = say(e.BadRequestReceived(*AT, "Jürgen 山田 \u00a0"))
    assert line is not None
    assert line.text.endswith("Jürgen 山田 \u00a0")


def test_verbose():
    """With -v an event without a sentence is its name and numbers, and nothing is left out."""
    assert say_verbosely(e.HandshakeMessage(*AT, Direction.SENT, "Finished", 12, True)).text == (
        "HandshakeMessage direction=sent name=Finished length=12 renegotiation=True"
    )
    assert say_verbosely(e.UnreadBytesChanged(*AT, 1000, 2)).text == (
        "still stuck: 1,000 bytes wait in TLS, 2 in the socket"
    )
    assert say_verbosely(e.UnreadBytesChanged(*AT, 1, 2)).text == "still stuck: 1 byte waits in TLS, 2 in the socket"
    assert say_verbosely(e.AlertSent(*AT, "warning", "close_notify", 0)).text.startswith("AlertSent level=warning")


def test_everything_that_passes_has_a_hint():
    """Whatever a file waits for, it is said what to do; what ended for good and what begins anew needs nothing."""
    assert set(HINTS) == set(EvidenceEnd) - FOR_GOOD - {EvidenceEnd.DELETED}
