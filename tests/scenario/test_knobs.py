"""Knobs for people: their Windows names and their values in words."""

from __future__ import annotations

import pytest

from tlslab.httpsys.timers import Timers
from tlslab.scenario import catalogue
from tlslab.scenario.knobs import WINDOWS_NAMES, knobs_of, value_text
from tlslab.scenario.schema import BindingModel, Setup, SiteModel
from tlslab.scenario.stores import Store
from tlslab.schannel.settings import Schannel

GROUPS = {"bindings", "sites", "stores", "timers", "schannel"}  # what has knobs inside


def test_every_knob_has_a_name():
    """Whatever can be set has a name that people know from Windows, or is said to be the lab's own."""
    models = (BindingModel, SiteModel, Store, Timers, Schannel, Setup)
    knobs = {name for model in models for name in model.model_fields} - GROUPS - {"path"}
    assert knobs == set(WINDOWS_NAMES)
    assert all(WINDOWS_NAMES.values())


def test_knobs_of_a_lab():
    """All of them, each by the path that --set takes, in the order of a scenario file."""
    paths = [knob.path for knob in knobs_of(catalogue.load("post-request-renegotiation").scenario)]
    assert paths[0] == "bindings.site.endpoint"
    assert "sites./accept.ssl_flags" in paths
    assert paths[-2:] == ["sstp_listener_port", "on_unavailable"]
    assert paths.index("timers.header_wait") < paths.index("schannel.maximum_cache_size")
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (True, "enable_kernel_ssl", "true"),
        (False, "", "false"),
        (None, "ctl_store", "none"),
        ([], "ssl_flags", "none"),
        (["Ssl", "SslMapCert"], "ssl_flags", "Ssl, SslMapCert"),
        (20_000, "maximum_cache_size", "20,000 entries"),
        (3, "event_logging", "3"),
        (8443, "sstp_listener_port", "8443"),
        (16_384, "trusted_issuer_list_limit", "16 KiB"),
        (36_000.0, "server_cache_time", "10 h"),
        (0.0, "application_delay", "0 s"),
        ({"kind": "synchronous", "buffer": 40_960, "read_on_after": None}, "", "kind synchronous, buffer 40 KiB"),
        ("disable", "client_cert_negotiation", "disable"),
        ([{"name": "A {n}", "count": 9}, {"authority": "client"}], "roots", "name A {n}, count 9; authority client"),
    ],
)
def test_value_text(value, name, text):
    """Sizes, times, counts and switches, each as one would say it."""
    assert value_text(value, name) == text
