"""What the tests of the scenario room share: a small sound scenario, as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.load import LoadedScenario, parse_scenario

SOUND = """\
format_version: 1
title: T
story: S
sources: [here]
symptoms: [curl 56]
profile: windows-server-2012-r2
bindings:
  site:
    endpoint: "0.0.0.0:8443"
sites:
  - path: /upload
    ssl_flags: [Ssl]
  - path: /up.load
symptom:
  client: [{request: POST /upload, body: 1MiB}]
  expect: {outcome: reset}
fixes:
  a-fix:
    title: F
    says: it helps
    changes: [server-config]
    recommended: true
    deterministic: true
    costs: little
    set: {bindings.site.client_cert_negotiation: enable}
    expect: {outcome: 200}
teach: X
"""


@pytest.fixture
def sound() -> str:
    """A scenario with nothing wrong, 26 lines long."""
    return SOUND


@pytest.fixture
def loaded(sound: str) -> LoadedScenario:
    """The same, read."""
    return parse_scenario(sound.encode(), "small", "small.yaml")


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's own certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))
