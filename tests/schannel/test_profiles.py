"""What a version of Windows does by itself, and how that is known."""

from __future__ import annotations

from typing import Any

import pytest

from tlslab.schannel.profiles import PROFILES, UNVERIFIED, Default, Profile

EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
LIST_SETTING = "schannel.always_sends_cut_list"
SINCE_2022 = f"{LIST_SETTING} sites.*.content_too_long sites.*.continue_100 error_log_form error_page_form"
MESSAGE_LIMITS = ("schannel.message_limit_server", "schannel.message_limit_server_client_auth")
NAMES = ["2003", "2003-kb933430", "2008-r2", "2012-r2", "2022", "2025"]


def test_names():
    """They stand in the order in which the versions came out."""
    assert list(PROFILES) == [f"windows-server-{name}" for name in NAMES]


@EVERY_PROFILE
def test_every_default_has_a_source_or_says_that_it_has_none(profile):
    """A value is documented, or called unverified with a word on what is missing."""
    for path, default in profile.defaults.items():
        assert default.source.strip(), path
        assert default.is_verified or default.note, path


@EVERY_PROFILE
def test_every_profile_is_whole(profile):
    """A version is written as what changed, and still knows every knob."""
    assert set(profile.defaults) == set(PROFILES["windows-server-2003"].defaults)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("schannel.send_trusted_issuer_list", [True, True, True, False, False, False]),
        ("schannel.trusted_issuer_list_limit", [12_288] + ["16KiB"] * 5),
        ("schannel.maximum_cache_size", [10_000, 10_000, 20_000, 20_000, 20_000, 20_000]),
        ("schannel.server_cache_time", ["10h"] * 6),
        ("schannel.event_logging", [1] * 6),
        ("schannel.cipher_suites", [[]] * 6),
        *((path, [None] * 6) for path in MESSAGE_LIMITS),
        ("capi2_operational_log", [False] * 6),
        ("enable_kernel_ssl", [False, False, True, True, True, True]),
        ("sstp_listener_port", [None] * 6),
        ("cert_chain_url_retrieval", [False] * 6),
        ("bindings.*.revocation_freshness_time", ["0s"] * 6),
        ("sites.*.max_allowed_content_length", [None] * 2 + [30_000_000] * 4),
        ("sites.*.content_too_long", ["status_404_13"] * 4 + ["status_413_1"] * 2),
        ("enable_ssl_close_notify", [False] * 6),
        ("host_names", [[]] * 6),
        *((path, ["16KiB"] * 6) for path in ("max_field_length", "max_request_bytes")),
        ("error_log_form", ["api_1.0"] * 2 + ["api_2.0"] * 2 + ["transport"] * 2),
        ("error_page_form", ["short"] * 2 + ["long"] * 4),
        ("on_unavailable", ["reset"] * 5 + ["status_500"]),
        ("bindings.*.client_cert_negotiation", ["disable"] * 6),
        ("sites.*.ssl_flags", [[]] * 6),
        ("sites.*.client_cert_retrieval", [{"kind": "read_ahead_413", "size": 49_152}] * 6),
        *((f"timers.{name}", ["120s"] * 6) for name in ("ssl_renegotiation", "entity_body", "header_wait")),
    ],
)
def test_values(path, values):
    """The documented numbers, version by version."""
    assert [profile.defaults[path].value for profile in PROFILES.values()] == values


def test_protocols():
    """2008 R2 knows TLS 1.2 and has it disabled; 2025 has nothing older than it."""
    found: list[Any] = [profile.defaults["bindings.*.protocols"].value for profile in PROFILES.values()]
    assert [(versions[0], versions[-1]) for versions in found] == [
        ("TLS1.0", "TLS1.0"),
        ("TLS1.0", "TLS1.0"),
        ("TLS1.0", "TLS1.0"),
        ("TLS1.0", "TLS1.2"),
        ("TLS1.0", "TLS1.3"),
        ("TLS1.2", "TLS1.3"),
    ]


def test_kb933430_changes_the_limit_and_nothing_else():
    """The update is that and no more: every other default is the very same."""
    plain, updated = PROFILES["windows-server-2003"], PROFILES["windows-server-2003-kb933430"]
    changed = [path for path in plain.defaults if plain.defaults[path] != updated.defaults[path]]
    assert changed == ["schannel.trusted_issuer_list_limit"]


# What http.sys throws away of a refused upload, and whether an exact address or a name answers, is nowhere settled.
ALWAYS = {"drain_entity_body_limit", "binding_precedence", "unknown_host_name"}


@pytest.mark.parametrize(
    ("name", "unverified"),
    [
        (
            "windows-server-2003",
            "bindings.*.protocols bindings.*.ctl_store sites.*.continue_100 timers.ssl_renegotiation "
            "timers.drain_entity_body schannel.trusted_issuer_list_limit schannel.cipher_suites on_unavailable "
            "schannel.client_auth_trust_mode enable_ssl_close_notify "
            "cert_chain_url_retrieval sites.*.content_too_long",
        ),
        (
            "windows-server-2008-r2",
            "bindings.*.ctl_store sites.*.continue_100 error_page_form on_unavailable schannel.client_auth_trust_mode",
        ),
        ("windows-server-2012-r2", f"{LIST_SETTING} sites.*.continue_100 error_page_form on_unavailable"),
        ("windows-server-2022", f"{SINCE_2022} schannel.trusted_issuer_list_limit"),
        ("windows-server-2025", f"{SINCE_2022} bindings.*.protocols schannel.trusted_issuer_list_limit"),
    ],
)
def test_what_is_unverified(name, unverified):
    """These are shown to nobody as documented."""
    defaults = PROFILES[name].defaults
    expected = {*unverified.split(), *MESSAGE_LIMITS, *ALWAYS}
    assert {path for path, default in defaults.items() if default.source == UNVERIFIED} == expected


def test_a_successor():
    """The next version has the changes and everything else; the one before stays as it was."""
    first = Profile("a", "A", {"x": Default(1, "here"), "y": Default(2, "there")})
    second = first.succeeded_by("b", "B", {"y": Default(3, UNVERIFIED, "a guess")})
    assert (second.name, second.title) == ("b", "B")
    assert [default.value for default in second.defaults.values()] == [1, 3]
    assert (second.defaults["x"].is_verified, second.defaults["y"].is_verified) == (True, False)
    assert first.defaults["y"].value == 2
