r"""What the registry tells Schannel (`HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from tlslab.knobs import ByteCount, Knob, Seconds
from tlslab.schannel.cipher_suites import OPENSSL_NAMES, known_suite

LOG_ERRORS, LOG_WARNINGS, LOG_INFORMATION = 1, 2, 4  # the bits of EventLogging (KB260729)
CipherSuite = Annotated[str, AfterValidator(known_suite), Field(json_schema_extra={"enum": list(OPENSSL_NAMES)})]


class Schannel(Knob):
    """The values that hold for a whole machine.

    `trusted_issuer_list_limit` has no name in Windows: it is the size of a buffer. `server_cache_time` is written in
    milliseconds there. `event_logging` is a mask: 1 errors, 3 errors and warnings, 7 all. `cipher_suites` is a group
    policy, not under SCHANNEL; the first that the client has too is taken, and an empty list is all of OpenSSL's.
    """

    send_trusted_issuer_list: StrictBool
    trusted_issuer_list_limit: Annotated[ByteCount, Field(le=0xFFFF)]
    maximum_cache_size: Annotated[int, Field(ge=0)]
    server_cache_time: Seconds
    event_logging: Annotated[int, Field(ge=0, le=7)]
    cipher_suites: tuple[CipherSuite, ...] = ()
