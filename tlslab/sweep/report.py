"""What a sweep found, for people and programs: a table, CSV, JSON, and a picture (matplotlib, the extra `plot`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tlslab.errors import UsageProblem, in_words
from tlslab.scenario.load import LoadedScenario
from tlslab.sweep.grid import SYMPTOM, Axes, Cell, Results, Style, Tally, by_column, by_fix
from tlslab.text import format_bytes, format_seconds

COLUMNS = ("fix", "deterministic", "style", "body", "relay", "receive_buffer", "delay", "runs", "arrived", "froze")
WRITE_ELSEWHERE = "name a file in a folder that you may write to"


def verdict(loaded: LoadedScenario, fix: str, tally: Tally) -> str:
    """What the counts say of a fix, beside what the document says."""
    if fix == SYMPTOM:
        return "the failure itself"
    promised = "certain" if loaded.scenario.fixes[fix].deterministic else "not certain"
    measured = "always" if tally.arrived == tally.runs else "never" if not tally.arrived else "sometimes"
    return f"{promised} by its document; {measured} here"


def rows(loaded: LoadedScenario, results: Results) -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each fix: its name, arrived of all, frozen, what else happened, and the verdict."""
    for fix, tally in by_fix(results).items():
        others = ", ".join(f"{count} {outcome}" for outcome, count in tally.others.items())
        yield fix, str(tally), str(tally.froze), others, verdict(loaded, fix, tally)


def to_csv(loaded: LoadedScenario, results: Results) -> str:
    """A line for each cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*COLUMNS, "others"))
    for cell, tally in results.items():
        others = " ".join(f"{outcome}:{count}" for outcome, count in tally.others.items())
        writer.writerow((*_cell(loaded, cell), tally.runs, tally.arrived, tally.froze, others))
    return out.getvalue()


def to_json(loaded: LoadedScenario, results: Results) -> dict[str, Any]:
    """All of it, as JSON has it."""
    names = COLUMNS[: -len(("runs", "arrived", "froze"))]
    return {
        "scenario": loaded.name,
        "cells": [
            dict(zip(names, _cell(loaded, cell), strict=True))
            | {"runs": tally.runs, "arrived": tally.arrived, "froze": tally.froze, "others": tally.others}
            for cell, tally in results.items()
        ],
    }


def _cell(loaded: LoadedScenario, cell: Cell) -> tuple[object, ...]:
    fix = loaded.scenario.fixes.get(cell.setting.fix)
    is_certain = None if fix is None else fix.deterministic
    style, setting = cell.style.value, cell.setting
    return setting.fix, is_certain, style, cell.body, cell.relay, setting.buffer, setting.delay


def write(path: Path, text: str) -> None:
    """Write a file. LabError: it cannot be written."""
    with in_words(f"cannot write {path}", WRITE_ELSEWHERE):
        path.write_text(text, encoding="utf-8")


def draw(loaded: LoadedScenario, axes: Axes, results: Results, path: Path, note: str) -> None:
    """Draw a heat map: a row for each fix, a column for each body, relay and style, and in it how many arrived of all.

    UsageProblem: matplotlib is not installed. LabError: the file cannot be written.
    """
    try:
        import matplotlib as mpl  # type: ignore[import-not-found, unused-ignore]
        from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UsageProblem("--svg needs matplotlib", "pip install 'tlslab[plot]'") from None
    mpl.rcParams.update({"svg.hashsalt": "tlslab", "svg.fonttype": "none", "font.size": 8})
    sums = by_column(results)
    columns = [(body, relay, style) for style in axes.styles for relay in axes.relays for body in axes.bodies]
    figure = Figure(figsize=(2.8 + 0.52 * len(columns), 2.0 + 0.32 * len(sums)), layout="constrained")
    plot = figure.add_subplot()
    shares = [[_share(of_fix.get(column)) for column in columns] for of_fix in sums.values()]
    plot.imshow(shares, cmap="gray", vmin=-0.35, vmax=1.1, aspect="auto")
    for row, of_fix in enumerate(sums.values()):
        for place, column in enumerate(columns):
            tally = of_fix.get(column)
            dark = _share(tally) < 0.4
            plot.text(place, row, str(tally or ""), ha="center", va="center", color="white" if dark else "black")
    plot.set_yticks(range(len(sums)), [_name(loaded, fix) for fix in sums])
    plot.set_xticks(range(len(columns)), [_column(*column) for column in columns])
    plot.tick_params(length=0)
    for edge in range(1, len(columns)):
        plot.axvline(edge - 0.5, color="white", linewidth=3 if edge % len(axes.bodies) == 0 else 0.5)
    plot.set_xlabel("body / relay on the way / how the client writes")
    plot.set_title(f"{loaded.name}: uploads that arrive with the certificate, of all. {note}", loc="left", wrap=True)
    with in_words(f"cannot write {path}", WRITE_ELSEWHERE):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _share(tally: Tally | None) -> float:
    return 0.0 if tally is None or not tally.runs else tally.arrived / tally.runs


def _name(loaded: LoadedScenario, fix: str) -> str:
    certain = fix != SYMPTOM and loaded.scenario.fixes[fix].deterministic
    return f"{fix} (certain)" if certain else fix


def _column(body: int, relay: int, style: Style) -> str:
    through = f"relay\n{_short(relay)}" if relay else "no\nrelay"
    return f"{_short(body)}\n{through}\n" + style.value.replace("-", "-\n").replace("interleaved", "inter-\nleaved")


def _short(size: int) -> str:
    return format_bytes(size).replace(".0", "").replace(" ", "\u00a0")


def planned(axes: Axes, fixes: Sequence[str], runs: int) -> str:
    """What is to be measured, in a line."""
    delays = " and ".join(format_seconds(one) if one else "0 s" for one in axes.delays)
    return (
        f"{len(fixes)} settings x {len(axes)} cells x {runs} runs = {len(fixes) * len(axes) * runs:,} uploads; the "
        f"server asks after {delays}"
    )
