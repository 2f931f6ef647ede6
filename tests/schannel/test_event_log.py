"""What Schannel writes to the System log."""

from __future__ import annotations

import pytest

from tlslab.events import AlertReceived, AlertSent, HandshakeCompleted, IssuerListTruncated, TlsFailed
from tlslab.schannel.event_log import (
    ENTRIES,
    HANDSHAKE_COMPLETED,
    ISSUER_LIST_TRUNCATED,
    NO_CIPHER_IN_COMMON,
    entry_of,
    is_logged,
)
from tlslab.schannel.profiles import PROFILES
from tlslab.schannel.settings import Schannel

AT = (0.0, 1, "site")


def settings(mask: int) -> Schannel:
    """A machine with this EventLogging, and the rest as its profile has it."""
    found = {
        path.removeprefix("schannel."): default.value
        for path, default in PROFILES["windows-server-2012-r2"].defaults.items()
        if path.startswith("schannel.")
    }
    return Schannel.model_validate(found | {"event_logging": mask})


@pytest.mark.parametrize(
    ("entry", "masks"),
    [
        (NO_CIPHER_IN_COMMON, {1, 3, 5, 7}),
        (ISSUER_LIST_TRUNCATED, {2, 3, 6, 7}),
        (HANDSHAKE_COMPLETED, {4, 5, 6, 7}),
    ],
    ids=["error", "warning", "information"],
)
def test_what_each_mask_lets_through(entry, masks):
    """EventLogging 1, the default, is errors only; 3 has the warnings too, 7 all."""
    assert {mask for mask in range(8) if is_logged(entry, settings(mask))} == masks


@pytest.mark.parametrize(
    ("event", "number", "data"),
    [
        (
            IssuerListTruncated(*AT, ("CN=a",), ("CN=b", "CN=c"), 90, 100, 36885, True),
            36885,
            {"names_sent": 1, "names_dropped": 2, "bytes": 90, "limit_bytes": 100},
        ),
        (AlertSent(*AT, "fatal", "handshake_failure", 40), 36888, {"alert": 40, "name": "handshake_failure"}),
        (AlertReceived(*AT, "fatal", "unknown_ca", 48), 36887, {"alert": 48, "name": "unknown_ca"}),
        (TlsFailed(*AT, "no_shared_cipher", "no shared cipher"), 36874, {}),
        (HandshakeCompleted(*AT, "TLSv1.2", "X", False, False), 36880, {"protocol": "TLSv1.2", "cipher": "X"}),
    ],
)
def test_what_makes_an_entry(event, number, data):
    """The numbers that explain it go along."""
    found = entry_of(event)
    assert found is not None
    assert (found[0].event_id, found[1]) == (number, data)


@pytest.mark.parametrize(
    "event",
    [
        AlertSent(*AT, "warning", "close_notify", 0),
        AlertReceived(*AT, "warning", "close_notify", 0),
        TlsFailed(*AT, "no_shared_protocol", "unsupported protocol"),
    ],
)
def test_what_makes_none(event):
    """A warning alert is nothing to it, nor is a failure that has no number of its own."""
    assert entry_of(event) is None


def test_every_entry_has_a_source():
    """And is of Schannel's, in the System log."""
    assert {(entry.source, entry.channel, bool(entry.documented)) for entry in ENTRIES} == {
        ("Schannel", "System", True)
    }
