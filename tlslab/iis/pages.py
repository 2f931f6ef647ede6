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
_STYLE = """
:root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif}
header{background:#33526b;color:#fff;padding:.9rem 5vw;font-weight:600}main{max-width:48rem;padding:1rem 5vw}
h1{font-size:1.45rem}h2{font-size:1.05rem;margin:0}.bad h1{color:#d13438}
section{border:1px solid #8a97a3;border-radius:6px;padding:1rem;margin:1rem 0}
td,th{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;overflow-wrap:anywhere}.on{font-weight:600}
"""


@dataclass(frozen=True, slots=True)
class Landing:
    """What the start page says: the scenario, its story, the paths to try and the fixes, each with whether it is on."""

    scenario: str
    title: str
    story: str
    paths: tuple[tuple[str, str], ...]
    fixes: tuple[tuple[str, str, bool], ...]


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
    heading = f"HTTP Error {status} - {status.title}"
    boxes = _section("What to try", f"<p>{html_text(status.advice)}</p>") + _section("Codes", _table(codes))
    return HTML, _page(report.scenario, heading, boxes, bad=True)


def start_page(landing: Landing, as_html: bool) -> tuple[str, bytes]:
    """The content type and body of `/`: what this scenario is, what to try, how to start clean."""
    if not as_html:
        return JSON, _json(asdict(landing))
    paths = "".join(_path_row(*path) for path in landing.paths)
    boxes = (
        _section("What this shows", _paragraphs(landing.story))
        + _section("Try", f"<table>{paths}</table>{_UPLOAD.replace('PATHS', _options(landing.paths))}")
        + _section("Fixes", f"<table>{''.join(_fix_row(*fix) for fix in landing.fixes)}</table>")
        + _section("Start clean", _CLEAN)
    )
    return HTML, _page(landing.scenario, landing.title, boxes)


_CLEAN = """<p>A browser remembers which certificate you chose (or that you cancelled) until it is closed, and keeps
connections open between two tries. For a clean start use a new private window, close all of them in between, or use
curl: it starts anew every time.</p>"""

_UPLOAD = """<form id="up"><label>Upload <select id="size"><option value="102400">100 KiB</option>
<option value="1048576" selected>1 MiB</option><option value="10485760">10 MiB</option></select></label>
<label>to <select id="path">PATHS</select></label> <button>POST</button> <output id="out"></output></form>
<script>
up.onsubmit=async e=>{e.preventDefault();const t=performance.now();out.value="uploading...";
const s=()=>((performance.now()-t)/1000).toFixed(1)+" s";const w=setInterval(()=>out.value="waiting, "+s(),200);let r;
try{const a=await fetch(path.value,{method:"POST",body:new Uint8Array(+size.value)});r=a.status+" after "+s()}
catch(x){r=x.message+" after "+s()}clearInterval(w);out.value=r}
</script>"""


def _options(paths: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<option>{html_text(path)}</option>" for path, _ in paths)


def _path_row(path: str, title: str) -> str:
    path = html_text(path)
    return f'<tr><th><a href="{path}">{path}</a></th><td>{html_text(title)}</td></tr>'


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


def _page(scenario: str, heading: str, boxes: str, bad: bool = False) -> bytes:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{html_text(heading)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style>'
        f'<body class="{"bad" if bad else "good"}"><header>tlslab: {html_text(scenario)}</header>'
        f"<main><h1>{html_text(heading)}</h1>{boxes}</main></body></html>\n"
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
