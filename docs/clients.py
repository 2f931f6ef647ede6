"""Writes the table in docs/clients.md anew, from what is measured of each client: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tlslab.cli.clients import CLIENTS, ClientFacts

PAGE = Path(__file__).parent / "clients.md"
BLOCK = re.compile(r"(<!-- clients: make docs -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = (
    "client",
    "asked to renegotiate, it",
    "by the list of issuers",
    "a certificate that has expired",
    "offers a session id",
    "sends a POST that is reset",
    "says then",
)


def table() -> str:
    """Make the table: a row for each client."""
    rows = [f"| {' | '.join(_cells(one))} |" for one in CLIENTS]
    return "\n".join([f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", *rows, ""])


def _cells(one: ClientFacts) -> Iterator[str]:
    yield f"{one.name}, {one.version}"
    yield one.renegotiation.value
    yield {True: "chooses", False: "sends what it has", None: "-"}[one.goes_by_list]
    yield {True: "is not offered", False: "is sent", None: "-"}[one.checks_dates]
    yield "yes" if one.resumes else "no"
    yield ("once", "twice", "up to three times")[one.most_uploads - 1]
    yield f"`{one.frozen}`"


def page() -> str:
    """Make the page as it belongs now."""
    return BLOCK.sub(lambda found: found[1] + table() + found[2], PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
