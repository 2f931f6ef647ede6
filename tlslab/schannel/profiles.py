"""What a version of Windows does unless it is told otherwise: every knob's default, with the source of each.

A version is written as what differs from the one before it, in value or in what is known of it; the result is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNVERIFIED = "unverified"

LEARN = "Microsoft Learn"
KB820129 = "KB820129: 16384 unless set"
SERVER_TIMEOUTS = f"{LEARN}, sdk-api, HTTP_TIMEOUT_LIMIT_INFO: two minutes"
CONNECTION_TIMEOUT = "KB817439: the metabase's ConnectionTimeout, two minutes"
REGISTRY = f"{LEARN}, tls-registry-settings"
PROTOCOLS = f"{LEARN}, Protocols in TLS/SSL (Schannel SSP)"
REMOVED_FEATURES = f"{LEARN}, Features removed or no longer developed in Windows Server"
ISSUER_LIST = f"{LEARN}, What's new in TLS/SSL (Schannel SSP)"
KERNEL_SSL = f"{LEARN}, aa364671, Kernel Mode SSL"
CIPHER_SUITE_ORDER = f"{LEARN}, Policy CSP ADMX_CipherSuiteOrder: Windows' own order unless the policy is set"
CAPI2_DIAGNOSTICS = "TechNet, cc749296, and TechNet Wiki, CAPI2 Diagnostics"
SSTP_SINCE_2008 = "Blog Tales from the Crypto, Debugging SSTP error -2147023660: Windows Server 2008 and later have it"
REMOTE_ACCESS = (
    f"{LEARN}, Unattended Windows Setup, Microsoft-Windows-RasServer: remote access is not configured unless "
    "ConfigurationFlags says so"
)
SSTP_PORT = (
    "None: no SSTP runs on this machine. Where it does, the port is 443 unless ListenerPort is set (Routing and Remote "
    "Access Blog, Setting up the SSTP listener and verifying it)."
)
ERROR_LOG_SP1 = "Microsoft Learn, W32, Error logging in Windows Server 2003 SP1"
ERROR_LOG_LATER = (
    "That later builds have the columns streamid, streamid_ex and transport show files of theirs (Palo Alto's content "
    "pack for IIS; KB4464854 has streamid alone); which build brought which column is not published."
)
ERROR_PAGE = "Microsoft Learn, Troubleshoot HTTP 400 errors in IIS: a trace of the HTTP API 1.0"
LONG_ERROR_PAGE = (
    "No document shows it. Users' reports do, and ASP.NET Core's host filtering sends the page for a host name byte by "
    "byte. Its Server header is KB820129's."
)
POST_HANDSHAKE = "IIS Support Blog, 29 August 2025"

PRECEDENCE = (
    "Sources disagree. The address: a user's report (win-acme/win-acme issue 1686), and what is commonly told. The "
    "name: serverfault 909918, which speaks of another program."
)
SSL_3_TOO = "It also speaks SSL 3.0, which OpenSSL has dropped."
CTL_BEFORE_2012 = (
    "Before Windows Server 2012 it is a certificate trust list that shortens the list of issuers, and not a store "
    f"({ISSUER_LIST}); that there is none unless set was not found."
)
OPENSSL_CIPHERS = "An empty list is what OpenSSL offers in its order; the default suites of Windows are not imitated."
NO_FRAGMENTS = (
    "The setting came with Windows 7 and Windows Server 2008 R2, for an older one with KB2541763; this version took no "
    "messages in fragments at all, which is not imitated."
)
LIMIT_OF_OPENSSL = (
    f"are documented for Schannel ({REGISTRY}), but neither that http.sys goes by them nor how such a handshake ends: "
    "it is what OpenSSL takes: 131,396 bytes of a ClientHello, 102,400 of certificates."
)
SELF_HOSTED = (
    "This is IIS. A component of one's own on http.sys that makes a blocking call for the certificate is `synchronous`."
)


@dataclass(frozen=True, slots=True)
class Default:
    """A knob's value as a scenario would write it. `source` is a document, or the word `unverified`."""

    value: object
    source: str
    note: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether a document says so."""
        return self.source != UNVERIFIED


@dataclass(frozen=True, slots=True)
class Profile:
    """A version of Windows. `defaults` are keyed by the knob's path in a scenario; `*` stands for every item there.

    `speaks` are the versions of TLS that it can be made to speak, whether they are on by default or not.
    """

    name: str
    title: str
    defaults: Mapping[str, Default]
    speaks: tuple[str, ...] = ()

    def succeeded_by(
        self, name: str, title: str, changes: Mapping[str, Default], speaks: tuple[str, ...] = ()
    ) -> Profile:
        """Make the next version: the same, but for `changes`, and for what it `speaks` if that is said."""
        return Profile(name, title, {**self.defaults, **changes}, speaks or self.speaks)


WINDOWS_SERVER_2003 = Profile(
    "windows-server-2003",
    "Windows Server 2003 (IIS 6.0)",
    {
        "bindings.*.client_cert_negotiation": Default(
            "disable", f"{LEARN}, ms525641: SSLAlwaysNegoClientCert is false unless set"
        ),
        "bindings.*.revocation_freshness_time": Default(
            "0s", f"{LEARN}, iis-docs WMI, SSLBinding: RevocationFreshnessTime is 0"
        ),
        "bindings.*.protocols": Default(
            ["TLS1.0"],
            UNVERIFIED,
            "It knows no later version (MSDN blog of K. Panday, Support for SSL/TLS protocols on Windows); that 1.0 is "
            "on from the start was not found. It also speaks SSL 2.0 and 3.0, which OpenSSL has dropped.",
        ),
        "bindings.*.ctl_store": Default(None, UNVERIFIED, CTL_BEFORE_2012),
        "sites.*.ssl_flags": Default([], f"{LEARN}, cc737338: AccessSSLFlags is 0 unless set"),
        "sites.*.client_cert_retrieval": Default(
            {"kind": "read_ahead_413", "size": 49_152},
            "Microsoft TechNet, cc737382 (413 above UploadReadAheadSize) and cc728324 (49,152 bytes)",
            SELF_HOSTED,
        ),
        "sites.*.max_allowed_content_length": Default(
            None, f"{LEARN}, iis-docs, requestLimits: it came with IIS 7.0 (UrlScan had a limit before)"
        ),
        "sites.*.content_too_long": Default("status_404_13", UNVERIFIED, "It matters only where a limit is set."),
        "sites.*.continue_100": Default(
            "after_certificate", UNVERIFIED, "Which of the two http.sys sends first was not found in any document."
        ),
        "timers.ssl_renegotiation": Default(
            "120s",
            UNVERIFIED,
            "KB820729 says two minutes, of Windows Server 2008 and later. Of 2003, where TLS is done outside http.sys, "
            "nothing was found.",
        ),
        "timers.entity_body": Default("120s", CONNECTION_TIMEOUT),
        "timers.drain_entity_body": Default(
            "120s", UNVERIFIED, "As in later versions; the HTTP Server API of 2003 names no such timer."
        ),
        "timers.header_wait": Default(
            "120s",
            "KB820729: Timer_HeaderWait, two minutes",
            f"The metabase's HeaderWaitTimeout is 0 ({LEARN}, cc785292); what 0 means is not said.",
        ),
        "timers.idle_connection": Default("120s", CONNECTION_TIMEOUT),
        "schannel.send_trusted_issuer_list": Default(True, f"{REGISTRY}: on through Windows Server 2008 R2"),
        "schannel.always_sends_cut_list": Default(False, "KB933430: SendTrustedIssuerList of 0 sends no list"),
        "schannel.trusted_issuer_list_limit": Default(
            12_288,
            UNVERIFIED,
            "Commonly quoted as 12,228 (0x3000) bytes, which contradicts itself: 0x3000 is 12,288.",
        ),
        "schannel.client_auth_trust_mode": Default(
            0,
            UNVERIFIED,
            f"ClientAuthTrustMode came with Windows Server 2012 ({ISSUER_LIST}); this is what 0 means there.",
        ),
        "schannel.maximum_cache_size": Default(10_000, "KB937687"),
        "schannel.server_cache_time": Default("10h", "KB937687"),
        "schannel.event_logging": Default(
            1, "KB933430: warnings are not logged unless EventLogging is set", "KB260729 names 1, errors only."
        ),
        "schannel.cipher_suites": Default(
            [],
            UNVERIFIED,
            f"Of a policy for the order before Windows Vista nothing was found. {OPENSSL_CIPHERS}",
        ),
        "schannel.message_limit_server": Default(None, UNVERIFIED, NO_FRAGMENTS),
        "schannel.message_limit_server_client_auth": Default(None, UNVERIFIED, NO_FRAGMENTS),
        "capi2_operational_log": Default(
            False, f"{CAPI2_DIAGNOSTICS}: it came with Windows Vista and Windows Server 2008"
        ),
        "enable_kernel_ssl": Default(
            False,
            f"{KERNEL_SSL}, and KB937687: user mode unless EnableKernelSSL is set",
            "In kernel mode this version knows no client certificates (the same page).",
        ),
        "sstp_listener_port": Default(None, SSTP_SINCE_2008),
        "drain_entity_body_limit": Default(
            "64MiB", UNVERIFIED, "The lab's own: how much of a refused upload http.sys throws away is in no document."
        ),
        "binding_precedence": Default("exact_address_first", UNVERIFIED, PRECEDENCE),
        "cert_chain_url_retrieval": Default(
            False,
            UNVERIFIED,
            "A value of Windows Vista, Windows Server 2008 and later; of this version nothing was found.",
        ),
        "host_names": Default([], "KB820729: a binding without a host name takes any"),
        "unknown_host_name": Default("status_400", UNVERIFIED, "KB4464854 shows a 503 with the reason N/A."),
        "max_field_length": Default("16KiB", KB820129),
        "max_request_bytes": Default("16KiB", KB820129),
        "enable_ssl_close_notify": Default(
            False, UNVERIFIED, "EnableSslCloseNotify is a value of Windows Vista, Windows Server 2008 and later."
        ),
        "error_log_form": Default(
            "api_1.0",
            ERROR_LOG_SP1,
            "As EnableKernelSSL, this is SP1's. Before it there were no headings (KB820729): kb820729.",
        ),
        "error_page_form": Default("short", ERROR_PAGE),
        "on_unavailable": Default(
            "reset",
            UNVERIFIED,
            "This version has no TLS 1.3: the value matters only where a scenario turns it on, and is then that of "
            "Windows Server 2022.",
        ),
    },
    speaks=("TLS1.0",),
)

WINDOWS_SERVER_2003_KB933430 = WINDOWS_SERVER_2003.succeeded_by(
    "windows-server-2003-kb933430",
    "Windows Server 2003 with KB933430 (IIS 6.0)",
    {"schannel.trusted_issuer_list_limit": Default("16KiB", "KB933430")},
)

WINDOWS_SERVER_2008_R2 = WINDOWS_SERVER_2003_KB933430.succeeded_by(
    "windows-server-2008-r2",
    "Windows Server 2008 R2 (IIS 7.5)",
    {
        "bindings.*.client_cert_negotiation": Default(
            "disable", f"{LEARN}, netsh http: clientcertnegotiation is disabled unless set"
        ),
        "bindings.*.protocols": Default(
            ["TLS1.0"],
            PROTOCOLS,
            "It knows TLS 1.1 and 1.2, both disabled until the registry enables them. It also speaks SSL 2.0 and 3.0, "
            "which OpenSSL has dropped.",
        ),
        "sites.*.ssl_flags": Default([], f"{LEARN}, iis-docs, security/access: sslFlags is None unless set"),
        "sites.*.client_cert_retrieval": Default(
            {"kind": "read_ahead_413", "size": 49_152},
            f"{LEARN}, iis-docs, serverRuntime (uploadReadAheadSize is 49,152); ASP.NET Core, certificate "
            "authentication (413 above it)",
            SELF_HOSTED,
        ),
        "sites.*.max_allowed_content_length": Default(
            30_000_000, f"{LEARN}, iis-docs, requestLimits: maxAllowedContentLength is 30000000"
        ),
        "sites.*.content_too_long": Default(
            "status_404_13", "KB942074: HTTP Error 404.13, IIS 7.0 and 7.5", "iis-docs says 413.1, since June 2019."
        ),
        "timers.ssl_renegotiation": Default("120s", "KB820729: Timer_SslRenegotiation, two minutes"),
        "timers.entity_body": Default("120s", SERVER_TIMEOUTS),
        "timers.drain_entity_body": Default("120s", SERVER_TIMEOUTS),
        "timers.header_wait": Default("120s", SERVER_TIMEOUTS),
        "timers.idle_connection": Default("120s", SERVER_TIMEOUTS),
        "schannel.trusted_issuer_list_limit": Default(
            "16KiB", f"{ISSUER_LIST}: 16 KB in Windows Server 2008 R2", "KB933430 brought it."
        ),
        "schannel.maximum_cache_size": Default(20_000, f"{REGISTRY}: Windows Server 2008 and later"),
        "schannel.server_cache_time": Default("10h", f"{REGISTRY}: Windows Server 2008 and later"),
        "schannel.event_logging": Default(1, f"{REGISTRY}: errors only"),
        "schannel.cipher_suites": Default([], CIPHER_SUITE_ORDER, OPENSSL_CIPHERS),
        "schannel.message_limit_server": Default(None, UNVERIFIED, f"16 KiB {LIMIT_OF_OPENSSL}"),
        "schannel.message_limit_server_client_auth": Default(None, UNVERIFIED, f"32 KiB {LIMIT_OF_OPENSSL}"),
        "capi2_operational_log": Default(False, f"{CAPI2_DIAGNOSTICS}: off until somebody enables it"),
        "enable_kernel_ssl": Default(
            True, f"{KERNEL_SSL}: always, from Windows Server 2008 on", "EnableKernelSSL is a value of IIS 6."
        ),
        "sstp_listener_port": Default(None, REMOTE_ACCESS, SSTP_PORT),
        "cert_chain_url_retrieval": Default(
            False,
            f"{KERNEL_SSL}, and KB820129: a client's intermediates come from the local computer's store alone",
        ),
        "enable_ssl_close_notify": Default(
            False,
            f"{KERNEL_SSL}: off unless EnableSslCloseNotify is set",
            "No close_notify goes out then, none is asked of the client, and its session is resumed whatever it did. "
            "Nobody has published a measurement.",
        ),
        "error_log_form": Default(
            "api_2.0", ERROR_LOG_SP1, "That the heading says 2.0 from here on show files of theirs (KB967853)."
        ),
        "error_page_form": Default("long", UNVERIFIED, LONG_ERROR_PAGE),
    },
    speaks=("TLS1.0", "TLS1.1", "TLS1.2"),
)

WINDOWS_SERVER_2012_R2 = WINDOWS_SERVER_2008_R2.succeeded_by(
    "windows-server-2012-r2",
    "Windows Server 2012 R2 (IIS 8.5)",
    {
        "bindings.*.protocols": Default(["TLS1.0", "TLS1.1", "TLS1.2"], PROTOCOLS, SSL_3_TOO),
        "bindings.*.ctl_store": Default(
            None,
            f"{LEARN}, netsh http: sslctlstorename is null unless set",
            "The list then comes from the store Client Authentication Issuers, and from Trusted Roots where that is "
            f"empty ({ISSUER_LIST}). That a store which is set also restricts who is trusted is documented for "
            "ClientAuthTrustMode (the same page: the issuer must be in the list); the status it earns is unverified.",
        ),
        "schannel.always_sends_cut_list": Default(
            False,
            UNVERIFIED,
            f"Sources disagree. {REGISTRY}: 0 sends no list. KB2880390: in Windows 8 and Windows Server 2012 that has "
            "no effect above 16 KB of roots; of R2 and later it does not speak.",
        ),
        "schannel.send_trusted_issuer_list": Default(
            False, f"{REGISTRY}, and What's new in TLS/SSL: off from Windows Server 2012 on"
        ),
        "schannel.client_auth_trust_mode": Default(0, f"{ISSUER_LIST}: machine trust unless set"),
        "schannel.trusted_issuer_list_limit": Default(
            "16KiB", f"{ISSUER_LIST}: in Windows Server 2012 the same 16 KB as in 2008 R2"
        ),
    },
)

WINDOWS_SERVER_2022 = WINDOWS_SERVER_2012_R2.succeeded_by(
    "windows-server-2022",
    "Windows Server 2022 (IIS 10.0)",
    {
        "bindings.*.protocols": Default(["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"], PROTOCOLS),
        "sites.*.content_too_long": Default(
            "status_413_1",
            UNVERIFIED,
            f"Two documents disagree, both of them current: {LEARN}, iis-docs, requestLimits (413.1 since June 2019), "
            "and KB943891 (404.13).",
        ),
        "schannel.trusted_issuer_list_limit": Default(
            "16KiB", UNVERIFIED, "Documented through 2012; of later versions nothing was found."
        ),
        "error_log_form": Default("transport", UNVERIFIED, ERROR_LOG_LATER),
        "on_unavailable": Default(
            "reset",
            f"{POST_HANDSHAKE}: Windows Server 2022 resets the connection",
            "One user saw the request go on without a certificate (dotnet/aspnetcore issue 41162): `no_certificate`.",
        ),
    },
    speaks=("TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"),
)

WINDOWS_SERVER_2025 = WINDOWS_SERVER_2022.succeeded_by(
    "windows-server-2025",
    "Windows Server 2025 (IIS 10.0)",
    {
        "bindings.*.protocols": Default(
            ["TLS1.2", "TLS1.3"],
            UNVERIFIED,
            f"Two pages of Microsoft's disagree on TLS 1.0 and 1.1: {REMOVED_FEATURES} (24 September 2025) has them "
            f"disabled by default in Windows Server 2025, {PROTOCOLS} (20 March 2025) enabled. Here the younger page "
            "holds. 1.2 and 1.3 are on in both.",
        ),
        "on_unavailable": Default("status_500", f"{POST_HANDSHAKE}: Windows Server 2025 answers 500 with 0x80070032"),
    },
)

# In the order in which they came out.
PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        WINDOWS_SERVER_2003,
        WINDOWS_SERVER_2003_KB933430,
        WINDOWS_SERVER_2008_R2,
        WINDOWS_SERVER_2012_R2,
        WINDOWS_SERVER_2022,
        WINDOWS_SERVER_2025,
    )
}
