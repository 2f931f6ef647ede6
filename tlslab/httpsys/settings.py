"""What can be set of http.sys that is a choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tlslab.httpsys.head_limits import HeadLimits
from tlslab.httpsys.timers import DRAIN_LIMIT


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


class UnknownHostName(StrEnum):
    """The status of a request for a host name that no site has. Two sources disagree.

    400, reason Hostname: the sample line of KB820729, and users. 503, reason N/A: KB4464854, of a cloud role.
    """

    STATUS_400 = "status_400"
    STATUS_503 = "status_503"

    @property
    def answer(self) -> tuple[int, str]:
        """The status, and the reason in HTTPERR."""
        return (400, "Hostname") if self is UnknownHostName.STATUS_400 else (503, "N/A")


class ErrorLogForm(StrEnum):
    """The columns and headings of HTTPERR. Which build of Windows writes which of the last three is not published.

    kb820729: no headings, and a line ends with the reason (KB820729, and its samples; Windows Server 2003 as it came
    out). api_1.0, api_2.0: headings, site id and queue name (W32, Error logging in Windows Server 2003 SP1). streamid:
    KB4464854, a file of 2018. transport: Palo Alto's content pack for IIS. fault_code: a file of 2026 among the test
    data of log2timeline/plaso.
    """

    KB820729 = "kb820729"
    HTTP_API_1_0 = "api_1.0"
    HTTP_API_2_0 = "api_2.0"
    STREAMID = "streamid"
    TRANSPORT = "transport"
    FAULT_CODE = "fault_code"


class ErrorPageForm(StrEnum):
    """What http.sys itself answers to what is no request.

    short: one heading, as a trace of the HTTP API 1.0 has it (Microsoft's support article on HTTP 400 errors). long: a
    page that names the error again in a sentence; no document shows it, many users do.
    """

    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What is set for the requests of every connection.

    Of a body that is refused, up to `drain_limit` bytes are thrown away behind the answer; `error_page` is the form of
    what http.sys answers itself. As many bytes as a head may have (`limits`) may also be kept of a next request while
    one waits. `host_names` are those of its sites, in lower case, none where they take any.
    """

    drain_limit: int = DRAIN_LIMIT
    error_page: ErrorPageForm = ErrorPageForm.LONG
    limits: HeadLimits = field(default_factory=HeadLimits)
    host_names: frozenset[str] = frozenset()
    unknown_host_name: UnknownHostName = UnknownHostName.STATUS_400

    def is_unknown(self, host: bytes) -> bool:
        """Whether no site has the host name of this Host header; where none is named, every site has every one."""
        text = host.decode("latin-1").lower()
        name, _, port = text.rpartition(":")
        return bool(self.host_names) and (name if port.isdigit() else text) not in self.host_names
