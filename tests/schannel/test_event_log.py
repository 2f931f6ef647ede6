"""What Schannel writes to the System log."""

from __future__ import annotations

import pytest

from tlslab.schannel.event_log import ISSUER_LIST_TRUNCATED, is_logged
from tlslab.schannel.settings import Schannel


@pytest.mark.parametrize(("mask", "logged"), [(0, False), (1, False), (2, True), (3, True), (4, False), (7, True)])
def test_a_warning_is_written_on_request(mask, logged):
    """EventLogging 1, the default, is errors only; 3 has the warnings too, and 36885 is one."""
    settings = Schannel(
        send_trusted_issuer_list=True,
        trusted_issuer_list_limit=16384,
        maximum_cache_size=0,
        server_cache_time=0,
        event_logging=mask,
    )
    assert ISSUER_LIST_TRUNCATED.event_id == 36885
    assert is_logged(ISSUER_LIST_TRUNCATED, settings) is logged
