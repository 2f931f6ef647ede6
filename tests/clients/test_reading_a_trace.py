"""docs/reading-a-trace.md: its frames are those that the lab's captures have today."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlslab.pki.store import Pki, open_pki
from tlslab.scenario import catalogue

ROOT = Path(__file__).parents[2]
FRAMES: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "frames.py"), run_name="frames")
PAGE = (ROOT / "docs" / "reading-a-trace.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- frames: (\S+) (\S+) -->\n\n(.*?)\n\n<!-- end -->", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates other than those that the page was made with."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


def test_every_block_is_filled() -> None:
    """No block of the page is left out below, and every scenario of the catalogue that fails on the wire has one."""
    assert len(BLOCKS) == PAGE.count("<!-- frames: ")
    shown = {scenario for scenario, _, _ in BLOCKS}
    assert shown <= set(catalogue.names())


@pytest.mark.parametrize(("scenario", "trial", "shown"), BLOCKS, ids=[f"{one}-{two}" for one, two, _ in BLOCKS])
def test_the_frames_are_current(
    require_client: Callable[[str], str], pki: Pki, scenario: str, trial: str, shown: str
) -> None:
    """`make docs` would change nothing. Lengths of signatures vary, so numbers that depend on them are not compared."""
    require_client("tshark")
    assert rid_of_numbers(FRAMES["block"](scenario, trial, pki).strip()) == rid_of_numbers(shown.strip())


def rid_of_numbers(text: str) -> str:
    """Frame numbers and byte counts may differ by the odd segment or byte; seconds, names and order may not."""
    text = re.sub(r"^ *\d+  ", "# ", text, flags=re.MULTILINE)
    return re.sub(r"(frames? )\d+|\d+( frames?)|\d[\d,]*( bytes)", r"\1#\2\3", text)
