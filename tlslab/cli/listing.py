"""`tlslab list`: which failures there are, and which one a symptom is of."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import cast

import click
from rich.text import Text

from tlslab.cli.console import STYLES, console, prose
from tlslab.errors import LabError
from tlslab.scenario import catalogue
from tlslab.symptoms.log import Diagnosis, FoundInText, find
from tlslab.symptoms.ranking import Index
from tlslab.text import cut, escaped, format_count, json_text

STANDARD_INPUT = "-"
LONGEST_LINE = 65_536  # characters that are read at once
LONGEST_PIECE = 60  # characters of what somebody pasted, in what is said of it
MOST_PIECES = 4
TRY = (
    "paste the line with the error itself, or a few words of what one sees: reset, timeout, 403.7, no certificate "
    "prompt; tlslab list shows every scenario"
)


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print an array of {name, title, symptoms, fixes, ...}.")
@click.option(
    "--symptom",
    metavar="TEXT|-",
    help="Only what shows itself so: paste an error, a line of a log, a code or a few words; - reads a log.",
)
def command(as_json: bool, symptom: str | None) -> None:
    """List the failures that can be served, or those an error or a log may come from, the likeliest first."""
    listed = {one.name: one for one in catalogue.listed()}
    if symptom is None:
        _show_all(list(listed.values()), as_json)
        return
    index = Index({one.name: one.texts for one in listed.values()})
    with _lines(symptom) as lines:
        answer = find(index, lines)
    if as_json:
        entries = [_as_json(listed[found.name]) | _why_json(found) for found in answer.found]
        click.echo(json_text(entries, indent=1))
    else:
        _show_found(answer, listed)
    if not answer.found:
        pasted = f"the symptom '{cut(escaped(symptom), 80)}'"
        raise LabError(
            f"no scenario shows {pasted if symptom != STANDARD_INPUT else f'any of {_counted(answer)}'}", TRY
        )


@contextlib.contextmanager
def _lines(symptom: str) -> Iterator[Iterator[str]]:
    """The lines of what was given, or those of standard input; UTF-16, as Windows PowerShell writes it, is known."""
    if symptom != STANDARD_INPUT:
        yield iter(symptom.splitlines())
        return
    if sys.stdin.isatty():
        console(stderr=True).print("Paste what you have, then end it with Ctrl-D (Windows: Ctrl-Z and Return).")
    raw = io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
    encoding = "utf-16" if raw.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = io.TextIOWrapper(raw, encoding=encoding, errors="replace")
    try:
        yield iter(lambda: text.readline(LONGEST_LINE), "")
    finally:
        text.detach()


def _as_json(one: catalogue.Listed) -> dict[str, object]:
    return {"name": one.name, "title": one.title, "symptoms": list(one.symptoms), "fixes": list(one.fixes)}


def _why_json(found: FoundInText) -> dict[str, object]:
    line = {"line": found.line} if found.line else {}
    return {"score": found.score, "found_by": list(found.by), "nearest_symptom": found.symptom, **line}


def _show_all(listed: list[catalogue.Listed], as_json: bool) -> None:
    if as_json:
        click.echo(json_text([_as_json(one) for one in listed], indent=1))
        return
    out = console()
    for one in listed:
        out.print(Text(one.name, style="bold"))
        prose(out, one.title, first="  ")
    out.print()
    prose(out, "More about one: tlslab show NAME. Serve it: tlslab serve NAME", style="dim")


def _show_found(answer: Diagnosis, listed: dict[str, catalogue.Listed]) -> None:
    out = console()
    for number, found in enumerate(answer.found):
        one = listed[found.name]
        if number:
            out.print()
        out.print(Text(one.name, style="bold"))
        prose(out, one.title, first="  ")
        pieces = ", ".join(f'"{cut(escaped(piece), LONGEST_PIECE)}"' for piece in found.by[:MOST_PIECES])
        where = f" (line {found.line:,})" if found.line and answer.lines > 1 else ""
        prose(out, f"found by: {pieces}{where}", first="  ", rest="    ", style=STYLES["good"])
        if one.tell_apart and len(answer.found) > 1:
            prose(out, f"tell it apart: {one.tell_apart}", first="  ", rest="    ", style="dim")
    if answer.found:
        out.print()
        if answer.lines > 1:
            prose(out, f"Read {_counted(answer)}.", style="dim")
        prose(out, "More about one: tlslab show NAME. Serve it: tlslab serve NAME", style="dim")


def _counted(answer: Diagnosis) -> str:
    lines = format_count(answer.lines, "line")
    return lines if answer.whole else f"the first {lines}; what came behind them was not looked at"
