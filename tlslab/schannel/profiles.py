"""What a version of Windows does unless it is told otherwise: every knob's default, with the source of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNVERIFIED = "unverified"

TIMEOUT_LIMITS = "Microsoft Learn, sdk-api, HTTP_TIMEOUT_LIMIT_INFO: two minutes"
UPLOAD_ARTICLE = "Microsoft TechNet, 12 July 2017: HTTPS Client Certificate Request freezes"


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


WINDOWS_SERVER_2012_R2 = Profile(
    name="windows-server-2012-r2",
    title="Windows Server 2012 R2",
    defaults={
        "bindings.*.client_cert_negotiation": Default(
            "disable", "Microsoft Learn, netsh http: clientcertnegotiation is disabled unless set"
        ),
        "bindings.*.protocols": Default(
            ["TLS1.0", "TLS1.1", "TLS1.2"],
            UNVERIFIED,
            "Schannel of 2012 R2 has these (Microsoft Learn, hh831381); that all are on from the start was not found. "
            "It also has SSL 3.0, which OpenSSL has dropped.",
        ),
        "sites.*.ssl_flags": Default([], "Microsoft Learn, iis-docs, security/access: sslFlags is None unless set"),
        "sites.*.client_cert_retrieval": Default(
            {"kind": "synchronous", "buffer": "40KiB"},
            UPLOAD_ARTICLE,
            "The self-hosted component of the article; 40 KB is its example of a large payload, not a constant. IIS "
            "reads as much of the body as it can before it asks (uploadReadAheadSize).",
        ),
        "sites.*.continue_100": Default(
            "after_certificate", UNVERIFIED, "Which of the two http.sys sends first was not found in any document."
        ),
        "timers.ssl_renegotiation": Default("120s", "KB820729: Timer_SslRenegotiation, two minutes"),
        "timers.entity_body": Default("120s", TIMEOUT_LIMITS),
        "timers.drain_entity_body": Default("120s", TIMEOUT_LIMITS),
        "timers.header_wait": Default("120s", TIMEOUT_LIMITS),
        "timers.idle_connection": Default("120s", TIMEOUT_LIMITS),
        "on_unavailable": Default(
            "reset",
            "IIS Support Blog, 29 August 2025, for Windows Server 2022",
            "2012 R2 has no TLS 1.3: this matters only where a scenario turns it on.",
        ),
    },
)

PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (WINDOWS_SERVER_2012_R2,)}
