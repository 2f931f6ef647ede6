"""What is set for a site and for the whole machine: the knobs of all three components that belong together there."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from tlslab.httpsys.bindings import is_host_name
from tlslab.httpsys.client_certificate import ClientCertRetrieval
from tlslab.httpsys.head_limits import MAX_FIELD_LENGTH, MAX_REQUEST_BYTES, HeadLimits
from tlslab.httpsys.settings import (
    BindingPrecedence,
    Continue100,
    ErrorLogForm,
    ErrorPageForm,
    OnUnavailable,
    RequestSettings,
    UnknownHostName,
)
from tlslab.httpsys.timers import DRAIN_LIMIT, Timers
from tlslab.iis.access import SslFlag
from tlslab.iis.request_filtering import ContentTooLong
from tlslab.knobs import PORT, ByteCount, Knob, Seconds, TakesEffect, Tool, WindowsSetting, matching
from tlslab.schannel.settings import Schannel


def _host_name(value: str) -> str:
    if not is_host_name(value):
        raise ValueError("expected a host name such as www.example.com")
    return value


HostName = Annotated[str, AfterValidator(_host_name)]
SitePath = Annotated[str, AfterValidator(matching(r"/(?:(?![?#])[!-~])*", "a path such as /upload"))]


class Site(Knob):
    """A path, what IIS demands of its clients, and how the component above http.sys fetches the certificate."""

    path: SitePath
    ssl_flags: Annotated[
        tuple[SslFlag, ...],
        WindowsSetting(
            "applicationHost.config <access sslFlags>; IIS Manager: SSL Settings, Ignore / Accept / Require; IIS 6: "
            "AccessSSLFlags",
            Tool.CONFIGURATION,
            TakesEffect.NEXT_REQUEST,
        ),
    ]
    client_cert_retrieval: Annotated[
        ClientCertRetrieval,
        WindowsSetting(
            "how the component above http.sys calls HttpReceiveClientCertificate; IIS: "
            "read_ahead_413, with <serverRuntime uploadReadAheadSize>",
            Tool.CONFIGURATION,
            TakesEffect.NEXT_REQUEST,
        ),
    ]
    continue_100: Annotated[
        Continue100,
        WindowsSetting(
            "the order of 100 Continue and the certificate; what Windows does is unverified",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ]
    max_allowed_content_length: Annotated[
        Annotated[ByteCount, Field(le=2**32 - 1)] | None,
        WindowsSetting(
            "applicationHost.config <requestLimits maxAllowedContentLength>; IIS Manager: Request Filtering",
            Tool.CONFIGURATION,
            TakesEffect.NEXT_REQUEST,
        ),
    ] = None
    content_too_long: Annotated[
        ContentTooLong,
        WindowsSetting(
            "not a setting: the status of a request above maxAllowedContentLength, on which two documents disagree",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = ContentTooLong.STATUS_413_1
    application_delay: Annotated[
        Seconds,
        WindowsSetting(
            "the lab's own: how long the application takes before it asks", Tool.NONE, TakesEffect.LAB_START
        ),
    ] = 0.0

    application_announces_length: Annotated[
        StrictBool,
        WindowsSetting(
            "the lab's own: whether the application says how long its answer is; if not, it ends with the connection",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = True
    application_answers_preflights: Annotated[
        StrictBool,
        WindowsSetting(
            "the lab's own: whether the application answers CORS preflights, and lets every origin in that asks",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = False
    application_requires_certificate: Annotated[
        StrictBool,
        WindowsSetting(
            "the lab's own: whether the application itself refuses whoever has no certificate, but for OPTIONS",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = False

    @property
    def continue_after_certificate(self) -> bool:
        """Whether a client that sent `Expect: 100-continue` is asked for its certificate first."""
        return self.continue_100 is Continue100.AFTER_CERTIFICATE

    def refuses_length(self, announced: int | None) -> bool:
        """Whether IIS' request filtering refuses a body of that length; an application on http.sys has none."""
        limit = self.max_allowed_content_length
        return limit is not None and (announced or 0) > limit and self.client_cert_retrieval.is_iis


