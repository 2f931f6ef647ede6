"""Settings laid over one another."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.errors import LabError
from tlslab.scenario.overlay import apply, parse_set, paths, resolve, value_at, with_profile

PATHS = ["/upload", "/up", "/up.load", "/up.load.more", "/upload", "/"]


@pytest.fixture
def data():
    """A scenario's data with a profile under it, and paths that contain dots and one another."""
    sites = [{"path": path} for path in PATHS]
    bindings = {"site": {"endpoint": "0.0.0.0:8443"}, "kind": {"endpoint": "[::]:8443"}}
    return with_profile({"title": "T", "bindings": bindings, "sites": sites, "profile": "windows-server-2012-r2"})


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("on_unavailable", ("on_unavailable",)),
        ("timers.header_wait", ("timers", "header_wait")),
        ("bindings.site.protocols", ("bindings", "site", "protocols")),
        ("sites./upload", ("sites", 0)),
        ("sites./upload.ssl_flags", ("sites", 0, "ssl_flags")),
        ("sites./up.ssl_flags", ("sites", 1, "ssl_flags")),
        ("sites./up.load.ssl_flags", ("sites", 2, "ssl_flags")),
        ("sites./up.load.more.ssl_flags", ("sites", 3, "ssl_flags")),
        ("sites./.ssl_flags", ("sites", 5, "ssl_flags")),
        ("sites.1.ssl_flags", ("sites", 1, "ssl_flags")),
        ("sites./up.application_delay", ("sites", 1, "application_delay")),
        ("sites./up.client_cert_retrieval.max", ("sites", 1, "client_cert_retrieval", "max")),
    ],
)
def test_resolve(data, path, keys):
    """A site is called by its path, the longest that fits, or by its index; a key need not be there yet."""
    assert resolve(data, path) == keys


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        (
            "",
            "there is no '' that can be set",
            "known: bindings, sites, timers, drain_entity_body_limit, schannel, capi2_operational_log, "
            "enable_kernel_ssl, sstp_listener_port, binding_precedence, on_unavailable, "
            "cert_chain_url_retrieval, aia_answers, crl_age, crl_published_every, max_field_length, "
            "max_request_bytes, host_names, unknown_host_name, enable_ssl_close_notify, error_log_form, "
            "error_page_form, stores",
        ),
        ("title", "there is no 'title' that can be set", "did you mean|known"),
        ("timer.header_wait", "there is no 'timer' that can be set", "did you mean timers?"),
        (
            "ssl_renegotiation",
            "there is no 'ssl_renegotiation' that can be set",
            "did you mean timers.ssl_renegotiation?",
        ),
        ("MaximumCacheSize", "there is no 'MaximumCacheSize' that", "did you mean schannel.maximum_cache_size?"),
        ("timers.header_wai", "there is no 'header_wai' in timers", "did you mean header_wait"),
        ("bindings.sit.protocols", "there is no 'sit' in bindings", "did you mean site?"),
        ("bindings.site.protocol", "there is no 'protocol' in bindings.site", "did you mean protocols?"),
        ("bindings.site.protocols.0", "there is no '0' in bindings.site.protocols", "there are none"),
        ("sites./uplaod.ssl_flags", "there is no such site", "did you mean /upload"),
        ("sites.9.ssl_flags", "there is no 9 in sites", "known"),
        ("sites./up.load.mor.ssl_flags", "there is no 'mor' in sites./up.load", "known"),
        ("sites./up.client_cert_retrieval.bufer", "there is no 'bufer' in", "did you mean buffer?"),
        ("timers.header_wait.x", "there is no 'x' in timers.header_wait", "there are none"),
    ],
)
def test_unknown_paths(data, path, message, hint):
    """An unknown path says where it goes wrong and what is there."""
    with pytest.raises(LabError) as caught:
        resolve(data, path)
    assert message in str(caught.value)
    assert any(part in caught.value.hint for part in hint.split("|"))


def test_apply_replaces_wholly_and_leaves_the_rest(data):
    """The original keeps its values, and what was not set keeps its own."""
    changed = apply(data, {"sites./up.ssl_flags": ["Ssl"], "timers.header_wait": "1s"})
    assert (value_at(changed, ("sites", 1, "ssl_flags")), value_at(data, ("sites", 1, "ssl_flags"))) == (["Ssl"], [])
    assert changed["timers"] == {**data["timers"], "header_wait": "1s"}
    assert changed["sites"][0] == data["sites"][0]


@pytest.mark.parametrize(
    ("overrides", "retrieval"),
    [
        ({".kind": "after_body"}, {"kind": "after_body"}),
        ({".size": "1MiB"}, {"kind": "read_ahead_413", "size": "1MiB"}),
        ({".max": "1MiB", ".kind": "after_body"}, {"kind": "after_body", "max": "1MiB"}),
        ({"": {"kind": "after_body"}}, {"kind": "after_body"}),
        ({".max": "1MiB", ".kind": "async_drain", "": {"kind": "x", "y": 1}}, {"kind": "async_drain", "max": "1MiB"}),
    ],
)
def test_a_kind_drops_its_siblings(data, overrides, retrieval):
    """What belongs to another kind goes, what is set with the new one stays, in whatever order they are given."""
    paths = {f"sites./up.client_cert_retrieval{path}": value for path, value in overrides.items()}
    assert apply(data, paths)["sites"][1]["client_cert_retrieval"] == retrieval


