r"""What the registry tells Schannel (`HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from tlslab.knobs import ByteCount, Knob, Seconds

LOG_ERRORS, LOG_WARNINGS = 1, 2


class Schannel(Knob):
    """The values that hold for a whole machine.

    `trusted_issuer_list_limit` has no name in Windows: it is the size of a buffer. `server_cache_time` is written in
    milliseconds there. `event_logging` is a mask: 1 errors, 3 errors and warnings, 7 all.
    """

    send_trusted_issuer_list: StrictBool
    trusted_issuer_list_limit: Annotated[ByteCount, Field(le=0xFFFF)]
    maximum_cache_size: Annotated[int, Field(ge=0)]
    server_cache_time: Seconds
    event_logging: Annotated[int, Field(ge=0, le=7)]
