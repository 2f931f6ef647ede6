"""What is known of a lab that listens: its URLs, files and identities, as the panel and the ready file tell them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tlslab.core.plan import LabPlan, Listener
from tlslab.httpsys.bindings import Binding
from tlslab.lab.curl import Curl, Destination, FilesIn
from tlslab.lab.options import Options
from tlslab.lab.sinks import EVENTS_VERSION
from tlslab.pki.store import Pki
from tlslab.scenario.load import LoadedScenario
from tlslab.text import format_host_port


@dataclass(frozen=True, slots=True)
class Served:
    """A binding on its socket, and its TLS versions: none without its certificate.

    `host` can be connected to, `hostname` is what the URL says.
    """

    binding: Binding
    host: str
    port: int
    hostname: str
    protocols: tuple[str, ...]

    @property
    def url(self) -> str:
        """`https://localhost:8443`, without a path."""
        return f"https://{format_host_port((self.hostname, self.port))}"

    @property
    def said(self) -> str:
        """What the record says, for the start page."""
        record = self.binding.record
        return (
            f"{self.binding.name}: certificate {record.certificate}, "
            f"clientcertnegotiation={record.client_cert_negotiation}"
        )

    def address(self, sans: Sequence[str]) -> Destination:
        """How curl reaches it: a name that only the lab knows is looked for where everything else is."""
        by_address = format_host_port((self.host, self.port))
        if not self.binding.record.endpoint.is_name:
            return Destination(self.url, protocols=self.protocols, by_address=by_address)
        where = format_host_port((sans[0], self.port)) if sans else by_address
        return Destination(self.url, where, self.protocols, by_address)


@dataclass(frozen=True, slots=True)
class Running:
    """A lab that listens, or would."""

    loaded: LoadedScenario
    plan: LabPlan
    pki: Pki
    served: tuple[Served, ...]
    options: Options
    home: Path

    @classmethod
    def of(
        cls,
        loaded: LoadedScenario,
        plan: LabPlan,
        pki: Pki,
        listeners: Sequence[Listener],
        options: Options,
        home: Path,
    ) -> Running:
        """Put together what is known, the bindings in the scenario's order; `listeners` are where it really listens."""
        served = [_served(binding, one, options.sans, plan) for one in listeners for binding in one.bindings]
        first, order = served[0].binding.name, [*loaded.scenario.bindings]
        order += [one.binding.name for one in served if one.binding.name not in order]  # a fix may have added some
        served.sort(key=lambda one: (one.binding.name != first, order.index(one.binding.name)))
        return cls(loaded, plan, pki, tuple(served), options, home)

    @property
    def curl(self) -> Curl:
        """Writes curl lines for this lab."""
        sans = self.options.sans
        addresses: dict[str | None, Destination] = {one.binding.name: one.address(sans) for one in self.served}
        addresses[None] = self.served[0].address(sans)
        for name in self.loaded.scenario.bindings:  # one that was taken away has no place of its own any more
            addresses.setdefault(name, addresses[None])
        return Curl(
            self.pki.ca_file,
            self.pki.identities,
            addresses,
            FilesIn(self.home / "uploads"),
            session_file=self.home / f"session-{self.served[0].port}.pem",
            speed=self.options.speed,
        )

    @property
    def plan_with_links(self) -> LabPlan:
        """The plan, whose start page now links what is served."""
        links = tuple((f"{one.url}/", one.said) for one in self.served)
        return replace(self.plan, landing=replace(self.plan.landing, bindings=links))

    @property
    def target_url(self) -> str:
        """The URL whose request shows the symptom."""
        step = (self.loaded.scenario.symptom.client or ())[-1]
        return f"{self.curl.addresses[step.binding].url}{step.target}"

    def as_json(self) -> dict[str, Any]:
        """What the ready file says."""
        return {
            "scenario": self.plan.scenario,
            "fixes": list(self.plan.fixes),
            "pid": os.getpid(),
            "speed": self.options.speed,
            "events_version": EVENTS_VERSION,
            "target_url": self.target_url,
            "bindings": [
                {
                    "name": one.binding.name,
                    "url": f"{one.url}/",
                    "host": one.host,
                    "port": one.port,
                    "hostname": one.hostname,
                    "protocols": list(one.protocols),
                }
                for one in self.served
            ],
            "ca_file": str(self.pki.ca_file),
            "identities": {
                name: {
                    "cert_file": str(files.cert_file),
                    "key_file": str(files.key_file),
                    "pkcs12_file": str(files.pkcs12_file),
                    "pkcs12_password": files.pkcs12_password,
                }
                for name, files in self.pki.identities.items()
            },
        }


def _served(binding: Binding, listener: Listener, sans: Sequence[str], plan: LabPlan) -> Served:
    host = listener.host
    if ip_address(host).is_unspecified:
        host = "127.0.0.1" if "." in host else "::1"
    name = "localhost" if host == "127.0.0.1" else host
    if binding.record.endpoint.is_name:
        name = binding.record.endpoint.host
    elif sans:
        name = sans[0]
    settings = plan.tls.get(binding.name)
    versions = sorted(settings.protocols) if settings is not None else ()
    protocols = tuple(version.name.replace("_", ".") for version in versions)
    return Served(binding, host, listener.port, name, protocols)
