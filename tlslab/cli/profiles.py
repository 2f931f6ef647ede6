"""`tlslab profiles`: what each version of Windows does unless it is told otherwise, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tlslab.cli.console import STYLES, console, prose
from tlslab.errors import UsageProblem
from tlslab.scenario.knobs import KnobAt, knobs_of
from tlslab.scenario.names import suggestion
from tlslab.scenario.setup import setup_of
from tlslab.schannel.profiles import PROFILES, Default, Profile
from tlslab.text import json_text

COMMON = "windows-server-"  # how all of their names begin
CHANGED, UNVERIFIED = "*", "?"
LEGEND = (
    f"{CHANGED} differs from the version before it. {UNVERIFIED} unverified: no document was found that says so. "
    "A scenario names a profile and overrides what it must."
)
TABLE_WIDTH = 160  # of a terminal in which each of six columns has room for its longest word and its marks
PAGE = """\
# Windows profiles

What each version of Windows does unless it is told otherwise. A [scenario](scenario-files.md) names one of these
profiles and overrides what it must: modern clients, for example, need TLS 1.2.

This page is made by `tlslab profiles --markdown`; `tlslab profiles` shows the same in a terminal, and a test holds that
the page is current. **Bold** differs from the version before it; *?* is unverified: no document was found that says so.
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """A knob in one profile: its value in words, where it comes from, and whether the version before had another."""

    knob: KnobAt
    profile: Profile
    default: Default
    changed: bool

    @property
    def path(self) -> str:
        """The knob's path in the profile, where `*` stands for every binding or site."""
        return self.knob.path

    @property
    def version(self) -> str:
        """The profile's name without what is common to all."""
        return self.profile.name.removeprefix(COMMON)

    @property
    def marks(self) -> str:
        """What the legend explains; empty for a documented value that is as it was."""
        return CHANGED * self.changed + UNVERIFIED * (not self.default.is_verified)

    @property
    def source(self) -> str:
        """Where the value comes from, and what there is to say about it, in sentences."""
        text = ". ".join(part.rstrip(".") for part in (self.default.source, self.default.note) if part)
        return f"{text[:1].upper()}{text[1:]}."


@click.command(name="profiles")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print an array, the profiles; sizes in bytes, times in seconds.")
@click.option("--markdown", is_flag=True, help="Print them as a page, with every source: docs/profiles.md.")
def command(name: str | None, as_json: bool, markdown: bool) -> None:
    """Compare the defaults of the Windows versions, or show one version's with their sources.

    A mark tells what differs from the version before, and which values no document confirms.
    """
    chosen = [_find(name)] if name else list(PROFILES.values())
    if as_json:
        click.echo(json_text([_as_json(profile) for profile in chosen], indent=1))
    elif markdown:
        click.echo(page(), nl=False)
    elif name:
        _print_one(chosen[0], console())
    else:
        _print_all(console())


def _find(name: str) -> Profile:
    if name not in PROFILES:
        raise UsageProblem(f"there is no profile {name!r}", suggestion(name, PROFILES))
    return PROFILES[name]


def knobs_of_profile(profile: Profile) -> dict[str, KnobAt]:
    """What a lab is set to that says nothing but the profile's name: a knob for each path of the profile."""
    bare = {"profile": profile.name, "bindings": {"any": {"endpoint": "0.0.0.0:443"}}, "sites": [{"path": "/any"}]}
    knobs = (
        replace(knob, path=re.sub(r"^(bindings\.|sites\./)any\.", lambda m: f"{m[1].rstrip('/')}*.", knob.path))
        for knob in knobs_of(setup_of(bare))
    )
    return {knob.path: knob for knob in knobs if knob.path in profile.defaults}


def rows() -> dict[str, list[Cell]]:
    """Every knob's cells, one for each profile in the order in which the versions came out, by the knob's path."""
    table: dict[str, list[Cell]] = {}
    for profile in PROFILES.values():
        for path, knob in knobs_of_profile(profile).items():
            row = table.setdefault(path, [])
            row.append(Cell(knob, profile, profile.defaults[path], bool(row) and row[-1].knob.value != knob.value))
    return table


def _runs(row: Sequence[Cell], *, with_source: bool) -> Iterator[tuple[str, Cell]]:
    """Join neighbours that are alike: (`2003 to 2008-r2`, the first of them)."""

    def likeness(cell: Cell) -> tuple[Any, ...]:
        known = cell.source if with_source else cell.default.is_verified
        return cell.knob.text, known

    for _, alike in groupby(row, likeness):
        cells = list(alike)
        last = f" to {cells[-1].version}" if len(cells) > 1 else ""
        yield ("all" if len(cells) == len(row) else f"{cells[0].version}{last}"), cells[0]


