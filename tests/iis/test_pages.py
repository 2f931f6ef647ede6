"""What the lab answers: JSON for programs, a page for people, both with the same facts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tlslab.iis import pages
from tlslab.iis.status import CERTIFICATE_REQUIRED, CERTIFICATE_UNTRUSTED, NOT_FOUND
from tlslab.types import CertificateFacts, TlsFacts, Verdict

ALICE = CertificateFacts("CN=alice", "CN=Client Authority", "ab" * 32, Verdict.TRUSTED)
EVIL = "<script>alert('x')</script>&\""
VOID = {"meta", "link", "br", "input"}


def report(certificate=ALICE, path="/upload", **changes):
    """An upload of 3 bytes on a renegotiated connection."""
    tls = TlsFacts("TLS 1.2", "ECDHE-CIPHER", resumed=False, renegotiated=True, client_certificate=certificate)
    facts = {"scenario": "small", "binding": "site", "method": "POST", "path": path, **changes}
    return pages.RequestReport(tls=tls, body_length=3, body_sha256="cd" * 32, **facts)


def landing(**changes):
    """A start page with two paths and two fixes."""
    facts = {
        "scenario": "small",
        "title": "An upload freezes",
        "story": "First.\n\nSecond.",
        "paths": (("/upload", "requires one"), ("/open", "needs none")),
        "fixes": (("early", "Ask early", True), ("late", "Ask late", False)),
    }
    return pages.Landing(**{**facts, **changes})


class Reader(HTMLParser):
    """Reads a page as a browser does: its text, its tags, and whether every one of them was closed."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], ""
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [dict(attrs)["href"]] if tag == "a" else []
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        while self.open.pop() != tag:  # what HTML lets a writer leave out
            pass

    def handle_data(self, data):
        self.text += data


