"""What the lab says at its end of the files that it wrote."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from tlslab.events import CertificateRequested
from tlslab.lab.evidence import Evidence
from tlslab.lab.options import Options
from tlslab.net.bus import Bus
from tlslab.pki.store import open_pki
from tlslab.scenario.build import build
from tlslab.types import HandshakeKind


@pytest.fixture
def plan(shipped, tmp_path):
    """A lab's plan."""
    return build(shipped("post-request-renegotiation"), [], {}, open_pki(tmp_path / "home", datetime.now(UTC)))


@pytest.mark.parametrize(("during", "count"), [("RENEGOTIATION", 1), ("FIRST", 1), ("POST_HANDSHAKE", 2)])
def test_what_wireshark_does_not_decrypt(plan, tmp_path, during, count):
    """The capture opens decrypted; where a certificate was asked for in TLS 1.3's way, Wireshark's fault is said."""
    bus = Bus()
    with ExitStack() as stack:
        evidence = Evidence(Options("it", pcapng=str(tmp_path / "c.pcapng")), plan, bus, stack)
        bus.publish([CertificateRequested(0.0, 1, "site", HandshakeKind[during], (), 0)])
        notes = evidence.notes()
    assert notes[0].startswith("The capture opens in Wireshark, decrypted")
    assert [note for note in notes if "does not decrypt what a TLS 1.3 client sends" in note] == notes[1:]
    assert len(notes) == count
