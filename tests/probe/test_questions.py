"""What a probe finds out about a lab: each knob that it claims to find, with its contrast."""

from __future__ import annotations

import pytest

from tlslab.probe.call import HowEnded
from tlslab.probe.imitation import PROTOCOL_NAMES
from tlslab.probe.seen import Fate, status_text
from tlslab.tls.context import Protocol

pytestmark = pytest.mark.soak  # a hundred handshakes each
RETRIEVAL = "sites./upload.client_cert_retrieval"


def test_a_path_that_wants_nothing(server):
    """Nobody is asked where the path ignores certificates."""
    seen = server({"sites./upload.ssl_flags": ["Ssl"]}).look(quick=True)
    assert not seen.asks_in_handshake
    assert not seen.renegotiates_for_it
    assert seen.list_names is None


@pytest.mark.parametrize("spoken", [("TLS1.2",), ("TLS1.3",), ("TLS1.2", "TLS1.3"), ("TLS1.0", "TLS1.1")])
def test_protocols(server, spoken):
    """Those that it speaks, and no other."""
    seen = server({"bindings.site.protocols": list(spoken)}).look(quick=True)
    assert [PROTOCOL_NAMES[one] for one in seen.accepted] == list(spoken)


def test_tls_1_3_asks_post_handshake(server):
    """TLS 1.3 asks after the request those clients that offer to be asked."""
    seen = server({"bindings.site.protocols": ["TLS1.3"]}).look(quick=True)
    assert seen.asks_post_handshake
    assert not seen.renegotiates_for_it
    assert status_text(seen.mine[Protocol.TLS1_3]) == "200"
    assert status_text(seen.without_post_handshake) != "200"
    assert seen.resumed_in_1_3


def test_the_issuer_list(server):
    """How many names and bytes, and whether an issuer of mine is among them; off, the list is empty."""
    on = {"schannel.send_trusted_issuer_list": True}
    cut = {**on, "stores.Root": {"roots": [{"name": "Root {n}", "organization": "A" * 40, "count": 300}]}}
    seen = server(on).look(quick=True)
    assert (len(seen.list_names), seen.lists_mine, seen.list_looks_cut) == (1, True, False)
    seen = server(cut).look(quick=True)
    assert (len(seen.list_names) < 300, seen.lists_mine, seen.list_looks_cut) == (True, False, True)
    assert server().look(quick=True).list_names == ()


@pytest.mark.parametrize(("entries", "resumed"), [(0, False), (1000, True)])
def test_resumption(server, entries, resumed):
    """By id where there is a cache; the lab has no tickets below TLS 1.3."""
    seen = server({"schannel.maximum_cache_size": entries}).look(quick=True)
    assert (seen.resumed_by_id, seen.resumed_by_ticket) == (resumed, False)


def test_suites(server):
    """All of them, in the server's order where it has one."""
    suites = ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
    seen = server({"schannel.cipher_suites": suites}).look(quick=True)
    assert seen.suites == ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
    assert (seen.suites_complete, seen.server_prefers) == (True, True)


@pytest.mark.parametrize("says", [True, False])
def test_how_a_connection_ends(server, says):
    """With close_notify or without."""
    seen = server({"enable_ssl_close_notify": says}).look(quick=True)
    assert seen.ending.end is (HowEnded.CLOSE_NOTIFY if says else HowEnded.FIN)


def test_the_head_limit(server):
    """To a KiB."""
    seen = server({"max_request_bytes": 12_000, "max_field_length": 12_000}).look()
    assert seen.head_taken < 12_000 < seen.head_refused == seen.head_taken + 1024
    assert status_text(seen.head_answer) == "400"
    assert status_text(seen.malformed) == "400"


def test_read_ahead(server):
    """IIS' boundary is found to the byte."""
    seen = server({RETRIEVAL: {"kind": "read_ahead_413", "size": 49152}}).look(quick=True, upload=True)
    largest, smallest = seen.boundary()
    assert (largest.size, smallest.size, smallest.fate) == (49_152, 49_153, Fate.TOO_LARGE)


def test_a_freeze(server):
    """An upload that freezes is stuck, where one that is read meanwhile is not; --long waits for the timer."""
    frozen = server({RETRIEVAL: {"kind": "synchronous", "buffer": 40960}})
    largest, smallest = frozen.look(quick=True, upload=True).boundary()
    assert (largest.size, smallest.fate, smallest.answer.end) == (40_960, Fate.STUCK, HowEnded.PATIENCE)
    ended = frozen.look(upload=True, long=True)
    assert ended.uploads[1].answer.end is HowEnded.RESET
    assert 119 < ended.uploads[1].answer.seconds < 122
    assert server().look(quick=True, upload=True).boundary() is None


def test_timers(server):
    """Each for itself."""
    seen = server({"timers.idle_connection": 30.0, "timers.header_wait": 50.0}).look(long=True)
    assert (round(seen.idle.seconds), round(seen.header_wait.seconds)) == (30, 50)
    assert seen.resumed_late
