"""The models of a scenario, and their JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from tlslab.core.settings import Site
from tlslab.pki.identities import IDENTITIES
from tlslab.scenario.fields import fields_at
from tlslab.scenario.names import nearest, suggestion
from tlslab.scenario.schema import BindingModel, Expectation, Scenario, Step, WritingStyle, json_schema
from tlslab.scenario.vocabulary import Identity, ProtocolName
from tlslab.schannel.profiles import PROFILES
from tlslab.tls.context import Protocol

COMMITTED = Path(__file__).parents[2] / "docs" / "scenario.schema.json"


def test_the_committed_json_schema_is_current():
    """docs/scenario.schema.json is what `tlslab schema` prints."""
    assert COMMITTED.read_text(encoding="utf-8") == json.dumps(json_schema(), indent=2) + "\n"


def test_a_file_may_leave_out_what_its_profile_sets():
    """The JSON Schema requires what no profile knows, and nothing else."""
    definitions = json_schema()["$defs"]
    assert (definitions["BindingModel"]["required"], definitions["Site"]["required"]) == (["endpoint"], ["path"])
    assert not definitions["Schannel"]["required"]
    assert {"bindings", "sites"} <= set(json_schema()["required"])
    assert not {"timers", "on_unavailable"} & set(json_schema()["required"])


def test_identities_and_protocols_are_those_that_exist():
    """The schema speaks of the identities that the PKI makes and the versions that TLS has."""
    assert set(get_args(Identity)) == {*IDENTITIES, "none"}
    assert [Protocol[name.replace(".", "_")] for name in get_args(ProtocolName)] == list(Protocol)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_knows_every_knob(profile):
    """Every knob has a default in every profile, except what only a scenario can say and what is the lab's own."""
    own = {"endpoint", "certificate", "path", "application_delay"} | {
        name for name in Site.model_fields if name.startswith("application_")
    }
    knobs = {f"bindings.*.{name}" for name in BindingModel.model_fields if name not in own}
    knobs |= {f"sites.*.{name}" for name in Site.model_fields if name not in own}
    knobs |= {f"timers.{name}" for name in fields_at(Scenario, ["timers"])}
    knobs |= {f"schannel.{name}" for name in fields_at(Scenario, ["schannel"])} | {
        "capi2_operational_log",
        "enable_kernel_ssl",
        "sstp_listener_port",
        "drain_entity_body_limit",
        "binding_precedence",
        "on_unavailable",
        "cert_chain_url_retrieval",
        "max_field_length",
        "max_request_bytes",
        "host_names",
        "unknown_host_name",
        "enable_ssl_close_notify",
        "error_log_form",
        "error_page_form",
    }
    assert set(profile.defaults) == knobs


def test_expectations_by_style():
    """One expectation holds for both styles, or each has its own."""
    style = WritingStyle.READS_WHILE_WRITING
    one = Expectation(outcome="200")
    assert one.for_style(style) is one


def test_a_step():
    """A request is a method and a target."""
    step = Step(request="POST /upload?x=1")
    assert (step.method, step.target, step.body, step.identity) == ("POST", "/upload?x=1", 0, "alice")


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ((), "bindings"),
        (("bindings", "any"), "endpoint"),
        (("bindings",), None),
        (("sites", 3, "client_cert_retrieval", "after_body"), "kind"),
        (("fixes", "f", "defeated_by", "d", "expect", "by_style"), "writes_everything"),
        (("fixes", "f", "defeated_by", "d", "expect", "one_for_all"), "outcome"),
        (("symptom", "client", 0), "request"),
    ],
)
def test_fields_at(keys, first):
    """The keys of a place are found through lists, mappings and unions."""
    assert next(iter(fields_at(Scenario, keys)), None) == first


@pytest.mark.parametrize(
    ("name", "said"),
    [("alpa", "did you mean alpha?"), ("zzz", "known: alpha, beta"), ("a" * 100, "known: alpha, beta")],
)
def test_suggestion(name, said):
    """The nearest names, or all."""
    assert suggestion(name, ["alpha", "beta"]) == said


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Large-Post-Deadlock", ["large-post-deadlock"]),
        ("large_pst_deadlock", ["large-post-deadlock"]),
        ("deadlok", ["large-post-deadlock"]),
        ("413", ["read-ahead-413"]),
        ("primewithget", ["prime-with-get"]),
        ("xyz", []),
        ("", []),
    ],
)
def test_nearest(name, near):
    """Whatever its case, by the whole name, by what stands in it, and by one of its parts."""
    assert nearest(name, ["large-post-deadlock", "read-ahead-413", "prime-with-get"]) == near
