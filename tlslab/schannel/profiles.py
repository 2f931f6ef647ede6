"""What a version of Windows does unless it is told otherwise: every knob's default, with the source of each.

A version is written as what differs from the one before it, in value or in what is known of it; the result is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNVERIFIED = "unverified"

LEARN = "Microsoft Learn"
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
POST_HANDSHAKE = "IIS Support Blog, 29 August 2025"

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
    """A version of Windows. `defaults` are keyed by the knob's path in a scenario; `*` stands for every item there."""

    name: str
    title: str
    defaults: Mapping[str, Default]

    def succeeded_by(self, name: str, title: str, changes: Mapping[str, Default]) -> Profile:
        """Make the next version: the same, but for `changes`."""
        return Profile(name, title, {**self.defaults, **changes})


WINDOWS_SERVER_2003 = Profile(
    "windows-server-2003",
    "Windows Server 2003 (IIS 6.0)",
    {
        "bindings.*.client_cert_negotiation": Default(
            "disable", f"{LEARN}, ms525641: SSLAlwaysNegoClientCert is false unless set"
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
        "schannel.trusted_issuer_list_limit": Default(
            12_288,
            UNVERIFIED,
            "Commonly quoted as 12,228 (0x3000) bytes, which contradicts itself: 0x3000 is 12,288.",
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
        "on_unavailable": Default(
            "reset",
            UNVERIFIED,
            "This version has no TLS 1.3: the value matters only where a scenario turns it on, and is then that of "
            "Windows Server 2022.",
        ),
    },
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
            f"{LEARN}, iis-docs, serverRuntime (uploadReadAheadSize is 49,152); Exchange 2016, certificate based "
            "authentication (413 above it)",
            f"{SELF_HOSTED} The page on Exchange refers to that on IIS 6 (cc737382).",
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
    },
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
            f"empty ({ISSUER_LIST}).",
        ),
        "schannel.send_trusted_issuer_list": Default(
            False, f"{REGISTRY}, and What's new in TLS/SSL: off from Windows Server 2012 on"
        ),
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
        "schannel.trusted_issuer_list_limit": Default(
            "16KiB", UNVERIFIED, "Documented through 2012; of later versions nothing was found."
        ),
        "on_unavailable": Default("reset", f"{POST_HANDSHAKE}: Windows Server 2022 resets the connection"),
    },
)

WINDOWS_SERVER_2025 = WINDOWS_SERVER_2022.succeeded_by(
    "windows-server-2025",
    "Windows Server 2025 (IIS 10.0)",
    {
        "bindings.*.protocols": Default(
            ["TLS1.2", "TLS1.3"],
            f"{REMOVED_FEATURES}: TLS 1.0 and 1.1 are disabled by default in Windows Server 2025",
            f"1.2 and 1.3 as in 2022 ({PROTOCOLS}).",
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
