"""Knobs for people: what each says of itself, and its value in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, Field

from tlslab.core.plan import LabPlan
from tlslab.knobs import BYTES, PLAIN, PORT, SECONDS, TakesEffect, Tool, Unit, WindowsSetting, declared
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.knobs import knobs_of, value_text
from tlslab.scenario.load import load
from tlslab.scenario.overlay import Ground, parse_set, with_profile
from tlslab.scenario.schema import Setup, json_schema
from tlslab.scenario.setup import setup_of
from tlslab.schannel.profiles import PROFILES, Default
from tlslab.schannel.settings import Schannel

GROUPS = {"bindings", "sites", "stores", "timers", "schannel"}  # what has knobs inside
OWN_NAME = {"path"}  # what a site is called by is no knob


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that an annotation speaks of, and those inside."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in get_args(annotation):
        yield from models(argument)


def numbers(annotation: Any) -> bool:
    """Whether an annotation is of numbers."""
    return annotation in (int, float) or any(map(numbers, get_args(annotation)))


def test_every_knob_says_what_it_is_in_windows():
    """Whatever can be set has a name that people know from Windows, or is said to be the lab's own."""
    kinds = list(models(Setup))
    inside_a_knob = {
        inner
        for kind in kinds
        for field in kind.model_fields.values()
        if declared(field, WindowsSetting)
        for inner in models(field.annotation)
    }
    silent = {
        name
        for kind in kinds
        if kind not in inside_a_knob
        for name, field in kind.model_fields.items()
        if not declared(field, WindowsSetting)
    }
    assert silent == GROUPS | OWN_NAME


def test_every_number_says_what_it_counts():
    """No number of a knob is without a unit, also inside unions and the models of a knob's value."""
    kinds = {kind for field in Setup.model_fields.values() for kind in models(field.annotation)} | {Setup}
    counted = {
        (kind.__name__, name): declared(field, Unit)
        for kind in kinds
        for name, field in kind.model_fields.items()
        if numbers(field.annotation)
    }
    assert {place for place, unit in counted.items() if unit is None} == set()
    assert counted[("Synchronous", "read_on_after")] == SECONDS
    assert counted[("Setup", "sstp_listener_port")] == PORT


def test_what_no_document_says_is_an_assumption():
    """When a change takes effect is known of a few settings; of whatever else Windows can set, the lab assumes it."""
    knobs = list(knobs_of(load("ca-list-truncation").scenario))
    known = {knob.path for knob in knobs if knob.setting.effect_source}
    assert known == {
        *("schannel.event_logging", "schannel.cipher_suites"),
        *("enable_kernel_ssl", "enable_ssl_close_notify", "cert_chain_url_retrieval"),
        *("max_field_length", "max_request_bytes"),
    }
    unknown = [knob.setting for knob in knobs if not knob.setting.is_effect_verified]
    assert unknown
    assert TakesEffect.LAB_START not in {setting.takes_effect for setting in unknown}


def test_knobs_of_a_lab():
    """All of them, each by the path that --set takes, in the order of a scenario file."""
    paths = [knob.path for knob in knobs_of(load("post-request-renegotiation").scenario)]
    assert paths[0] == "bindings.site.endpoint"
    assert "sites./accept.ssl_flags" in paths
    assert paths[-3:] == ["enable_ssl_close_notify", "error_log_form", "error_page_form"]
    assert paths.index("timers.header_wait") < paths.index("schannel.maximum_cache_size")
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("enable_kernel_ssl", True, "true"),
        ("capi2_operational_log", False, "false"),
        ("bindings.site.ctl_store", None, "none"),
        ("sites./upload.ssl_flags", [], "none"),
        ("sites./upload.ssl_flags", ["Ssl", "SslNegotiateCert"], "Ssl, SslNegotiateCert"),
        ("schannel.maximum_cache_size", 20_000, "20,000 entries"),
        ("schannel.event_logging", 3, "3"),
        ("sstp_listener_port", 8443, "8443"),
        ("schannel.trusted_issuer_list_limit", 16_384, "16 KiB"),
        ("schannel.server_cache_time", "10h", "10 h"),
        ("sites./upload.application_delay", 0, "0 s"),
        (
            "sites./upload.client_cert_retrieval",
            {"kind": "synchronous"},
            "kind synchronous, buffer 40 KiB, http_sys_buffer 40 KiB",
        ),
        ("bindings.site.client_cert_negotiation", "disable", "disable"),
    ],
)
def test_text(loaded, path, value, text):
    """Sizes, times, counts and switches, each as one would say it."""
    knobs = {knob.path: knob for knob in knobs_of(setup_of(loaded.data, {path: value}))}
    assert knobs[path].text == text


