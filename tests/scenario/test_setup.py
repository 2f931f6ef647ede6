"""Settings laid over a scenario's data, and what comes of it: a setup, or what is wrong with it."""

from __future__ import annotations

import pytest

from tlslab.errors import UsageProblem
from tlslab.httpsys.client_certificate import ReadAhead413
from tlslab.scenario.schema import Setup
from tlslab.scenario.setup import lay, setup_of

PATH = "sites./upload.client_cert_retrieval"


def test_without_settings(loaded):
    """What a sound scenario says is its setup, and no scenario any more."""
    setup = lay(loaded.data)
    assert type(setup) is Setup
    assert setup == Setup(**{name: getattr(loaded.scenario, name) for name in Setup.model_fields})


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ([], "read_ahead_413"),
        ([{PATH: {"kind": "after_body"}}], "after_body"),
        ([{PATH: {"kind": "after_body"}}, {f"{PATH}.kind": "synchronous"}], "synchronous"),
        ([{f"{PATH}.kind": "synchronous"}, {PATH: {"kind": "after_body"}}], "after_body"),
    ],
)
def test_the_last_layer_is_the_last_word(loaded, layers, kind):
    """Also where an earlier one sets a part of what a later one sets wholly."""
    setup = lay(loaded.data, *layers)
    assert isinstance(setup, Setup)
    assert setup.sites[0].client_cert_retrieval.kind == kind


def test_a_layer_may_speak_of_what_the_one_below_left_to_the_profile(loaded):
    """The profile lies under each layer, so that a new site has all its knobs for the next."""
    layers = {"sites./upload": {"path": "/new"}}, {"sites./new.client_cert_retrieval.size": 7}
    setup = lay(loaded.data, *layers)
    assert isinstance(setup, Setup)
    retrieval = setup.sites[0].client_cert_retrieval
    assert isinstance(retrieval, ReadAhead413)
    assert retrieval.size == 7


@pytest.mark.parametrize(
    ("settings", "keys", "message"),
    [
        ({"timers.header_wait": "soon"}, ("timers", "header_wait"), "expected a duration"),
        ({"sites./upload.path": "/up.load"}, ("sites", 1, "path"), "is taken already"),
        ({"bindings.site.ctl_store": "Mine"}, ("bindings", "site", "ctl_store"), "there is no store 'Mine'"),
    ],
)
def test_what_is_wrong(loaded, settings, keys, message):
    """A value alone, or with others that it does not fit: each is a complaint, and a problem where none may be."""
    complaints = lay(loaded.data, settings)
    assert isinstance(complaints, list)
    [complaint] = complaints
    assert complaint.keys == keys
    assert message in complaint.message
    with pytest.raises(UsageProblem, match=message):
        setup_of(loaded.data, settings)
