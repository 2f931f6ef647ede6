"""What a command imports: of the packages that tlslab is installed with, those it needs, so that it starts at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlslab.scenario import catalogue

pytestmark = pytest.mark.program
PACKAGES = {"OpenSSL", "click", "cryptography", "h11", "platformdirs", "pydantic", "rich", "trio", "yaml"}
CONTROL = {"hypercorn", "starlette"}
PACKAGES |= CONTROL
SCENARIO = "large-post-deadlock"
FILE = str(catalogue.folder() / f"{SCENARIO}.yaml")
LAST_LINE = b"Ctrl-C ends it"  # of what `serve` prints once it listens


def imported(words: list[str], home: Path, folder: Path) -> set[str]:
    """The packages that a command has imported when it ends, or when it listens."""
    command = [sys.executable, "-X", "importtime", "-m", "tlslab", *words]
    environment = {**os.environ, "TLSLAB_HOME": str(home)}
    with (folder / "imports.txt").open("w+b") as report:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=report, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if LAST_LINE in line:
                    process.terminate()
        report.seek(0)
        lines = report.read().decode().splitlines()
    modules = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    assert "tlslab.cli" in modules, lines
    return {module.partition(".")[0] for module in modules} & PACKAGES


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["--help"], "click"),
        (["--version"], "click"),
        (["list"], "click rich yaml"),
        (["show", SCENARIO], "click pydantic rich yaml"),
        (["validate", FILE], "click pydantic rich yaml"),
        (["profiles"], "click pydantic rich yaml"),
        (["completion", "bash"], "click yaml"),
        (["completion", "bash", "--", "tlslab", "serve", SCENARIO, "--fix", ""], "click yaml"),
        (["completion", "bash", "--", "tlslab", "serve", SCENARIO, "--set", ""], "click pydantic yaml"),
        (["list", "--symptom", "ECONNRESET"], "click rich yaml"),
        (["schema"], "click pydantic"),
        (["pki", "show"], "click cryptography platformdirs rich"),
        (["probe", "--help"], "click pydantic"),
        (["serve", "--scenario", SCENARIO, "--port", "0"], " ".join(PACKAGES - CONTROL)),
        (["serve", "--scenario", SCENARIO, "--port", "0", "--control", "0"], " ".join(PACKAGES)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(words, needed, home, tmp_path):
    """Models, certificates, TLS, HTTP and sockets are imported by those who have to do with them."""
    assert imported(words, home, tmp_path) == set(needed.split())
