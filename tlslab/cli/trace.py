"""`tlslab trace`: a capture, explained as a colleague would."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.console import NARROWEST, STYLES, console, prose
from tlslab.errors import UsageProblem
from tlslab.text import cut, format_elapsed, format_host_port, json_text
from tlslab.trace.conversation import Message
from tlslab.trace.frames import PieceKind
from tlslab.trace.lines import (
    ARROWS,
    PAUSE,
    between,
    end_text,
    ladder_lines,
    line_mark,
    line_text,
    main_silence,
    turn_text,
    whose,
)
from tlslab.trace.report import Explained, Report, as_json, explain
from tlslab.trace.tshark import read_trace

LARGE = 20  # megabytes of a capture that is read in more than a few seconds
MANY = 5  # connections that are all shown in full


@click.command(name="trace")
@click.argument("file")
@click.option("--keylog", metavar="FILE", help="TLS secrets (NSS format), if not in the capture.")
@click.option("--stream", type=int, metavar="N", help="Only one connection, by Wireshark's tcp.stream.")
@click.option("--json", "as_json_", is_flag=True, help="Print an object with every connection and message.")
def command(file: str, keylog: str | None, stream: int | None, as_json_: bool) -> None:
    """Explain a capture: who said what and when, whose turn it was in the longest silence, and what that looks like.

    FILE is what Wireshark, dumpcap, tcpdump or --pcapng wrote; tshark reads it. Of more than five connections, one of
    each kind that failed is shown in full.
    """
    capture, keys = _file(file, "capture"), None if keylog is None else _file(keylog, "key log")
    _ask_for_patience(capture)
    report = explain(read_trace(capture, keys), has_key_log=keys is not None)
    if stream is not None:
        report = _only(report, stream)
    if as_json_:
        click.echo(json_text(as_json(report), indent=1))
        return
    show(report, console())


def show(report: Report, out: Console) -> None:
    """Print what a person should see of a report."""
    for note in report.notes:
        prose(out, f"Note: {note}.", style=STYLES["odd"])
    shown = report.connections
    if len(shown) > MANY:
        _print_table(shown, out)
        shown = _one_of_each(shown)
    for explained in shown:
        _print_connection(explained, out)
    if left := len(report.connections) - len(shown):
        out.print()
        what = f"{left:,} more" if shown else "Nothing failed. Any of them"
        prose(out, f"{what}, message by message: tlslab trace FILE --stream N", style="dim")


def _file(name: str, what: str) -> Path:
    if name == "-":
        raise UsageProblem(f"the {what} cannot come from standard input", "give a file: it is read more than once")
    if not name:
        raise UsageProblem(f"the {what} has no name", "give a file; was a variable empty?")
    return Path(name)


def _ask_for_patience(capture: Path) -> None:
    with contextlib.suppress(OSError):
        megabytes = capture.stat().st_size / 1e6
        if megabytes > LARGE:
            console(stderr=True).print(f"Reading {megabytes:,.0f} MB, which takes a while.")


def _only(report: Report, stream: int) -> Report:
    found = tuple(one for one in report.connections if one.conversation.stream == stream)
    if not found:
        streams = [one.conversation.stream for one in report.connections]
        known = f"those with TLS: {', '.join(map(str, streams[:20]))}{', ...' * (len(streams) > 20)}"
        raise UsageProblem(f"there is no TLS in stream {stream}", known)
    return Report(report.notes, found)


def _one_of_each(shown: Sequence[Explained]) -> tuple[Explained, ...]:
    """The first of each kind of failure, so that two hundred of one kind fill no screens."""
    kinds: dict[object, Explained] = {}
    for one in shown:
        names = tuple(finding.name for finding in one.findings)
        if names or one.failure:
            kinds.setdefault((names, one.failure), one)
    return tuple(kinds.values())


# --- the table ------------------------------------------------------------------------------------------------


def _print_table(shown: Sequence[Explained], out: Console) -> None:
    rows = [
        ("stream", "client", "took", "answers", "longest silence", "whose turn", "end", "looks like"),
        *map(_row, shown),
    ]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        style = "dim" if number == 0 else STYLES["bad"] * bool(shown[number - 1].failure)
        for line in _fitted(cells, out):
            out.print(Text(line, style=style))


def _fitted(cells: Sequence[str], out: Console) -> list[str]:
    """A row of the table; on a terminal that is too narrow it is cut, and its last cell stands below it."""
    line, width = "  ".join(cells).rstrip(), max(out.width, NARROWEST)
    if not out.is_terminal or len(line) <= width:
        return [line]
    lines = ["  ".join(cells[:-1]).rstrip(), *([f"{'':>8}{cells[-1].rstrip()}"] if cells[-1].strip() else [])]
    return [cut(one, width) for one in lines]


def _row(explained: Explained) -> tuple[str, ...]:
    one = explained.conversation
    answers = [message.name for message in one.messages if message.kind is PieceKind.RESPONSE]
    more = f" ... ({len(answers)})" if len(answers) > 3 else ""
    silence = main_silence(explained)
    return (
        str(one.stream),
        format_host_port(one.client),
        format_elapsed(one.messages[-1].at),
        " ".join(answers[:3]) + more or "none",
        format_elapsed(silence.seconds) if silence else "none",
        whose(silence) if silence and silence.seconds >= PAUSE else "",
        end_text(explained),
        ", ".join(dict.fromkeys(finding.name for finding in explained.findings)) or explained.failure,
    )


# --- one connection -------------------------------------------------------------------------------------------


def _print_connection(explained: Explained, out: Console) -> None:
    one = explained.conversation
    began = datetime.fromtimestamp(one.began, UTC)
    out.print()
    title = f"{format_host_port(one.client)} (C) to {format_host_port(one.server)} (S), {began:%Y-%m-%d %H:%M:%S} UTC"
    _print_wrapped("", f"{title}, tcp.stream {one.stream}", "bold", out)
    out.print(Text(f"{'frame':>7} {'seconds':>10} {'after':>10}", style="dim"))
    before = 0.0
    for line in ladder_lines(one.messages):
        first = line.messages[0]
        _print_silence(explained, first, out)
        columns = f"{first.frame:>7} {first.at:>10.3f} {format_elapsed(first.at - before):>10}"
        _print_wrapped(f"{columns}  {ARROWS[first.sender]}  ", line_text(line), STYLES[line_mark(line)], out)
        before = line.messages[-1].at
    _print_silence(explained, None, out)
    _print_conclusions(explained, out)


def _print_silence(explained: Explained, before: Message | None, out: Console) -> None:
    silence = main_silence(explained)
    if silence is not None and silence.before is before and silence.seconds >= PAUSE:
        text = f"...  {format_elapsed(silence.seconds)} of silence, turn: {whose(silence)}"
        _print_wrapped(" " * 31, text, STYLES["bad" if silence.turn.both_wait else "odd"], out)


def _print_wrapped(start: str, text: str, style: str, out: Console) -> None:
    """Print a text behind the start of a line, and below itself where a terminal is narrow."""
    room = max(out.width - len(start), NARROWEST // 2) if out.is_terminal else sys.maxsize
    first, *rest = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    out.print(Text.assemble((start, "dim"), (first, style)))
    for line in rest:
        out.print(Text(" " * len(start) + line, style=style))


def _print_conclusions(explained: Explained, out: Console) -> None:
    if explained.conversation.end is None:
        _print_wrapped(" " * 31, "the connection is still open when the capture ends", "dim", out)
    pauses = [one for one in (explained.silence, explained.idle) if one is not None and one.seconds >= PAUSE]
    for silence in pauses:
        other = "Longest other silence" if silence.turn.who == "unknown" else "Longest idle time"
        what = "Longest silence" if silence is main_silence(explained) else other
        prose(out, f"{what}: {format_elapsed(silence.seconds)}, {between(silence)}. {turn_text(silence)}", first="  ")
    if not pauses:
        prose(out, "There was no silence of a second or more.", first="  ")
    if explained.failure:
        prose(out, f"What went wrong: {explained.failure}.", first="  ", style=STYLES["bad"])
    for finding in explained.findings:
        probably = "probable: " if finding.certainty == "probable" else ""
        prose(out, f"{probably}{finding.sentence}", first="  * ", rest="    ")
        for scenario in finding.scenarios:
            out.print(Text(f"    tlslab show {scenario}", style=STYLES["name"]))
