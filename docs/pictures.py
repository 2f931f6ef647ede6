"""Makes docs/pictures anew: the panel with rich, pages with Chromium. Not part of `make docs`: Chromium is large.

The panel is that of `tlslab serve large-post-deadlock --speed 24`, in a terminal of 100 columns.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI, TerminalTheme

from tlslab.cli import panel
from tlslab.cli.console import LabConsole
from tlslab.lab.options import Options
from tlslab.lab.running import Running
from tlslab.pki.store import open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import load

PICTURES = Path(__file__).parent / "pictures"
SCENARIO = "large-post-deadlock"
HOME = Path(tempfile.gettempdir()) / "tlslab"  # as the picture shows it
WIDTH = 100
THEMES: dict[str, TerminalTheme] = {"light": DEFAULT_TERMINAL_THEME, "dark": DIMMED_MONOKAI}
# Without rich's font, which would come from the network.
FORMAT = re.sub(r" *@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")
# Path, height in pixels, and the colours: 1 for light, 0 for dark.
PAGES = {"start-page.png": ("/", 1220, 1), "error-page.png": ("/upload", 760, 0)}


def recorded(home: Path) -> LabConsole:
    """A console that has printed the panel."""
    loaded, pki, options = load(SCENARIO), open_pki(home, datetime.now(UTC)), Options(SCENARIO, speed=24.0)
    plan = build(loaded, (), {}, pki)
    out = LabConsole(patient=False, file=io.StringIO(), record=True, width=WIDTH, soft_wrap=False, color_system=None)
    panel.compose(Running.of(loaded, plan, pki, plan.listeners, options, home))(out)
    return out


def _panel() -> None:
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    HOME.mkdir()
    try:
        for name, theme in THEMES.items():
            svg = recorded(HOME).export_svg(title="", theme=theme, code_format=FORMAT, unique_id=name)
            (PICTURES / f"panel-{name}.svg").write_text(svg, encoding="utf-8")
    finally:
        shutil.rmtree(HOME)


def _pages() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        words = [sys.executable, "-m", "tlslab", "serve", SCENARIO, "--port", "0", "--ready-file", str(ready)]
        lab = subprocess.Popen(words, env={**os.environ, "TLSLAB_HOME": folder}, stdout=subprocess.DEVNULL)
        try:
            while not ready.exists():
                time.sleep(0.1)
            url = json.loads(ready.read_text())["bindings"][0]["url"].rstrip("/")
            for name, (path, height, scheme) in PAGES.items():
                _photograph(f"{url}{path}", PICTURES / name, height, scheme, folder)
        finally:
            lab.terminate()
            lab.wait()


def _photograph(url: str, to: Path, height: int, scheme: int, folder: str) -> None:
    """What a telephone shows, 390 pixels wide."""
    flags = "--headless=old --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --ignore-certificate-errors"
    words = ["chromium", *flags.split(), "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile"]
    words += [
        f"--window-size=390,{height}",
        f"--blink-settings=preferredColorScheme={scheme}",
        f"--screenshot={to}",
        url,
    ]
    subprocess.run(words, env={**os.environ, "HOME": folder}, stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    _panel()
    _pages()
