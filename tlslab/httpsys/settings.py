"""What can be set of http.sys that is a choice of two."""

from __future__ import annotations

from enum import StrEnum


class Continue100(StrEnum):
    """Whether 100 Continue goes out before or after the certificate is asked for; what Windows does is unverified."""

    AFTER_CERTIFICATE = "after_certificate"
    BEFORE_CERTIFICATE = "before_certificate"


class OnUnavailable(StrEnum):
    """How a TLS 1.3 connection ends whose client did not offer post-handshake authentication.

    Reset: Windows Server 2022. Status 500 with 0x80070032: Windows Server 2025 (IIS Support Blog, 29 August 2025).
    """

    RESET = "reset"
    STATUS_500 = "status_500"
