"""Writes the table of docs/second-opinion.md anew from tests/oracle/cases.yaml, which the tests hold: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parent / "second-opinion.md"
CASES = Path(__file__).parents[1] / "tests" / "oracle" / "cases.yaml"
BLOCK = re.compile(r"(<!-- cases: make docs -->\n).*?(<!-- end -->)", re.DOTALL)


def page() -> str:
    """Make the page as it belongs now."""
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    alike = [case for case in cases if "outcome" in case]
    different = [case for case in cases if "outcome" not in case]
    text = "\n".join([*_alike(alike), "", *_different(different), ""])
    return BLOCK.sub(lambda found: found[1] + text + found[2], PAGE.read_text(encoding="utf-8"))


def _alike(cases: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{len(cases)} requests that both see off alike:"
    yield ""
    yield "| request | what the client sees of both |"
    yield "|---|---|"
    yield from (f"| {case['title']} | {case['outcome']} |" for case in cases)


def _different(cases: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{len(cases)} that they do not, and why:"
    yield ""
    yield "| request | Apache | the lab | why |"
    yield "|---|---|---|---|"
    yield from (f"| {case['title']} | {case['apache']} | {case['lab']} | {case['why']} |" for case in cases)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
