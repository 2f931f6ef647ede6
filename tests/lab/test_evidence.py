"""What the lab says at its end of the files that it wrote."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
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


@pytest.mark.parametrize(("port", "said"), [(0, False), (8443, False), (8080, True)])
def test_a_port_that_is_another_protocols(plan, tmp_path, port, said):
    """Wireshark goes by a port that it knows before it looks at the bytes: where that may be, the way out is said."""
    listeners = tuple(replace(one, port=port) for one in plan.listeners)
    with ExitStack() as stack:
        options = Options("it", pcapng=str(tmp_path / "c.pcapng"))
        notes = Evidence(options, replace(plan, listeners=listeners), Bus(), stack).notes()
    assert [f"tshark -d tcp.port=={port},tls" in note for note in notes[1:]] == [True] * said


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
