"""`tlslab verify`: every promise of a scenario, held over real sockets."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.console import console, prose
from tlslab.cli.options import between
from tlslab.errors import UsageProblem, in_words
from tlslab.scenario import catalogue
from tlslab.text import format_count
from tlslab.verify.catalogue import SYMPTOM, ScenarioReport, TrialVerdict, verify

EACH_CPU = 4  # processes: a trial mostly waits
FIXES = "fixes."


@click.command(name="verify")
@click.argument("names", nargs=-1, metavar="[NAME|FILE.yaml]...")
@click.option("--all", "everything", is_flag=True, help="Take what needs thousands of clients, too.")
@click.option(
    "--speed",
    type=float,
    callback=between(0.01, 10_000),
    metavar="N",
    help="Run every clock N times as fast, instead of as it suits each trial.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an array of {name, symptom_seen, fixes, cases, skipped}.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit's XML.")
def command(names: tuple[str, ...], everything: bool, speed: float | None, as_json: bool, junit: Path | None) -> None:
    """Show that each failure happens and each fix cures it: the symptom, each case, each fix and what defeats it.

    The lab's own client takes every step over real sockets, as a client that writes all before it reads and as one that
    looks while it writes. A fix that is not certain is tried several times, and told as a rate. Without a name the
    whole catalogue is verified. Exit code 1 where anything is not as promised.
    """
    out = console(stderr=as_json)
    sources = list(names) or catalogue.names()
    if len(set(sources)) < len(sources):
        raise UsageProblem("a scenario is named twice", "name each once")
    reports = []
    with out.status("starting") as status:
        taken = verify(
            sources,
            speed=speed,
            crowds=everything,
            workers=EACH_CPU * (os.cpu_count() or 1),
            progress=lambda name, done, count: status.update(f"{done} of {count} trials, {name}"),
        )
        for report in taken:
            reports.append(report)
            _print(report, out)
    reports.sort(key=lambda one: one.name)
    if as_json:
        click.echo(json.dumps([_as_json(report) for report in reports], indent=1))
    if junit is not None:
        _write_junit(reports, junit)
    _conclude(reports, out)
    raise SystemExit(0 if all(report.is_kept for report in reports) else 1)


def _print(report: ScenarioReport, out: Console) -> None:
    fixes = [one for one in report.verdicts if _fix_of(one)]
    others = len(report.verdicts) - len(fixes)
    out.print(Text.assemble((report.name, "bold"), f": {_told(report, fixes, others)}"))
    for verdict in report.verdicts:
        if verdict.is_kept and verdict.as_promised == verdict.times:
            continue
        style = "yellow" if verdict.is_kept else "bold red"
        out.print(Text(f"  {verdict.trial.name}: {verdict.as_promised} of {verdict.times} as promised", style=style))
        for difference in verdict.differences:
            prose(out, difference, first="    ", rest="      ")


def _told(report: ScenarioReport, fixes: Sequence[TrialVerdict], others: int) -> str:
    if not report.is_kept:
        return "NOT as promised"
    cured = format_count(len(fixes), "fix cures it", "fixes cure it")
    seen = "the symptom is seen, " if any(one.trial.name == SYMPTOM for one in report.verdicts) else ""
    return f"{seen}{cured}, {format_count(others - 1, 'further promise', 'further promises')} kept"


def _conclude(reports: Sequence[ScenarioReport], out: Console) -> None:
    skipped = {f"{report.name} {name}": why for report in reports for name, why in report.skipped.items()}
    for name, why in skipped.items():
        prose(out, f"Skipped: {name}: {why}", style="dim", rest="  ")
    broken = [report.name for report in reports if not report.is_kept]
    count = sum(verdict.times for report in reports for verdict in report.verdicts)
    taken = f"{format_count(count, 'trial')} of {format_count(len(reports), 'scenario')}"
    if broken:
        prose(out, f"{taken}; not as promised: {', '.join(broken)}", style="bold red")
    else:
        prose(out, f"{taken}, all as promised", style="bold green")


def _fix_of(verdict: TrialVerdict) -> str:
    """The name of the fix that this is the trial of; "" for every other trial."""
    name = verdict.trial.name
    return name.removeprefix(FIXES) if name.startswith(FIXES) and ".defeated_by." not in name else ""


def _as_json(report: ScenarioReport) -> dict[str, Any]:
    symptom = [one.is_kept for one in report.verdicts if one.trial.name == SYMPTOM]
    return {
        "name": report.name,
        "symptom_seen": symptom[0] if symptom else None,
        "fixes": [
            {"name": fix, "cured": one.is_kept, "rate": one.as_promised / one.times, "differences": one.differences}
            for one in report.verdicts
            if (fix := _fix_of(one))
        ],
        "cases": [
            {"name": one.trial.name, "kept": one.is_kept, "differences": one.differences}
            for one in report.verdicts
            if one.trial.name != SYMPTOM and not _fix_of(one)
        ],
        "skipped": report.skipped,
    }


def _write_junit(reports: Sequence[ScenarioReport], path: Path) -> None:
    """Write a suite for each scenario and a case for each trial. LabError: it cannot be written."""
    root = xml.Element("testsuites", name="tlslab verify")
    for report in reports:
        failed = sum(not one.is_kept for one in report.verdicts)
        counts = {
            "tests": len(report.verdicts) + len(report.skipped),
            "failures": failed,
            "skipped": len(report.skipped),
        }
        suite = xml.SubElement(root, "testsuite", {"name": report.name, **{key: str(n) for key, n in counts.items()}})
        for one in report.verdicts:
            case = xml.SubElement(suite, "testcase", classname=report.name, name=one.trial.name)
            if not one.is_kept:
                xml.SubElement(case, "failure", message=one.differences[0]).text = "\n".join(one.differences)
        for name, why in report.skipped.items():
            xml.SubElement(xml.SubElement(suite, "testcase", classname=report.name, name=name), "skipped", message=why)
    with in_words(f"cannot write {path}", "name another file"):
        xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