def test_a_page_fits_one_segment():
    """As in the published trace: of 1,460 bytes the headers take some 130, TLS 1.0 some 80."""
    got = report(
        CertificateFacts("CN=Internet Explorer", "CN=tlslab Intermediate CA 0123abcd", "ab" * 32, Verdict.TRUSTED)
    )
    got = replace(got, scenario="published-trace", method="GET", path="/favicon.ico", body_length=0)
    assert len(pages.answer(got, as_html=True)[1]) < 1250
    assert len(pages.refusal(NOT_FOUND, got, as_html=True)[1]) < 1250
    assert "SHA-256" not in Reader(pages.answer(got, as_html=True)[1]).text.partition("Body")[2]


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, application/json", True),
        ("application/json, text/html;q=0.5", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_who_gets_a_page(accept, html):
    """Browsers do; curl, and whoever says nothing, get JSON."""
    assert pages.prefers_html(accept) is html


def test_an_answer_as_json():
    """What a program, or a tired engineer with curl, wants to know of the request and its connection."""
    content_type, content = pages.answer(report(), as_html=False)
    assert content_type == "application/json"
    assert content.endswith(b"\n")
    assert json.loads(content) == {
        "status": "200",
        "scenario": "small",
        "binding": "site",
        "method": "POST",
        "path": "/upload",
        "protocol": "TLS 1.2",
        "cipher": "ECDHE-CIPHER",
        "session_resumed": False,
        "renegotiated": True,
        "client_certificate": {
            "subject": "CN=alice",
            "issuer": "CN=Client Authority",
            "fingerprint_sha256": "ab" * 32,
        },
        "body": {"length": 3, "sha256": "cd" * 32},
    }


def test_an_answer_as_a_page():
    """The same facts."""
    content_type, content = pages.answer(report(), as_html=True)
    assert content_type == "text/html; charset=utf-8"
    page = Reader(content)
    for fact in ("CN=alice", "CN=Client Authority", "ab" * 32, "TLS 1.2", "ECDHE-CIPHER", "cd" * 32, "/upload"):
        assert fact in page.text


@pytest.mark.parametrize("as_html", [True, False])
def test_an_answer_without_a_certificate(as_html):
    """It says so."""
    _, content = pages.answer(report(certificate=None), as_html)
    if as_html:
        assert "none" in Reader(content).text
    else:
        assert json.loads(content)["client_certificate"] is None


def test_a_refusal_as_json():
    """Status, what it means, what to try, and the facts all the same."""
    fields = json.loads(pages.refusal(CERTIFICATE_REQUIRED, report(certificate=None), as_html=False)[1])
    assert fields["status"] == "403.7"
    assert fields["error"] == CERTIFICATE_REQUIRED.title
    assert fields["advice"] == CERTIFICATE_REQUIRED.advice
    assert (fields["client_certificate"], fields["path"]) == (None, "/upload")


def test_a_refusal_as_a_page():
    """The code stands in it literally, as on IIS's own page, with what to try and what was asked for."""
    page = Reader(pages.refusal(CERTIFICATE_REQUIRED, report(certificate=None), as_html=True)[1])
    for part in ("HTTP Error 403.7", CERTIFICATE_REQUIRED.advice, "POST /upload", "site"):
        assert part in page.text


def test_the_start_page():
    """The scenario, its story in paragraphs, every path, every fix and whether it is on, and how to start clean."""
    page = Reader(pages.start_page(landing(), as_html=True)[1])
    for part in ("An upload freezes", "First.", "Second.", "/upload", "/open", "Ask early", "Ask late", "new private"):
        assert part in page.text
    fields = json.loads(pages.start_page(landing(), as_html=False)[1])
    assert (fields["title"], fields["fixes"]) == (
        "An upload freezes",
        [["early", "Ask early", True], ["late", "Ask late", False]],
    )


def test_a_refusal_names_the_certificate_that_came():
    """403.16 is about one certificate, and a browser does not say which it sent; 403.7 is about none."""
    untrusted, required = (
        Reader(pages.refusal(status, report(certificate), as_html=True)[1]).text
        for status, certificate in ((CERTIFICATE_UNTRUSTED, ALICE), (CERTIFICATE_REQUIRED, None))
    )
    assert "CN=alice" in untrusted and "CN=Client Authority" in untrusted  # noqa: PT018 - they belong together
    assert "Issuer" not in required


def test_there_is_a_way_back():
    """Every answer links the start page, which is the one that has no need to."""
    for _, content in (pages.answer(report(), as_html=True), pages.refusal(NOT_FOUND, report(), as_html=True)):
        assert Reader(content).links == ["/"]
    assert Reader(pages.start_page(landing(), as_html=True)[1]).links == ["/upload", "/open"]


@pytest.mark.parametrize("count", [1, 2])
def test_where_it_listens(count):
    """Where there are two ports or names, each is linked: one of them may be the one that is broken."""
    urls = [f"https://localhost:{8443 + number}/" for number in range(count)]
    shown = landing(bindings=tuple((url, "site: certificate deleted") for url in urls))
    page = Reader(pages.start_page(shown, as_html=True)[1])
    assert page.links == ["/upload", "/open", *(urls if count > 1 else [])]
    assert ("certificate deleted" in page.text) is (count > 1)


def test_the_upload_is_told_of_at_its_start_and_its_end():
    """What ticks is hidden from screen readers: a live region that changes five times a second is never quiet."""
    content = pages.start_page(landing(), as_html=True)[1].decode()
    [ticking] = re.findall(r"setInterval\(\(\)=>(\w+)\.", content)
    assert f'<span id="{ticking}" aria-hidden="true">' in content
    assert content.count("out.value=") == 2
    assert "again by itself" in content


@pytest.mark.parametrize("on", [True, False])
def test_a_fix_that_is_on_is_marked(on):
    """So that nobody wonders why nothing fails."""
    _, content = pages.start_page(landing(fixes=(("early", "Ask early", on),)), as_html=True)
    assert (b'class="on"' in content) is on


EVIL_ALICE = CertificateFacts(f"CN={EVIL}", EVIL, "ab", Verdict.TRUSTED)


@pytest.mark.parametrize(
    "made",
    [
        lambda as_html: pages.answer(report(EVIL_ALICE, EVIL, method=EVIL), as_html),
        lambda as_html: pages.refusal(CERTIFICATE_REQUIRED, report(EVIL_ALICE, EVIL, method=EVIL), as_html),
        lambda as_html: pages.start_page(landing(title=EVIL, story=EVIL, paths=((EVIL, EVIL),)), as_html),
    ],
)
def test_what_a_peer_sent_is_shown_not_run(made):
    """Targets, methods and names of certificates are text in the page, whatever they look like."""
    page = Reader(made(True)[1])
    assert page.tags.count("script") == (1 if "form" in page.tags else 0)  # the start page has its own
    assert EVIL in page.text
    json.loads(made(False)[1])


@pytest.mark.parametrize(
    "content",
    [
        pages.answer(report(), as_html=True)[1],
        pages.refusal(CERTIFICATE_REQUIRED, report(), as_html=True)[1],
        pages.start_page(landing(), as_html=True)[1],
    ],
)
def test_pages_are_small_and_fetch_nothing(content):
    """A page that loads something else would add connections to what is being looked at."""
    assert len(content) < 8192
    assert Reader(content).open == []
    for word in (b" src=", b"url(", b"@import", b"//localhost"):
        assert word not in content
    assert content.count(b"<link") == content.count(b'<link rel="icon" href="data:,">') == 1


@pytest.mark.parametrize("as_html", [True, False])
def test_nothing_drives_a_terminal(as_html):
    """Pages and JSON are read with curl, in a terminal, whatever a peer or a scenario says."""
    evil = "\x1b[31m\x07\x9b\x7f\u202e\u2066\u200b\u2028\udcff Jürgen 山"
    shown = report(replace(ALICE, subject=evil, issuer=evil), path=evil, method=evil, binding=evil, scenario=evil)
    start = landing(scenario=evil, title=evil, story=evil, paths=((evil, evil),), fixes=((evil, evil, True),))
    for _, content in (
        pages.answer(shown, as_html),
        pages.refusal(NOT_FOUND, shown, as_html),
        pages.start_page(start, as_html),
    ):
        text = content.decode()
        assert text.replace("\n", "").isprintable()
        assert as_html or json.loads(text)["scenario"] == evil
