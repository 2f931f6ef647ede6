"""Writes what docs/architecture.md shows of the code's own tables anew: `make docs`.

A block of the page between `<!-- made of NAME by make docs -->` and `<!-- end -->` is made of one of `BLOCKS`.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from tlslab.core.life import ALIVE, BY_CAUSE, WITH_TLS, Life
from tlslab.httpsys import phases, question

PAGE = Path(__file__).parent / "architecture.md"
ARCHITECTURE = Path(__file__).parents[1] / "tests" / "test_architecture.py"
BLOCK = re.compile(r"(<!-- made of (\S+) by make docs -->\n).*?(<!-- end -->)", re.DOTALL)
Arrows = Mapping[Any, Enum]  # (where it stands, what moves it) -> where it stands then


def diagram(lines: Iterator[str]) -> str:
    """Draw a state machine."""
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def requests() -> str:
    """Where a request stands."""
    return diagram(_arrows(phases.Phase.IDLE, phases.NEXT))


def certificate_question() -> str:
    """Where the question for the client certificate stands."""
    return diagram(_arrows(question.QuestionState.OPEN, question.NEXT))


def _arrows(first: Enum, arrows: Arrows) -> Iterator[str]:
    yield f"    [*] --> {first.name}"
    yield from (f"    {at.name} --> {to.name}: {cause.name}" for (at, cause), to in arrows.items())


def connection() -> str:
    """Where a connection stands; arrows from the box are arrows from all that is in it."""
    return diagram(_life())


def _life() -> Iterator[str]:
    yield f"    [*] --> {Life.GREETING.name}"
    yield "    state ALIVE {"
    for (at, cause), to in BY_CAUSE.items():
        if to in ALIVE:
            yield f"        {at.name} --> {to.name}: {cause.name}"
    for (at, handshake), to in WITH_TLS.items():
        yield f"        {at.name} --> {to.name}: (TLS is at {handshake.name})"
    yield "    }"
    for to, cause in dict.fromkeys((to, cause) for (_, cause), to in BY_CAUSE.items() if to not in ALIVE):
        sources = [at for (at, its), target in BY_CAUSE.items() if (its, target) == (cause, to) and at is not to]
        outside = [at.name for at in sources if at not in ALIVE]
        yield from (f"    {source} --> {to.name}: {cause.name}" for source in ["ALIVE", *outside])


def imports() -> str:
    """Who may import whom."""
    table = {name: row for name, row in runpy.run_path(str(ARCHITECTURE))["TABLE"].items() if not name.startswith("__")}
    alone = ", ".join(name for name, row in table.items() if not any(row))
    rows = [f"| {name} | {third or '-'} | {own or '-'} |" for name, (third, own) in table.items() if third or own]
    head = ["| room | may import (third party) | may import (tlslab) |", "|---|---|---|"]
    return "\n".join([*head, f"| {alone} | - | - |", *rows])


BLOCKS: dict[str, Callable[[], str]] = {
    "httpsys.phases": requests,
    "httpsys.question": certificate_question,
    "core.life": connection,
    "test_architecture": imports,
}


def page() -> str:
    """Make the page as it belongs now."""
    text = PAGE.read_text(encoding="utf-8")
    return BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}\n{match[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