class MachineSetup(Knob):
    """What is set for the whole machine. `sstp_listener_port` is None where no SSTP runs on it."""

    timers: Timers
    drain_entity_body_limit: Annotated[
        ByteCount,
        WindowsSetting(
            "the lab's own: how much of a refused upload is thrown away so that the answer arrives; 0 resets at once",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = DRAIN_LIMIT
    schannel: Schannel
    capi2_operational_log: Annotated[
        StrictBool,
        WindowsSetting(
            "Event Viewer: CAPI2 / Operational, Enable Log; wevtutil sl Microsoft-Windows-CAPI2/Operational /e:true",
            Tool.EVENT_VIEWER,
            TakesEffect.NEXT_CONNECTION,
        ),
    ]
    enable_kernel_ssl: Annotated[
        StrictBool,
        WindowsSetting(
            r"IIS 6: registry, Services\HTTP\Parameters: EnableKernelSSL",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "Microsoft Learn, aa364671: of the HTTP service",
        ),
    ]
    sstp_listener_port: Annotated[
        Annotated[int, PORT, Field(strict=True, ge=1, le=65535)] | None,
        WindowsSetting(
            r"registry, SstpSvc\Parameters: ListenerPort, 443 unless set; none: no SSTP on this machine",
            Tool.REGISTRY,
            TakesEffect.RESTART,
        ),
    ]
    binding_precedence: Annotated[
        BindingPrecedence,
        WindowsSetting(
            "not a setting: which record of netsh http show sslcert answers, an exact address's or a name's",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ]
    on_unavailable: Annotated[
        OnUnavailable,
        WindowsSetting(
            "not a setting: what http.sys does when TLS 1.3 cannot ask for the certificate",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ]
    cert_chain_url_retrieval: Annotated[
        StrictBool,
        WindowsSetting(
            r"registry, Services\HTTP\Parameters: DisableSslCertChainCacheOnlyUrlRetrieval, which fetches a client's "
            "intermediate from the address in its certificate (AIA)",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "Microsoft Learn, aa364671: of the HTTP service",
        ),
    ] = False
    aia_answers: Annotated[
        StrictBool,
        WindowsSetting(
            "the lab's own: whether that address answers; nothing is really fetched, the lab has its intermediate",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = True
    crl_age: Annotated[
        Seconds,
        WindowsSetting(
            "the lab's own: how old the list of revoked client certificates is when the lab starts",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = 0.0
    crl_published_every: Annotated[
        Seconds,
        WindowsSetting(
            "the lab's own: how often the authority publishes that list anew", Tool.NONE, TakesEffect.LAB_START
        ),
    ] = Field(default=86_400.0, gt=0)
    max_field_length: Annotated[
        Annotated[ByteCount, Field(ge=64, le=65534)],
        WindowsSetting(
            r"registry, Services\HTTP\Parameters: MaxFieldLength, of one header",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "KB820129: of the HTTP service",
        ),
    ] = MAX_FIELD_LENGTH
    max_request_bytes: Annotated[
        Annotated[ByteCount, Field(ge=256, le=16777216)],
        WindowsSetting(
            r"registry, Services\HTTP\Parameters: MaxRequestBytes, of the request line and all headers",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "KB820129: of the HTTP service",
        ),
    ] = MAX_REQUEST_BYTES
    host_names: Annotated[
        tuple[HostName, ...],
        WindowsSetting(
            "applicationHost.config <binding bindingInformation>: the host names of the sites; none: they take any",
            Tool.CONFIGURATION,
            TakesEffect.NEXT_REQUEST,
        ),
    ] = ()
    unknown_host_name: Annotated[
        UnknownHostName,
        WindowsSetting(
            "not a setting: what http.sys answers where no site has the host name", Tool.NONE, TakesEffect.LAB_START
        ),
    ] = UnknownHostName.STATUS_400
    enable_ssl_close_notify: Annotated[
        StrictBool,
        WindowsSetting(
            r"registry, Services\HTTP\Parameters: EnableSslCloseNotify",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "Microsoft Learn, aa364671: of the HTTP service",
        ),
    ] = False
    error_log_form: Annotated[
        ErrorLogForm,
        WindowsSetting(
            "not a setting: the columns of HTTPERR by build of Windows; registry, "
            r"Services\HTTP\Parameters: ErrorLoggingFields chooses among them",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = ErrorLogForm.HTTP_API_2_0
    error_page_form: Annotated[
        ErrorPageForm,
        WindowsSetting(
            "not a setting: the page that http.sys itself answers with (400, 501, 505)",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = ErrorPageForm.LONG

    @cached_property
    def requests(self) -> RequestSettings:
        """What of it concerns the requests of a connection."""
        limits = HeadLimits(self.max_field_length, self.max_request_bytes)
        names = frozenset(name.lower() for name in self.host_names)
        return RequestSettings(
            self.drain_entity_body_limit, self.error_page_form, limits, names, self.unknown_host_name
        )
