"""What the lab answers: JSON for programs, a small page for people.

The error page has IIS's layout (a band with the server's name, a heading with status and substatus, a box with what
to try and one with the codes), in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tlslab.iis.status import Status
from tlslab.text import format_count, html_text, without_del
from tlslab.types import CertificateFacts, TlsFacts

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_LINES = json.JSONEncoder(separators=(",\n ", ": "))

# Short, and light or dark as the browser has it: an answer fits one TCP segment, as those of the published trace did.
# Where a telephone is too narrow for two columns, the cells of a row stand below one another.
_STYLE = (
    ":root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif}"
    "header{background:#33526b;color:#fff}.bad header{background:#a4262c}header,main{padding:.5rem 5vw}"
    "main{max-width:48rem}h1{font-size:1.4rem}h2{font-size:1rem;margin:0}"
    "section{border:1px solid #8a97a3;padding:1rem;margin:1rem 0}"
    "th,td{text-align:left;vertical-align:top;padding-right:1rem;overflow-wrap:anywhere}"
    "@media(max-width:40rem){th,td{display:block}}"
)
_START_STYLE = "th{white-space:nowrap}button,select{font:inherit;max-width:100%;padding:.3rem}.on{font-weight:600}"
_BACK = '<p><a href="/">Back to the start page</a></p>'


@dataclass(frozen=True, slots=True)
class Landing:
    """What the start page says: the scenario, its story, the paths to try and the fixes, each with whether it is on.

    `bindings` are the URLs that are served, each with what is behind it: known once the lab listens.
    """

    scenario: str
    title: str
    story: str
    paths: tuple[tuple[str, str], ...]
    fixes: tuple[tuple[str, str, bool], ...]
    bindings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RequestReport:
    """What an answer tells of the request it answers and of the connection it came on."""

    scenario: str
    binding: str
    method: str
    path: str
    tls: TlsFacts
    body_length: int
    body_sha256: str


def prefers_html(accept: str) -> bool:
    """Whether an Accept header asks for a page: browsers name text/html, programs send */* or name JSON."""
    html, json_at = accept.find("text/html"), accept.find("application/json")
    return html >= 0 and (json_at < 0 or html < json_at)


def answer(report: RequestReport, as_html: bool) -> tuple[str, bytes]:
    """The content type and body of a request that was let through."""
    if not as_html:
        return JSON, _json({"status": "200", **_report_fields(report)})
    certificate = report.tls.client_certificate
    body = f"{format_count(report.body_length, 'byte')}, SHA-256 {report.body_sha256}"
    rows = {
        "Client certificate": certificate.subject if certificate else "none",
        "Issuer": certificate.issuer if certificate else "-",
        "SHA-256 fingerprint": certificate.fingerprint_sha256 if certificate else "-",
        "Protocol": f"{report.tls.protocol}, {report.tls.cipher}",
        "Session resumed": _yes(report.tls.resumed),
        "Renegotiated": _yes(report.tls.renegotiated),
        "Body": body if report.body_length else "none",
    }
    return HTML, _page(report.scenario, f"200 - {report.method} {report.path}", _section("What arrived", _table(rows)))


def refusal(status: Status, report: RequestReport, as_html: bool) -> tuple[str, bytes]:
    """The content type and body of a request that was refused with `status`."""
    if not as_html:
        fields = {"status": str(status), "error": status.title, "advice": status.advice}
        return JSON, _json({**fields, **_report_fields(report)})
    codes = {"Status": str(status), "Requested": f"{report.method} {report.path}", "Binding": report.binding}
    if certificate := report.tls.client_certificate:
        codes |= {"Client certificate": certificate.subject, "Issuer": certificate.issuer}
    heading = f"HTTP Error {status} - {status.title}"
    boxes = _section("What to try", f"<p>{html_text(status.advice)}</p>") + _section("Codes", _table(codes))
    return HTML, _page(report.scenario, heading, boxes, bad=True)


def start_page(landing: Landing, as_html: bool) -> tuple[str, bytes]:
    """The content type and body of `/`: what this scenario is, what to try, how to start clean."""
    if not as_html:
        return JSON, _json(asdict(landing))
    ways = "".join(_link_row(*way) for way in landing.paths)
    ports = "".join(_link_row(*binding) for binding in landing.bindings)
    fixes = "".join(_fix_row(*fix) for fix in landing.fixes)
    boxes = (
        _section("What this shows", _paragraphs(landing.story))
        + _section("Try", f"<table>{ways}</table>{_UPLOAD.replace('PATHS', _options(landing.paths))}")
        + (_section("Where it listens", f"<table>{ports}</table>") if len(landing.bindings) > 1 else "")
        + _section("Fixes", f"<table>{fixes}</table>{_HOW.replace('NAME', html_text(landing.scenario))}")
        + _section("Start clean", _CLEAN)
    )
    return HTML, _page(landing.scenario, landing.title, boxes, style=_STYLE + _START_STYLE)


_HOW = "<p><code>tlslab show NAME --fixes</code> says how to switch each on, and what to expect then.</p>"

_CLEAN = """<p>A browser remembers which certificate you chose (or that you cancelled) until it is closed, and keeps
connections open between two tries. For a clean start use a new private window, close all of them in between, or use
curl: it starts anew every time.</p>"""

# What counts is for the eye alone; the output, which screen readers speak, changes twice: at the start and at the end.
_UPLOAD = """<form id="up"><p><label>Send a body of <select id="size"><option value="102400">100 KiB</option>
<option value="1048576" selected>1 MiB</option><option value="10485760">10 MiB</option></select></label>
<label>to <select id="path">PATHS</select></label></p>
<p><button id="go">Upload</button> <output id="out"></output> <span id="clock" aria-hidden="true"></span></p>
<noscript><p>The button needs JavaScript; a form of HTML could not send so many bytes.</p></noscript></form>
<p>If the connection of an upload is reset, a browser sends the POST again by itself, once or twice, while it has
connections that it opened before. A freeze then lasts two or three times as long, the timeline shows as many
connections, and you see one error.</p>
<script>
const told=()=>"POST "+size.selectedOptions[0].text+" to "+path.value;(up.onchange=()=>go.textContent=told())();
up.onsubmit=async e=>{e.preventDefault();const what=told(),t=performance.now();go.disabled=true;out.value=what+" ...";
const s=()=>((performance.now()-t)/1000).toFixed(1)+" s";const w=setInterval(()=>clock.textContent=s(),200);let r;
const sent={method:"POST",body:new Uint8Array(+size.value),headers:{Accept:"application/json"}};
try{const a=await fetch(path.value,sent);
r=(await a.json().catch(()=>a)).status}catch(x){r=x.message}
clearInterval(w);clock.textContent="";out.value=what+": "+r+" after "+s();go.disabled=false}
</script>"""


def _options(paths: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<option>{html_text(path)}</option>" for path, _ in paths)


def _link_row(target: str, title: str) -> str:
    target = html_text(target)
    return f'<tr><th><a href="{target}">{target}</a></th><td>{html_text(title)}</td></tr>'


def _fix_row(name: str, title: str, on: bool) -> str:
    mark = '<span class="on">on</span>' if on else ""
    return f"<tr><th><code>{html_text(name)}</code></th><td>{html_text(title)} {mark}</td></tr>"


def _report_fields(report: RequestReport) -> dict[str, Any]:
    return {
        "scenario": report.scenario,
        "binding": report.binding,
        "method": report.method,
        "path": report.path,
        "protocol": report.tls.protocol,
        "cipher": report.tls.cipher,
        "session_resumed": report.tls.resumed,
        "renegotiated": report.tls.renegotiated,
        "client_certificate": _certificate_fields(report.tls.client_certificate),
        "body": {"length": report.body_length, "sha256": report.body_sha256},
    }


def _certificate_fields(certificate: CertificateFacts | None) -> dict[str, str] | None:
    if certificate is None:
        return None
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "fingerprint_sha256": certificate.fingerprint_sha256,
    }


def _json(value: dict[str, Any]) -> bytes:
    """One key a line: to be read in a terminal, and many times as fast as json's own indent."""
    return f"{without_del(_LINES.encode(value))}\n".encode()


def _page(scenario: str, heading: str, boxes: str, *, bad: bool = False, style: str = "") -> bytes:
    """A page; one without a `style` of its own is an answer, from which a way leads back."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{html_text(heading)}</title><link rel="icon" href="data:,"><style>{style or _STYLE}</style>'
        f"<body{' class=bad' if bad else ''}><header>tlslab: {html_text(scenario)}</header>"
        f"<main><h1>{html_text(heading)}</h1>{boxes}{'' if style else _BACK}</main></body></html>\n"
    ).encode()


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html_text(title)}</h2>{content}</section>"


def _table(rows: dict[str, str]) -> str:
    content = "".join(f"<tr><th>{html_text(k)}</th><td>{html_text(v)}</td></tr>" for k, v in rows.items())
    return f"<table>{content}</table>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{html_text(part)}</p>" for part in text.strip().split("\n\n"))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
