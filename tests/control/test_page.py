"""The page's example, run with the real curl."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "control-api.md"
pytestmark = [pytest.mark.client, pytest.mark.skipif(os.name == "nt", reason="the example is for bash")]


def test_the_example_with_curl(service, tmp_path, require_client):
    """It freezes and is reset, is mended while it runs, and the account of it says so."""
    require_client("curl")
    found = re.search(r"```sh control\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    environment = {**os.environ, "URL": service.url, "TOKEN": service.as_json()["token"], "NO_PROXY": "*"}
    run = subprocess.run(
        ["bash", "-eu"], input=found[1], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stderr) == (0, "")
    # Now the one, now the other: it depends on whether curl still writes.
    assert re.search("as documented: curl's exit code is 5[56]$", run.stdout, re.MULTILINE)
    assert '"from_connection":2' in run.stdout
    assert '"status": "200"' in run.stdout
    assert '"statuses":["200"]' in run.stdout
