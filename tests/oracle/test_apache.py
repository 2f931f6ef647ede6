"""Apache's mod_ssl as a second opinion: the same request to it and to the lab, and what the client sees of each.

mod_ssl is another server that asks for a certificate after the request, by another team, on the same OpenSSL. Where
both do the same, the lab is no fancy of ours; where they differ, cases.yaml says why.
"""

from __future__ import annotations

import http.client
import json
import re
import runpy
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.client
CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))
DOCS = Path(__file__).parents[2] / "docs"
ALERTS = {40: "handshake_failure", 45: "certificate_expired", 48: "unknown_ca"}  # RFC 5246, 7.2
WORDS = {"handshake failure": 40, "certificate expired": 45, "unknown ca": 48}


@dataclass(frozen=True, slots=True)
class Asked:
    """A case, put to one of the two."""

    peer: Any
    case: dict[str, Any]
    body: Callable[[int], Path]

    @property
    def port(self) -> int:
        """Where it speaks the case's version of TLS."""
        port: int = self.peer.ports[self.case.get("tls", "1.2")]
        return port

    @property
    def identity(self) -> tuple[Path, Path] | None:
        """Certificate and key of the case's client."""
        name = self.case.get("identity", "alice")
        return None if name == "none" else self.peer.identities[name]

    def by_curl(self) -> str:
        """What curl sees."""
        words: list[str] = []
        if self.case.get("primed"):
            words = [*self._words(), "--next"]
        method = self.case.get("method", "POST")
        if size := self.case.get("body"):
            words += ["-X", method, "--data-binary", f"@{self.body(size)}"]
            words += ["-H", "Expect: 100-continue" if self.case.get("expect") else "Expect:"]
            words += ["-H", "Transfer-Encoding: chunked"] if self.case.get("chunked") else []
        command = ["curl", *words, *self._words()]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode:
            return _failed(run.stderr)
        head, _, content = run.stdout.rpartition("HTTP/1.1 ")[2].partition("\n\n")
        return _answered(head, content)

    def _words(self) -> list[str]:
        words = ["-sS", "-i", "--cacert", str(self.peer.ca_file), "--max-time", "30"]
        if self.identity is not None:
            words += ["--cert", str(self.identity[0]), "--key", str(self.identity[1])]
        return [*words, f"https://localhost:{self.port}{self.case['path']}"]

    def by_openssl(self, *options: str, times: int = 1) -> str:
        """What openssl s_client sees; more than once with the session that it got."""
        assert self.identity is not None
        words = ["openssl", "s_client", "-connect", f"localhost:{self.port}", "-CAfile", str(self.peer.ca_file)]
        words += ["-cert", str(self.identity[0]), "-key", str(self.identity[1]), "-ign_eof", *options]
        request = f"GET {self.case['path']} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for _ in range(times):
            run = subprocess.run(words, input=request, capture_output=True, text=True, timeout=60, check=False)
        if "Reused," in run.stdout:
            return "the session is resumed"
        return _failed(run.stderr)

    def by_python(self) -> str:
        """What Python sees, which offers no post-handshake authentication unless it is told to."""
        context = ssl.create_default_context(cafile=str(self.peer.ca_file))
        assert self.identity is not None
        context.load_cert_chain(*self.identity)
        client = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=30)
        try:
            client.request("GET", self.case["path"], headers={"Connection": "close"})
            response = client.getresponse()
            return _answered(f"{response.status} \r\n{response.headers}", response.read().decode())
        except ConnectionError:
            return "reset"
        except ssl.SSLError as error:
            return _failed(str(error))
        finally:
            client.close()


def _answered(head: str, content: str) -> str:
    """What an answer says: its status, and for whom it is where it is good."""
    status = head.split(" ", 1)[0]
    fields = json.loads(content) if content.startswith("{") else {}
    if int(status) >= 300:
        return str(fields.get("status", status)).removesuffix(".0")
    found = re.search(r"(?im)^X-Client: (.*?)\r?$", head)
    who = found[1] if found else (fields.get("client_certificate") or {}).get("subject", "(null)")
    return "answered without a certificate" if who in ("(null)", "") else f"answered for {who.removeprefix('CN=')}"


def _failed(said: str) -> str:
    """What a client says of a connection that ended without an answer."""
    number = re.search(r"alert number (\d+)", said)
    code = int(number[1]) if number else next((code for words, code in WORDS.items() if words in said.lower()), 0)
    return f"alert {code}, {ALERTS[code]}" if code else "reset"


def ask(asked: Asked) -> str:
    """Put a case to one of the two, by the client that the case wants."""
    kind = asked.case.get("client", "curl")
    if kind == "refuses to renegotiate":
        return asked.by_openssl("-quiet", "-no_renegotiation")
    if kind == "comes back with its session":
        session = str(asked.body(0).with_name(f"{asked.peer.name}.session"))
        asked.by_openssl("-tls1_2", "-sess_out", session)
        return asked.by_openssl("-tls1_2", "-sess_in", session)
    return asked.by_python() if kind.startswith("offers no") else asked.by_curl()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_apache_and_the_lab(case, apache, lab, body, require_client):
    """Each sees the client off as cases.yaml says, and both alike unless that says why not."""
    require_client("curl"), require_client("openssl")
    seen = {peer.name: ask(Asked(peer, case, body)) for peer in (apache, lab)}
    assert seen == {"apache": case.get("apache", case.get("outcome")), "lab": case.get("lab", case.get("outcome"))}


def test_the_page_is_current():
    """`make docs` writes it."""
    made = runpy.run_path(str(DOCS / "second_opinion.py"))["page"]()
    assert made == (DOCS / "second-opinion.md").read_text(encoding="utf-8")


def test_what_differs_says_why():
    """A case has one outcome, or two that differ and a reason."""
    for case in CASES:
        if "outcome" in case:
            assert {"apache", "lab", "why"}.isdisjoint(case), case
        else:
            assert case["apache"] != case["lab"], case
            assert case["why"], case
