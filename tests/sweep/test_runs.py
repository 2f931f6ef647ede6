"""A small sweep over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.pki.store import open_pki
from tlslab.scenario.load import load
from tlslab.sweep.grid import SYMPTOM, Axes, Style, by_fix, settings
from tlslab.sweep.runs import measure

CERTAIN, BUFFERS_DECIDE = "negotiate-on-binding", "client-drains-too"


@pytest.mark.soak  # megabytes, and the time to write them
def test_buffers_decide(tmp_path):
    """Without a fix every upload freezes, the certain one saves all, and a relay defeats what drains too late."""
    axes = Axes((6 * 2**20,), (0,), (0, 8 * 2**20), (2.0,), (Style.INTERLEAVED,))
    loaded, told = load("large-post-deadlock"), []
    plan = settings([SYMPTOM, CERTAIN, BUFFERS_DECIDE], axes)
    pki = open_pki(tmp_path, datetime.now(UTC))
    results = measure(loaded, pki, plan, axes, 1, lambda cell, _tally: told.append(cell))
    assert set(told) == set(results)
    sums = by_fix(results)
    assert [str(sums[fix]) for fix in (SYMPTOM, CERTAIN)] == ["0/2", "2/2"]
    assert sums[SYMPTOM].froze == 2
    by_relay = {cell.relay: tally for cell, tally in results.items() if cell.setting.fix == BUFFERS_DECIDE}
    assert [str(by_relay[relay]) for relay in axes.relays] == ["1/1", "0/1"]
