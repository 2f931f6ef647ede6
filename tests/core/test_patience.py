"""How long clients are waited for, where the lab's clock runs fast."""

from __future__ import annotations

import pytest

from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.events import ALL, TimerExpired
from tlslab.httpsys.timers import Timers


@pytest.mark.parametrize(
    ("speed", "seconds", "lasts"),
    [
        (1, 120, 120),  # as it is set
        (24, 120, 120),  # five seconds of the wall's
        (60, 120, 120),  # two: the shortest that is no less than a client may need
        (3600, 120, 7200),  # two again, and not 33 ms
        (24, 1, 24),  # what is set to less is meant so, by the wall's clock
        (0.5, 1, 1),
    ],
)
def test_timers(speed, seconds, lasts):
    """A timer lasts what it is set to; on the wall, two seconds or that at least."""
    timers = Patience(speed).timers(Timers(header_wait=seconds))
    assert timers.header_wait == lasts
    assert timers.idle_connection == max(120, 2 * speed)
    assert Patience(speed).timers(Timers(drain_entity_body=0)).drain_entity_body == 0  # nobody is waited for


@pytest.mark.parametrize(("speed", "ends"), [(1, 120), (3600, 7200)])
def test_a_client_that_says_nothing(make_lab, talk, speed, ends):
    """At any speed it has two seconds of its own for its first word."""
    client = talk(lab=Machine(make_lab().plan, ALL, patience=Patience(speed)))
    client.pass_time(ends - 1)
    assert client.names(TimerExpired) == []
    client.pass_time(1)
    expired = client.only(TimerExpired)
    assert (expired.timer, expired.seconds) == ("header_wait", ends)
