"""What can be set of http.sys that is a choice."""

from __future__ import annotations

from enum import StrEnum


class Continue100(StrEnum):
    """Whether 100 Continue goes out before or after the certificate is asked for; what Windows does is unverified."""

    AFTER_CERTIFICATE = "after_certificate"
    BEFORE_CERTIFICATE = "before_certificate"


class OnUnavailable(StrEnum):
    """What becomes of a request on TLS 1.3 whose client did not offer post-handshake authentication.

    Reset: Windows Server 2022. Status 500 with 0x80070032: Windows Server 2025 (IIS Support Blog, 29 August 2025).
    No certificate: the request goes on as if the client had none, which one user saw of 2022 (dotnet/aspnetcore 41162).
    """

    RESET = "reset"
    STATUS_500 = "status_500"
    NO_CERTIFICATE = "no_certificate"


class BindingPrecedence(StrEnum):
    """Which record answers where both an exact address and the name in the ClientHello have one. Sources disagree.

    The address: what one user saw (win-acme 1686), and what is commonly told. The name: serverfault 909918, of another
    program. http.h knows both: the record of an address may serve a client that sent a name.
    """

    EXACT_ADDRESS_FIRST = "exact_address_first"
    NAME_FIRST = "name_first"
