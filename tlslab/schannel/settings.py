r"""What the registry tells Schannel (`HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL`)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from tlslab.knobs import PLAIN, ByteCount, Knob, Seconds, TakesEffect, Tool, Unit, WindowsSetting
from tlslab.schannel.cipher_suites import OPENSSL_NAMES, known_suite

LOG_ERRORS, LOG_WARNINGS, LOG_INFORMATION = 1, 2, 4  # the bits of EventLogging (KB260729)
MOST_OF_A_MESSAGE = 2**24 - 1  # bytes: the length of a handshake message has three (tls-registry-settings)
MessageBytes = Annotated[ByteCount, Field(le=MOST_OF_A_MESSAGE)]
CipherSuite = Annotated[str, AfterValidator(known_suite), Field(json_schema_extra={"enum": list(OPENSSL_NAMES)})]


class ClientAuthTrustMode(IntEnum):
    """What a client's chain must end in, where a binding names a store of its own (Microsoft Learn, What's new in TLS).

    Machine trust: in Trusted Roots, with an issuer in that store as well. Exclusive root trust: in a root in that
    store. Exclusive CA trust: in a root or an intermediate in that store.
    """

    MACHINE_TRUST = 0
    EXCLUSIVE_ROOT_TRUST = 1
    EXCLUSIVE_CA_TRUST = 2


class Schannel(Knob):
    """The values that hold for a whole machine.

    `trusted_issuer_list_limit` has no name in Windows: it is the size of a buffer. `server_cache_time` is written in
    milliseconds there. `event_logging` is a mask: 1 errors, 3 errors and warnings, 7 all. `cipher_suites` is a group
    policy, not under SCHANNEL; the first that the client has too is taken, and an empty list is all of OpenSSL's.
    Both `message_limit_server` are for messages that fit into no record (16 KiB), the second where the client is asked
    for a certificate; null is what OpenSSL takes.
    """

    send_trusted_issuer_list: Annotated[
        StrictBool, WindowsSetting("registry, SCHANNEL: SendTrustedIssuerList", Tool.REGISTRY, TakesEffect.RESTART)
    ]
    always_sends_cut_list: Annotated[
        StrictBool,
        WindowsSetting(
            "not a setting: Windows Server 2012, by KB2880390, fails above 16 KB of roots, list or no list",
            Tool.NONE,
            TakesEffect.LAB_START,
        ),
    ] = False
    trusted_issuer_list_limit: Annotated[
        ByteCount,
        Field(le=0xFFFF),
        WindowsSetting(
            "a buffer of Schannel, which has no name; KB933430 made it larger", Tool.NONE, TakesEffect.LAB_START
        ),
    ]
    client_auth_trust_mode: Annotated[
        ClientAuthTrustMode,
        PLAIN,
        WindowsSetting(
            "registry, SCHANNEL: ClientAuthTrustMode, 0 machine trust, 1 exclusive root trust, 2 exclusive CA trust",
            Tool.REGISTRY,
            TakesEffect.RESTART,
        ),
    ] = ClientAuthTrustMode.MACHINE_TRUST
    maximum_cache_size: Annotated[
        int,
        Unit("entries"),
        Field(ge=0),
        WindowsSetting("registry, SCHANNEL: MaximumCacheSize", Tool.REGISTRY, TakesEffect.RESTART),
    ]
    server_cache_time: Annotated[
        Seconds,
        WindowsSetting(
            "registry, SCHANNEL: ServerCacheTime, in milliseconds there",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            in_milliseconds=True,
        ),
    ]
    event_logging: Annotated[
        int,
        PLAIN,
        Field(ge=0, le=7),
        WindowsSetting(
            "registry, SCHANNEL: EventLogging, 1 errors, 3 warnings too, 7 all",
            Tool.REGISTRY,
            TakesEffect.RESTART,
            "KB260729: of the computer",
        ),
    ]
    cipher_suites: Annotated[
        tuple[CipherSuite, ...],
        WindowsSetting(
            "group policy SSL Cipher Suite Order; registry, Policies, "
            r"Cryptography\Configuration\SSL\00010002: Functions",
            Tool.GROUP_POLICY,
            TakesEffect.RESTART,
            "Microsoft Learn, Manage TLS: of the computer",
        ),
    ] = ()
    message_limit_server: Annotated[
        MessageBytes | None,
        WindowsSetting(r"registry, SCHANNEL\Messaging: MessageLimitServer", Tool.REGISTRY, TakesEffect.RESTART),
    ] = None
    message_limit_server_client_auth: Annotated[
        MessageBytes | None,
        WindowsSetting(
            r"registry, SCHANNEL\Messaging: MessageLimitServerClientAuth", Tool.REGISTRY, TakesEffect.RESTART
        ),
    ] = None