def test_text_of_a_store(loaded):
    """Groups of roots are said one after another, each with what is said of it."""
    stores = {"Root": {"roots": [{"name": "A {n}", "count": 9}, {"authority": "client"}], "without": ["expired"]}}
    knobs = {knob.path: knob.text for knob in knobs_of(setup_of(loaded.data, {"stores": stores}))}
    usual = "self_signed true"
    assert (
        knobs["stores.Root.roots"]
        == f"name A {{n}}, count 9, state valid, {usual}; count 1, state valid, authority client, {usual}"
    )
    assert knobs["stores.Root.without"] == "expired"


CATALOGUE = {name: load(name) for name in catalogue.names()}


@pytest.mark.parametrize("loaded", CATALOGUE.values(), ids=list(CATALOGUE))
def test_what_is_shown_can_be_set(loaded):
    """Each knob of each scenario, as it is and as each fix leaves it, pasted into --set changes nothing."""
    for settings in ({}, *(fix.set for fix in loaded.scenario.fixes.values())):
        setup = setup_of(loaded.data, settings)
        pasted = [parse_set(f"{knob.path} = {knob.as_set}") for knob in knobs_of(setup)]
        for path, value in pasted:
            assert setup_of(loaded.data, settings, {path: value}) == setup
        assert setup_of(loaded.data, settings, dict(pasted)) == setup


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("bindings.site.ctl_store", None, "null"),
        ("bindings.site.endpoint", "[::]:8443", '"[::]:8443"'),
        ("bindings.site.endpoint", "a-b.localhost:8443", "a-b.localhost:8443"),
        ("sites./upload.ssl_flags", [], "[]"),
        ("sites./upload.application_delay", "1500ms", "1500ms"),
        ("sites./upload.application_delay", 0.0001, "0.0001"),
        (
            "sites./upload.client_cert_retrieval",
            {"kind": "after_a_while", "max": None},
            "{kind: after_a_while, delay: 1s, buffer: 4MiB, max: null}",
        ),
        ("schannel.server_cache_time", "10h", "10h"),
        ("schannel.trusted_issuer_list_limit", 12_289, "12289"),
        ("stores", {"true": {"roots": [{"name": "null"}, {"name": "A, {n}", "count": 2}]}}, ""),
    ],
)
def test_as_it_is_set(loaded, path, value, shown):
    """As a person would write it; what YAML would take for something else is in quotes."""
    setup = setup_of(loaded.data, {path: value})
    knobs = {knob.path: knob.as_set for knob in knobs_of(setup)}
    assert knobs.get(path, "") == shown
    for one, text in knobs.items():
        assert setup_of(loaded.data, {path: value}, dict([parse_set(f"{one}={text}")])) == setup


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (BYTES, "1 KiB"),
        (SECONDS, "1024 s"),
        (PORT, "1024"),
        (Unit("peas"), "1,024 peas"),
        (PLAIN, "1,024"),
        (None, "1,024"),
    ],
)
def test_a_number_is_said_by_its_unit(unit, text):
    """The same number is another text in each."""
    assert value_text(1024, unit) == text


# --- a new knob -----------------------------------------------------------------------------------------------

PEAS = WindowsSetting("registry, SCHANNEL: Peas", Tool.REGISTRY, TakesEffect.NEXT_CONNECTION, "a fairy tale")


class ToySchannel(Schannel):
    """What a change adds to the model of a room: one field."""

    peas: Annotated[int, Unit("peas"), Field(ge=0), PEAS]


class ToySetup(Setup):
    """The same half of a scenario, with that model in it."""

    schannel: ToySchannel


def peas(plan: LabPlan) -> int:
    """The new knob, where it is read."""
    assert isinstance(plan.setup.schannel, ToySchannel)
    return plan.setup.schannel.peas


@pytest.fixture
def toy() -> Ground:
    """Profiles that know the new knob."""
    default = {"schannel.peas": Default(3, "a fairy tale")}
    profiles = {name: profile.succeeded_by(name, profile.title, default) for name, profile in PROFILES.items()}
    return Ground(ToySetup, profiles)


def test_a_new_knob_is_a_field_and_a_default(loaded, pki, toy):
    """Declared in its model and in the profiles, it is settable, in the plan, and shown."""
    loaded = replace(loaded, data=with_profile(loaded.data, toy), ground=toy)
    plain, changed = build(loaded, (), {}, pki), build(loaded, (), {"schannel.peas": 1000}, pki)
    assert [peas(plan) for plan in (plain, changed)] == [3, 1000]
    [knob] = [knob for knob in knobs_of(changed.setup) if knob.path == "schannel.peas"]
    assert (knob.value, knob.text, knob.windows_name) == (1000, "1,000 peas", "registry, SCHANNEL: Peas")


def test_a_new_knob_may_be_left_out_of_a_file(toy):
    """The JSON Schema requires it only as long as a profile does not know it."""
    known, unknown = json_schema(ToySetup, toy.profiles), json_schema(ToySetup)
    required = [schema["$defs"]["ToySchannel"]["required"] for schema in (known, unknown)]
    assert required == [[], ["peas"]]
