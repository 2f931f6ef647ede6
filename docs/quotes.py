"""Puts the programs and the tables that pages quote into the pages, as they are: `make docs`.

A block of a page between `<!-- quoted from FILE by make docs -->` and `<!-- end -->` is that file of docs/, or a table
of one key of a YAML file, written FILE#KEY.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

DOCS = Path(__file__).parent
QUOTING = ("any-language.md", "github-action.md")
BLOCK = re.compile(r"(<!-- quoted from (\S+?)(?:#(\S+))? by make docs -->\n).*?(<!-- end -->)", re.DOTALL)
LANGUAGES = {".mjs": "js", ".go": "go", ".java": "java", ".sh": "sh"}


def page(name: str) -> str:
    """Make the page of this name as it belongs now."""
    return BLOCK.sub(_quote, (DOCS / name).read_text(encoding="utf-8"))


def _quote(block: re.Match[str]) -> str:
    before, name, key, after = block.groups()
    text = (DOCS / name).read_text(encoding="utf-8")
    shown = _table(key, yaml.safe_load(text)[key]) if key else f"```{LANGUAGES[Path(name).suffix]}\n{text}```\n"
    return f"{before}{shown}{after}"


def _table(key: str, entries: dict[str, dict[str, str]]) -> str:
    """Write the inputs or the outputs of an action; an output is a variable of the job, too."""
    rows = [f"| {key.removesuffix('s')} | {'unless given' if key == 'inputs' else 'variable'} | |", "|---|---|---|"]
    for name, one in entries.items():
        other = f"TLSLAB_{name.upper().replace('-', '_')}" if key == "outputs" else one.get("default")
        rows.append(f"| `{name}` | {f'`{other}`' if other else '-'} | {one['description']} |")
    return "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    for name in QUOTING:
        (DOCS / name).write_text(page(name), encoding="utf-8")
