"""Alerts and their names."""

import pytest

from tlslab.errors import WireError
from tlslab.wire.alerts import Alert, AlertDescription, AlertLevel, parse_alert_untrusted


@pytest.mark.parametrize(
    ("data", "level", "name"),
    [
        (b"\x01\x00", "warning", "close_notify"),
        (b"\x02\x28", "fatal", "handshake_failure"),
        (b"\x01\x64", "warning", "no_renegotiation"),
        (b"\x02\x74", "fatal", "certificate_required"),
        (b"\x02\x4d", "fatal", "alert_77"),
        (b"\x4d\x28", "level_77", "handshake_failure"),
    ],
)
def test_alert_is_named(data, level, name):
    """Known numbers have the RFC's names, unknown ones keep their number."""
    alert = parse_alert_untrusted(data)
    assert alert == Alert(data[0], data[1])
    assert (alert.level_name, alert.name) == (level, name)


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x02\x28\x00", bytes(26)])
def test_other_lengths_are_no_alert(data):
    """An alert is two bytes; more is an encrypted one, which only the engine can read."""
    with pytest.raises(WireError, match=f"not {len(data)}$"):
        parse_alert_untrusted(data)


def test_names_are_unlike_one_another():
    """No number was given two names, none of them an alias."""
    assert len(AlertDescription) == len(AlertDescription.__members__) == 35
    assert [level.name for level in AlertLevel] == ["WARNING", "FATAL"]
