"""The pipes between lab and client in memory: what a real socket would do to an answer that comes early."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.client.identities import People
from tlslab.events import Event, SstpCertificatesDiffer
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.verify.memory import World

EARLY, LATE = WritingStyle.READS_WHILE_WRITING, WritingStyle.WRITES_EVERYTHING


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a lab."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.mark.parametrize(
    ("mib", "style", "outcome"), [(10, EARLY, "413"), (10, LATE, "413"), (70, EARLY, "413"), (70, LATE, "reset")]
)
def test_a_drain_lets_a_writer_get_to_its_answer(pki, shipped, mib, style, outcome):
    """What it writes is thrown away until it looks; past the drain's limit it is reset, as on a socket."""
    no_filter = {"sites./upload.max_allowed_content_length": None}
    plan = build(shipped("upload-read-ahead-413"), (), no_filter, pki)
    seen = World(plan, People(pki), style).walk([Step(request="POST /upload", body=mib * 2**20)])
    assert seen.last.kind == outcome


@pytest.mark.parametrize(("wait", "reads_on_after"), [(0.3, 2), (2.3, 30), (0, 60)])
def test_a_moment_that_rounds_is_reached(pki, shipped, wait, reads_on_after):
    """A deadline is a sum and so is what it is compared with: 0.3 + 2 - 0.3 is less than 2."""
    reading_on = {"sites./upload.client_cert_retrieval.read_on_after": reads_on_after}
    plan = build(shipped("large-post-deadlock"), (), reading_on, pki)
    seen = World(plan, People(pki), LATE).walk([Step(request="POST /upload", body=2**20, wait=wait)])
    assert seen.last.kind == "200"


def test_what_the_lab_says_comes_first(pki, shipped):
    """Its own events from its start stand before those of any connection, and readers get them, too."""
    read: list[Event] = []
    plan = build(shipped("post-request-renegotiation"), (), {"sstp_listener_port": 8443}, pki)
    seen = World(plan, People(pki), EARLY, read=read.append).walk([Step(request="GET /public", identity="none")])
    assert isinstance(seen.events[0], SstpCertificatesDiffer)
    assert [event.connection for event in seen.events[:2]] == [0, 1]
    assert tuple(read) == seen.events
