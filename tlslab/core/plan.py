"""What a lab is built from: the scenario after profile, fixes and overrides were laid over one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlslab.core.settings import MachineSetup, Site
from tlslab.httpsys.bindings import Binding
from tlslab.iis.pages import Landing
from tlslab.tls.context import ServerSettings


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on and the bindings that share it. Port 0 takes a free one."""

    host: str
    port: int
    bindings: tuple[Binding, ...]

    def on_port(self, port: int) -> Listener:
        """The same, on the port that it got: its records are for that one, and events and logs name it."""
        return Listener(self.host, port, tuple(binding.on_port(port) for binding in self.bindings))


@dataclass(frozen=True, slots=True)
class CutIssuers:
    """The issuers (RFC 4514) that a binding does not name, because its list would have more than `limit_bytes`."""

    names: tuple[str, ...]
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Everything `core.Machine` needs to know.

    `tls` has no settings for a binding whose certificate is no longer in the store, and `cut_issuers` nothing for one
    whose issuers all fit into its CertificateRequest, or that names none.
    """

    scenario: str
    fixes: tuple[str, ...]
    listeners: tuple[Listener, ...]
    tls: Mapping[str, ServerSettings]
    cut_issuers: Mapping[str, CutIssuers]
    sites: tuple[Site, ...]
    setup: MachineSetup
    landing: Landing
