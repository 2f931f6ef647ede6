"""What a lab is built from: the scenario after profile, fixes and overrides were laid over one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlslab.httpsys.bindings import Binding
from tlslab.httpsys.client_certificate import Retrieval
from tlslab.httpsys.settings import Continue100, OnUnavailable
from tlslab.httpsys.timers import Timers
from tlslab.iis.access import SslFlag
from tlslab.iis.pages import Landing
from tlslab.schannel.settings import Schannel
from tlslab.tls.context import ServerSettings


@dataclass(frozen=True, slots=True)
class Site:
    """A path and what it demands. `application_delay` is the lab's own: seconds before the application asks."""

    path: str
    ssl_flags: frozenset[SslFlag]
    retrieval: Retrieval
    continue_100: Continue100
    application_delay: float

    @property
    def continue_after_certificate(self) -> bool:
        """Whether a client that sent `Expect: 100-continue` is asked for its certificate first."""
        return self.continue_100 is Continue100.AFTER_CERTIFICATE


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on and the bindings that share it. Port 0 takes a free one."""

    host: str
    port: int
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class CutIssuers:
    """The issuers (RFC 4514) that a binding does not name, because its list would have more than `limit_bytes`."""

    names: tuple[str, ...]
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Everything `core.Machine` needs to know.

    `tls` has no settings for a binding whose certificate is no longer in the store, and `cut_issuers` nothing for one
    whose issuers all fit into its CertificateRequest, or that names none. `sstp_listener_port` is None where
    no SSTP runs on the machine.
    """

    scenario: str
    fixes: tuple[str, ...]
    listeners: tuple[Listener, ...]
    tls: Mapping[str, ServerSettings]
    cut_issuers: Mapping[str, CutIssuers]
    sites: tuple[Site, ...]
    timers: Timers
    schannel: Schannel
    capi2_operational_log: bool
    enable_kernel_ssl: bool
    sstp_listener_port: int | None
    on_unavailable: OnUnavailable
    landing: Landing
