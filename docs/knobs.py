"""Writes the table of knobs in docs/scenario-files.md anew, from what each says of itself: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tlslab.cli.profiles import escaped
from tlslab.knobs import WindowsSetting
from tlslab.scenario.knobs import knobs_of
from tlslab.scenario.setup import setup_of

PAGE = Path(__file__).parent / "scenario-files.md"
BLOCK = re.compile(r"(<!-- knobs: make docs -->\n).*?(<!-- end -->)", re.DOTALL)
EVERYTHING = {
    "bindings": {"any": {"endpoint": "0.0.0.0:443"}},
    "sites": [{"path": "/any"}],
    "stores": {"any": {}},
}


def table() -> str:
    """Make the table: a row for each knob, in the order of a scenario file."""
    head = ("| knob | of | in Windows | set there with | a change takes effect there |", "|---|---|---|---|---|")
    return "\n".join((*head, *_rows(), ""))


def _rows() -> Iterator[str]:
    for knob in knobs_of(setup_of(EVERYTHING)):
        above, name = knob.path.partition(".")[0], knob.path.rpartition(".")[2]
        place = above if above != name else "the machine"
        cells = (f"`{name}`", place, escaped(knob.windows_name), knob.setting.tool, _effect(knob.setting))
        yield f"| {' | '.join(cells)} |"


def _effect(setting: WindowsSetting) -> str:
    source = f" ({setting.effect_source})" if setting.effect_source else ""
    return f"{setting.takes_effect}{source}{'' if setting.is_effect_verified else ' *?*'}"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + table() + found[2], text), encoding="utf-8")
