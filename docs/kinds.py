"""Writes docs/clients-of-the-lab.md from the kinds of clients, and from what becomes of each in memory: `make docs`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tlslab.cli.recipes import ENDS
from tlslab.client.kinds import CHOOSING, PROGRAMS, WRITING, Choosing, Writing, client_kind
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario import catalogue
from tlslab.scenario.load import load
from tlslab.text import format_seconds
from tlslab.verify.probing import Foreseen, Probe

PAGE = Path(__file__).parent / "clients-of-the-lab.md"
SHORT = {"reset": "reset", "closed": "closed", "gave_up": "gives up", "alert": "alert"}


def block(name: str) -> re.Pattern[str]:
    """Where a table stands on the page."""
    return re.compile(rf"(<!-- {name}: make docs -->\n).*?(<!-- end -->)", re.DOTALL)


def kinds(table: dict[str, Choosing] | dict[str, Writing]) -> str:
    """Make the table of one sort of kinds: what each does, whom it stands for, and how that is known."""
    rows = [f"| `{name}` | {one.does} | {one.stands_for} | {one.known_by} |" for name, one in table.items()]
    return "\n".join(["| kind | what it does | stands for | how that is known |", "|---|---|---|---|", *rows, ""])


def programs() -> str:
    """Make the line of programs by whose name a kind is found."""
    return ", ".join(f"`{name}` is `{kind}`" for name, kind in PROGRAMS.items()) + ".\n"


def outcomes(pki: Pki) -> str:
    """Make the table of scenarios and kinds: how the steps of each symptom end for each."""
    head = ["scenario", *(f"`{name}`" for name in CHOOSING)]
    rows = [f"| {' | '.join(_row(name, pki))} |" for name in catalogue.names()]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows, ""])


def _row(scenario: str, pki: Pki) -> Iterator[str]:
    yield f"`{scenario}`"
    probe = Probe(load(scenario), (), {}, (), pki)
    for name in CHOOSING:
        kind = client_kind(name)
        foreseen = probe.foresee(kind)
        text = _ending(foreseen)
        yield f"**{text}**" if probe.shows_symptom(kind, foreseen.seen) else text


def _ending(foreseen: Foreseen) -> str:
    last = foreseen.seen.last
    assert last.kind in ENDS or last.kind[0].isdigit(), last.kind
    how = SHORT.get(last.kind, last.kind)
    return f"{how}, {format_seconds(round(last.seconds))}" if last.seconds >= 1 else how


def page(pki: Pki | None = None) -> str:
    """Make the page as it belongs now; without a PKI the table of outcomes stays as it is."""
    text = PAGE.read_text(encoding="utf-8")
    made = {"choosing": kinds(dict(CHOOSING)), "writing": kinds(dict(WRITING)), "programs": programs()}
    made |= {} if pki is None else {"outcomes": outcomes(pki)}
    for name, content in made.items():
        text = block(name).sub(lambda found, content=content: found[1] + content + found[2], text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        content = page(open_pki(Path(folder), datetime.now(UTC)))
    PAGE.write_text(content, encoding="utf-8")