# --- for programs --------------------------------------------------------------------------------------------


def _as_json(profile: Profile) -> dict[str, Any]:
    knobs = knobs_of_profile(profile)
    defaults = {
        path: {
            "value": knobs[path].value,
            "source": default.source,
            "verified": default.is_verified,
            "note": default.note,
        }
        for path, default in profile.defaults.items()
    }
    return {"name": profile.name, "title": profile.title, "defaults": defaults}


# --- for people ----------------------------------------------------------------------------------------------


def _print_all(out: Console) -> None:
    for profile in PROFILES.values():
        prose(out, f"{profile.name}: {profile.title}")
    out.print()
    prose(out, LEGEND)
    out.print()
    if out.width >= TABLE_WIDTH:
        _print_table(out)
    else:
        _print_blocks(out)
    prose(out, "The sources of one: tlslab profiles NAME. All of them: docs/profiles.md", style="dim")


def _print_table(out: Console) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, expand=True)
    table.add_column(COMMON + "...", no_wrap=True)
    for profile in PROFILES.values():
        table.add_column(profile.name.removeprefix(COMMON), ratio=1)
    section = ""
    for path, row in rows().items():
        above, _, name = path.rpartition(".")
        if above != section:
            table.add_section()
            section = above
            if above:
                table.add_row(Text(above, style="dim"))
        table.add_row(f"  {name}" if above else name, *(_marked(cell) for cell in row))
    out.print(table, soft_wrap=False)


def _print_blocks(out: Console) -> None:
    width = max(len(versions) for row in rows().values() for versions, _ in _runs(row, with_source=False))
    for path, row in rows().items():
        out.print(Text(path, style="bold"))
        for versions, cell in _runs(row, with_source=False):
            first = f"  {versions:<{width}}  {cell.marks:<2} "
            prose(out, cell.knob.text, first=first, rest=" " * len(first), style=_style(cell))
    out.print()


def _print_one(profile: Profile, out: Console) -> None:
    prose(out, f"{profile.name}: {profile.title}", style="bold")
    out.print()
    prose(out, LEGEND)
    out.print()
    for cell in (cell for row in rows().values() for cell in row if cell.profile is profile):
        prose(out, f"{cell.path} = {cell.knob.text}", first=f"{cell.marks:<2} ", rest="     ", style=_style(cell))
        prose(out, f"[{cell.knob.windows_name}]", first="   ", style="dim")
        prose(out, cell.source, first="   ")


def _marked(cell: Cell) -> Text:
    return Text(f"{cell.marks} {cell.knob.text}".strip(), style=_style(cell))


def _style(cell: Cell) -> str:
    return f"bold {STYLES['good']}" if cell.changed else ""


# --- for docs/profiles.md ------------------------------------------------------------------------------------


def page() -> str:
    """Write docs/profiles.md: the table, and the source of every value."""
    return "\n".join([PAGE, *_page_names(), "", "## Side by side", "", *_page_table(), *_page_sources()]) + "\n"


def _page_names() -> Iterator[str]:
    for profile in PROFILES.values():
        yield f"- `{profile.name}`: {profile.title}"


def _page_table() -> Iterator[str]:
    yield "| | " + " | ".join(profile.name.removeprefix(COMMON) for profile in PROFILES.values()) + " |"
    yield "|---" * (len(PROFILES) + 1) + "|"
    for path, row in rows().items():
        yield f"| `{path}` | " + " | ".join(map(_page_cell, row)) + " |"


def _page_cell(cell: Cell) -> str:
    value = f"**{cell.knob.text}**" if cell.changed else cell.knob.text
    return value if cell.default.is_verified else f"{value} *?*"


def _page_sources() -> Iterator[str]:
    yield from ("", "## Where the values come from")
    for path, row in rows().items():
        yield from ("", f"### `{path}`", "", f"In Windows: {escaped(row[0].knob.windows_name)}.", "")
        for versions, cell in _runs(row, with_source=True):
            yield f"- {versions}: **{cell.knob.text}**. {cell.source}"


def escaped(text: str) -> str:
    """Write text so that Markdown shows it as it stands."""
    return text.replace("<", "&lt;").replace("\\", "\\\\")