def test_a_binding_may_be_called_kind(data):
    """Only the kind of a knob has siblings to drop."""
    changed = apply(data, {"bindings.kind": {"endpoint": "[::]:1"}})
    assert list(changed["bindings"]) == ["site", "kind"]


def test_the_profile_lies_under_what_is_set(data):
    """A site that is replaced gets the defaults of its profile again."""
    changed = apply(data, {"sites./up": {"path": "/new"}})
    assert value_at(changed, ("sites", 1, "client_cert_retrieval", "kind")) == "read_ahead_413"


def test_the_profile_overwrites_nothing():
    """What the scenario says, it says; what has no shape is left alone."""
    data = with_profile({"timers": {"header_wait": "7s"}, "sites": 3, "bindings": ["a", {"protocols": []}]})
    assert data["timers"]["header_wait"] == "7s"
    assert (data["sites"], data["bindings"][0], data["bindings"][1]["protocols"]) == (3, "a", [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("timers.header_wait=30s", ("timers.header_wait", "30s")),
        ("bindings.site.protocols=[TLS1.2]", ("bindings.site.protocols", ["TLS1.2"])),
        (" a = {b: 1} ", ("a", {"b": 1})),
        ("sites./a.x=b=c", ("sites./a.x", "b=c")),
        ("a=off", ("a", "off")),
        ("a=''", ("a", "")),
        ("a=~", ("a", None)),
    ],
)
def test_parse_set(text, wanted):
    """PATH=YAML, with the same YAML as in a scenario."""
    assert parse_set(text) == wanted


@pytest.mark.parametrize("text", ["", "a", "=1", "a=", "a= ", "a=[", "a=*b", "a={b: 1, b: 2}"])
def test_a_bad_set(text):
    """What is no PATH=YAML is one clear line with an example."""
    with pytest.raises(LabError) as caught:
        parse_set(text)
    assert caught.value.hint


@given(st.text(max_size=40))
def test_any_path(text):
    """Any path is a place or unknown."""
    data = with_profile({"bindings": {"site": {}}, "sites": [{"path": "/up.load"}]})
    for path in (text, "sites." + text, "bindings.site." + text):
        with suppress(LabError):
            assert resolve(data, path)


def test_paths(data):
    """Every knob there is, by the path that sets it, whether the file names it or its profile; no container."""
    found = list(paths(data))
    assert {"timers.ssl_renegotiation", "bindings.kind.protocols", "sites./up.load.application_delay"} <= set(found)
    assert not {"timers", "bindings", "bindings.site", "sites", "sites./up", "title", "profile"} & set(found)
    assert all(resolve(data, path) for path in found)


# --- names of a scenario's own ---


@pytest.mark.parametrize(
    ("path", "value"), [("bindings.new", {"endpoint": "[::]:9"}), ("stores.Mine", {"roots": [{"authority": "client"}]})]
)
def test_a_binding_or_a_store_can_be_added(data, path, value):
    """Set whole under a new name, it is there with the others, and the profile lies under it."""
    kind, name = path.split(".")
    changed = apply(data, {path: value})
    assert list(changed[kind]) == [*data.get(kind, {}), name]
    assert changed[kind][name].items() >= value.items()
    assert (changed["bindings"] | {"new": 0}).keys() == (data["bindings"] | {"new": 0}).keys()
    assert "protocols" in changed["bindings"]["site"]
    assert kind == "stores" or "protocols" in changed["bindings"]["new"]


def test_a_part_of_what_was_added(data):
    """What is added in one layer can be changed in the same and in the next."""
    layers = {"bindings.new.ctl_store": "A", "bindings.new": {"endpoint": "[::]:9"}}
    assert apply(data, layers)["bindings"]["new"]["ctl_store"] == "A"
    assert apply(data, layers, {"bindings.new.ctl_store": "B"})["bindings"]["new"]["ctl_store"] == "B"


@pytest.mark.parametrize("path", ["bindings.sit.protocols", "stores.Rooot.roots"])
def test_a_part_of_nothing_says_how_one_is_added(data, path):
    """A slip of the pen adds nothing."""
    with pytest.raises(LabError) as caught:
        resolve(data, path)
    name = path.rpartition(".")[0]
    assert f"to add one, set it whole: {name}={{" in caught.value.hint


@pytest.mark.parametrize("broken", [3, "a", ["b"]])
def test_nothing_is_added_to_what_has_no_shape(broken):
    """The data may be anything: it is told, not raised."""
    for kind in ("bindings", "stores"):
        with pytest.raises(LabError):
            apply({kind: broken, "sites": []}, {f"{kind}.new": {}})
