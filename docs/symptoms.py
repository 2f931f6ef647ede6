"""Writes docs/symptoms.md, from what the scenarios say of themselves: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tlslab.cli.profiles import escaped
from tlslab.scenario import catalogue
from tlslab.symptoms.reading import read

PAGE = Path(__file__).parent / "symptoms.md"
INTRODUCTION = """# From a symptom to its scenario

<!-- Made by make docs from the scenario files: their symptoms, cause and tell_apart. -->

Paste an error, a line of a log, a code or a few words, and the lab names the scenarios that show it:

```sh
tlslab list --symptom "curl: (56) Recv failure: Connection reset by peer"
tlslab list --symptom - < access.log
```

It looks for what the line says, whoever says it: ECONNRESET, 104, 10054, "forcibly closed" and "Error in the pull
function" are one thing. Addresses, times, paths, line numbers and the wrappers of exceptions do not count. At most five
are named, each with the words it was found by. Exit code 1 and a line of advice mean that no scenario shows it.

The first table is for what several scenarios share: which of them it can be. Below it each has its own part: what
causes it, how to tell it from its neighbours, and what it looks like in the words of the programs.
"""
# What to call a sign that several scenarios have; what is not here needs no row.
SHARED = {
    "reset": "The connection is reset (ECONNRESET, 104, 10054, ERR_CONNECTION_RESET)",
    "closed": "The connection is closed without an answer (EOF, hang up, empty reply, disconnected)",
    "timeout": "It hangs, stalls or times out",
    "502": "A proxy in front answers 502, 503 or 504",
    "tls-failed": "TLS fails, and no reason is given",
    "request-failed": "The program says only that the request failed (fetch failed, error sending request)",
    "no-renegotiation": "no renegotiation, TLS alert 100",
    "403.7": "403.7: client certificate required",
    "403": "403 Forbidden, and no more is known",
    "not-offered": "No certificate is asked for or offered; no prompt",
    "negotiation-off": "netsh: Negotiate Client Certificate : Disabled",
    "not-resumed": "Sessions are not resumed, full handshakes",
    "affinity": "A load balancer loses its clients",
}


def page() -> str:
    """Make the page as it belongs now."""
    listed = catalogue.listed()
    return "\n".join([INTRODUCTION, *_shared(listed), "", *(line for one in listed for line in _part(one))])


def _shared(listed: list[catalogue.Listed]) -> Iterator[str]:
    yield from ("| what one sees | it can be |", "|---|---|")
    signs = {one.name: {sign for text in (one.title, *one.symptoms) for sign in read(text).signs} for one in listed}
    for sign, words in SHARED.items():
        names = [f"[{name}](#{name})" for name, said in signs.items() if sign in said]
        yield f"| {escaped(words)} | {', '.join(names)} |"


def _part(one: catalogue.Listed) -> Iterator[str]:
    yield from (f"## {one.name}", "", one.title + ".", "")
    if one.cause:
        yield from (f"**Cause.** {one.cause.strip()}", "")
    if one.tell_apart:
        yield from (f"**Tell it apart.** {_linked(one.tell_apart.strip())}", "")
    yield from (f"- {escaped(symptom)}" for symptom in one.symptoms)
    yield from ("", f"`tlslab show {one.name}` tells the rest, `tlslab serve {one.name}` shows it.", "")


def _linked(text: str) -> str:
    return re.sub("|".join(map(re.escape, catalogue.names())), lambda name: f"[{name[0]}](#{name[0]})", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
