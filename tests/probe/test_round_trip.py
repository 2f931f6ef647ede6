"""A probe of a lab, the scenario that it writes, and a probe of that: the same answers, and no wrong certain claim."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.probe.call import HowEnded
from tlslab.probe.findings import Sureness, findings
from tlslab.probe.imitation import PROTOCOL_NAMES, scenario_text
from tlslab.probe.possible import possible
from tlslab.probe.seen import Fate, status_text
from tlslab.scenario.load import parse_scenario

FEW_EXAMPLES = 12  # of some hundred connections each
SUITES = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"]
ROOTS = {"roots": [{"authority": "client"}, {"name": "Root {n}", "organization": "A" * 31, "count": 270}]}
RETRIEVALS = (
    {"kind": "early_async_drain"},
    {"kind": "synchronous", "buffer": 40960, "http_sys_buffer": 40960},
    {"kind": "read_ahead_413", "size": 49152},
    {"kind": "read_ahead_413", "size": 100_000},
)
KNOBS = st.fixed_dictionaries(
    {
        "bindings.site.client_cert_negotiation": st.sampled_from(["enable", "disable"]),
        "bindings.site.protocols": st.sampled_from([["TLS1.2"], ["TLS1.0", "TLS1.1", "TLS1.2"], ["TLS1.2", "TLS1.3"]]),
        "sites./upload.ssl_flags": st.sampled_from(
            [["Ssl"], ["Ssl", "SslNegotiateCert"], ["Ssl", "SslNegotiateCert", "SslRequireCert"]]
        ),
        "sites./upload.client_cert_retrieval": st.sampled_from(RETRIEVALS),
        "schannel.send_trusted_issuer_list": st.booleans(),
        "schannel.maximum_cache_size": st.sampled_from([0, 1000]),
        "schannel.cipher_suites": st.sampled_from([SUITES, SUITES[::-1], []]),
        "enable_ssl_close_notify": st.booleans(),
        "max_request_bytes": st.sampled_from([12_000, 16_384]),
        "timers.idle_connection": st.sampled_from([30.0, 90.0]),
        "timers.header_wait": st.sampled_from([20.0, 120.0]),
        "stores.Root": st.sampled_from([ROOTS, {"roots": [{"authority": "client"}]}]),
    }
)


def facts(seen):
    """What must be the same of a server and of its imitation."""
    found = seen.boundary()
    return {
        "protocols": seen.accepted,
        "asks": (seen.asks_in_handshake, seen.renegotiates_for_it, seen.asks_post_handshake),
        "list": (len(seen.list_names or ()), seen.list_bytes, seen.list_looks_cut, seen.lists_mine),
        "bare": [status_text(one) for one in seen.bare.values()],
        "mine": [status_text(one) for one in seen.mine.values()],
        "resumes": (seen.resumed_by_id, seen.resumed_by_ticket, seen.resumed_in_1_3),
        "suites": (seen.server_prefers, seen.suites),
        "ending": seen.ending.end,
        "head": (seen.head_taken, seen.head_refused),
        "uploads": None if found is None else (found[0].size, found[1].size, found[1].fate),
        "timers": [round(one.seconds) for one in (seen.idle, seen.header_wait) if one is not None],
    }


def test_what_is_said_of_a_lab(server):
    """403.7 without a certificate, 200 with it, after a renegotiation; what was not looked at, and what was guessed."""
    seen = server().look(quick=True)
    assert (seen.asks_in_handshake, seen.renegotiates_for_it) == (False, True)
    assert [status_text(one) for one in (*seen.bare.values(), *seen.mine.values())] == ["403.7", "200"]
    _check_marks(scenario_text(seen))
    can = {one.scenario: (one.can, one.certainty) for one in possible(seen)}
    assert can["post-request-renegotiation"] == (True, Sureness.SEEN)
    assert can["large-post-deadlock"] == (True, Sureness.INFERRED)
    assert not can["tls13-certificate-on-demand"][0]
    not_looked = [one.subject for one in findings(seen, upload=False, long=False) if one.certainty == "not looked at"]
    assert not_looked == ["uploads", "timers"]


@pytest.mark.soak
@settings(max_examples=FEW_EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(knobs=KNOBS)
def test_every_knob_is_found_again(server, knobs):
    """What the probe claims to find of a random server is what was set; its imitation answers the same."""
    seen = server(knobs).look(upload=True, long=True)
    wants = len(knobs["sites./upload.ssl_flags"]) > 1
    early = knobs["bindings.site.client_cert_negotiation"] == "enable"
    assert [PROTOCOL_NAMES[one] for one in seen.accepted] == knobs["bindings.site.protocols"]
    assert seen.asks_in_handshake is early
    assert seen.renegotiates_for_it is (wants and not early)
    assert seen.resumed_by_id is bool(knobs["schannel.maximum_cache_size"])
    assert (seen.ending.end is HowEnded.CLOSE_NOTIFY) is knobs["enable_ssl_close_notify"]
    assert seen.head_taken <= knobs["max_request_bytes"] < seen.head_refused
    assert round(seen.idle.seconds) == knobs["timers.idle_connection"]
    assert round(seen.header_wait.seconds) == knobs["timers.header_wait"]
    assert seen.server_prefers is bool(knobs["schannel.cipher_suites"])
    if seen.asks_in_handshake or seen.renegotiates_for_it:
        listed = knobs["schannel.send_trusted_issuer_list"]
        assert bool(seen.list_names) is listed
        assert seen.list_looks_cut is (listed and knobs["stores.Root"] is ROOTS)
        assert seen.lists_mine is (True if listed else None)
    _check_uploads(seen, knobs["sites./upload.client_cert_retrieval"], asked=wants and not early)
    text = scenario_text(seen)
    parse_scenario(text.encode(), "written", "written.yaml")
    assert facts(server(text=text).look(upload=True, long=True)) == facts(seen)


def _check_uploads(seen, retrieval, *, asked):
    """The boundary is that of the retrieval, where somebody is asked after the request; else there is none."""
    found = seen.boundary()
    limit = retrieval.get("size", retrieval.get("buffer"))
    if not asked or limit is None:
        assert found is None
        return
    assert found[0].size <= limit < found[1].size
    assert found[1].fate is (Fate.TOO_LARGE if "size" in retrieval else Fate.STUCK)


def _check_marks(text):
    """Each value that no answer gave is marked, and the file is YAML whose values are those of the knobs."""
    guessed = {line.split(":")[0].strip() for line in text.splitlines() if "# guessed" in line}
    assert {"profile", "client_cert_retrieval", "ssl_renegotiation", "idle_connection", "header_wait"} <= guessed
    assert "client_cert_negotiation" not in guessed
    assert yaml.safe_load(text)["sites"][0]["ssl_flags"] == ["Ssl", "SslNegotiateCert", "SslRequireCert"]
    parse_scenario(text.encode(), "written", "written.yaml")
