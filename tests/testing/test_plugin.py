"""The plugin as its users have it: installed from the wheel, in a project of their own, far from this checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.program
ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(
    r"^```python test\n(.*?)^```$",
    (ROOT / "docs" / "testing-your-client.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
FAILS = """
import http.client, ssl, pytest
from urllib.parse import urlsplit

@pytest.mark.tlslab("large-post-deadlock", fix="negotiate-on-binding")
def test_that_fails(tlslab):
    place = urlsplit(tlslab.target_url)
    client = http.client.HTTPSConnection(place.hostname, place.port, context=tlslab.ssl_context())
    client.request("GET", "/upload")
    client.getresponse().read()
    client.close()
    tlslab.expect(status="200", timeout=0)

@pytest.mark.tlslab("large-post-deadlock")
def test_that_passes(tlslab):
    assert tlslab.url().startswith("https://")

def test_without_a_mark(tlslab):
    pass
"""


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in a folder with a file of this content."""

    def run(content: str, *words: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_client.py").write_text(content, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(installed), "TLSLAB_HOME": str(installed / "home")}
        environment.pop("TLSLAB_SSLKEYLOGFILE", None)
        command = [sys.executable, *words, "test_client.py"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


@pytest.mark.client
def test_the_seven_tests_of_the_page(project, require_client):
    """As short as the page says, they pass, side by side, too."""
    require_client("curl")
    assert len(EXAMPLES[0].splitlines()) < 65
    done = project(EXAMPLES[0], "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider")
    assert "7 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda text: text.splitlines()[0])
def test_the_other_examples(project, example):
    """Each runs as it stands."""
    done = project(example)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_test_that_fails(project, tmp_path):
    """The ladder is in the report, its evidence is kept, and that of others is not."""
    done = project(FAILS, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tlslab-artifacts", "kept")
    assert "1 failed, 1 passed, 1 error" in done.stdout, done.stdout
    assert "tlslab: large-post-deadlock" in done.stdout
    assert "#1 GET /upload: 403.7, certificate none" in done.stdout
    assert '@pytest.mark.tlslab("large-post-deadlock"' in done.stdout
    [folder] = (tmp_path / "kept").iterdir()
    assert sorted(file.name for file in (folder / "1").iterdir()) == ["capture.pcapng", "events.jsonl", "ladder.txt"]
    assert "403.7" in (folder / "1" / "ladder.txt").read_text(encoding="utf-8")


def test_it_costs_nothing_where_it_is_not_used(project, monkeypatch):
    """No module of the lab but the plugin, and none of OpenSSL, for a suite without a lab."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the plugins of this checkout's own tests
    content = """
import sys

def test_that_needs_no_lab():
    heavy = ("tlslab", "OpenSSL", "cryptography", "trio", "pydantic")
    loaded = {name for name in sys.modules if name.startswith(heavy)}
    assert loaded == {"tlslab", "tlslab.testing", "tlslab.testing.plugin"}
"""
    done = project(content, "-m", "pytest", "-q", "-p", "tlslab.testing.plugin", "-p", "no:cacheprovider")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
