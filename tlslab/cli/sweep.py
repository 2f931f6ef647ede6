"""`tlslab sweep`: how often each fix of an upload that freezes survives, by sizes that nobody sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from tlslab.cli.console import console, prose
from tlslab.errors import LabError, UsageProblem
from tlslab.lab.home import open_home
from tlslab.scenario import catalogue
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.names import suggestion
from tlslab.sweep import report
from tlslab.sweep.grid import SYMPTOM, Axes, Cell, Style, Tally, measurable, settings
from tlslab.sweep.runs import measure

EPILOG = """\b
Examples:
  tlslab sweep large-post-deadlock
  tlslab sweep large-post-deadlock --fix client-drains-too --relays 0,1MiB,8MiB --runs 10
  tlslab sweep large-post-deadlock --csv sweep.csv --svg sweep.svg

Exit codes: 0 done, 130 ended by Ctrl-C with what was measured until then.
"""


def _listed(read: Callable[[str], Any], what: str) -> Callable[..., tuple[Any, ...]]:
    """A callback that reads a list of values, parted by commas."""

    def callback(_context: click.Context, option: click.Parameter, value: str) -> tuple[Any, ...]:
        try:
            return tuple(read(one.strip()) for one in value.split(","))
        except (ValueError, LabError):
            raise click.BadParameter(f"{value} is no list of {what}", param=option) from None

    return callback


def _size(text: str) -> int:
    from pydantic import TypeAdapter

    from tlslab.knobs import ByteCount

    size: int = TypeAdapter(ByteCount).validate_python(text)
    return size


def _seconds(text: str) -> float:
    from pydantic import TypeAdapter

    from tlslab.knobs import Seconds

    seconds: float = TypeAdapter(Seconds).validate_python(text)
    return seconds


FILE = click.Path(path_type=Path, dir_okay=False)
SIZES = _listed(_size, "sizes such as 64KiB,1MiB")


@click.command(name="sweep", epilog=EPILOG)
@click.argument("scenario", metavar="NAME|FILE.yaml")
@click.option("--fix", "fixes", multiple=True, metavar="FIX", help="Only this fix, and the failure; may be repeated.")
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True, help="Runs of each cell.")
@click.option("--bodies", default="100KiB,1MiB,8MiB", callback=SIZES, show_default=True, help="Sizes of the body.")
@click.option(
    "--relays",
    default="0,4MiB",
    callback=SIZES,
    show_default=True,
    help="What a relay takes; 0: none.",
)
@click.option(
    "--buffers", default="0", callback=SIZES, show_default=True, help="The server's receive buffers; 0: the system's."
)
@click.option(
    "--delays",
    default="0s,200ms",
    callback=_listed(_seconds, "times such as 0s,200ms"),
    show_default=True,
    help="How long the server takes before it asks.",
)
@click.option(
    "--styles",
    default="write-then-read,interleaved",
    callback=_listed(Style, f"styles: {', '.join(Style)}"),
    show_default=True,
    help=f"How the client writes: {', '.join(Style)}.",
)
@click.option("--csv", "csv_file", type=FILE, metavar="FILE", help="A line for each cell.")
@click.option("--svg", "svg_file", type=FILE, metavar="FILE", help="A picture; needs tlslab[plot].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(scenario: str, fixes: Sequence[str], runs: int, **given: Any) -> None:
    """Measure how often each fix of a stalled upload survives, over real sockets on loopback.

    What decides is in buffers that nobody sees: how much of the body is on its way when the server asks.
    """
    loaded = load(scenario)
    wanted = _wanted(loaded, fixes)
    axes = Axes(given["bodies"], given["buffers"], given["relays"], given["delays"], given["styles"])
    plan = settings(wanted, axes)
    err, out = console(stderr=True), console()
    prose(err, f"{report.planned(axes, wanted, runs)}. Ctrl-C ends it and keeps what is done.")
    done, all_of_them = [0], len(wanted) * len(axes)

    def told(cell: Cell, tally: Tally) -> None:
        done[0] += 1
        if err.is_terminal:
            err.print(f"\r{done[0]:>5} of {all_of_them}  {cell.setting.fix}: {tally}\x1b[K", end="", highlight=False)

    results = measure(loaded, open_home(), plan, axes, runs, told)
    if err.is_terminal:
        err.print()
    note = f"{runs} runs a cell and delay"
    if given["csv_file"] is not None:
        report.write(given["csv_file"], report.to_csv(loaded, results))
    if given["svg_file"] is not None:
        report.draw(loaded, axes, results, given["svg_file"], note)
    if given["as_json"]:
        out.print(json.dumps(report.to_json(loaded, results), indent=1), soft_wrap=True)
    else:
        out.print(_table(loaded, results))
    if len(results) < all_of_them:
        raise SystemExit(130)


def _wanted(loaded: LoadedScenario, fixes: Sequence[str]) -> list[str]:
    known = loaded.scenario.fixes
    if not measurable(loaded.scenario):
        good = [name for name in catalogue.names() if measurable(load(name).scenario)]
        raise UsageProblem(f"{loaded.name} is not about an upload that stalls", f"such are: {', '.join(good)}")
    for fix in fixes:
        if fix not in known:
            raise UsageProblem(f"{loaded.name} has no fix {fix!r}", suggestion(fix, known))
    return [SYMPTOM, *(fixes or known)]


def _table(loaded: LoadedScenario, results: dict[Cell, Tally]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("fix", "arrived", "froze", "otherwise", "which is"):
        table.add_column(name, overflow="fold", justify="right" if name in ("arrived", "froze") else "left")
    for row in report.rows(loaded, results):
        table.add_row(*row)
    return table
