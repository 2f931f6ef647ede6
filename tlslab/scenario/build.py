"""From a scenario to a plan: fixes and `--set` laid over it, certificates issued, listening addresses worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from tlslab.core.plan import CutIssuers, LabPlan, Listener
from tlslab.errors import UsageProblem
from tlslab.httpsys.bindings import Binding, Endpoint, Toggle
from tlslab.iis.access import SslFlag, wants_certificate
from tlslab.iis.pages import Landing
from tlslab.pki.authorities import Credential
from tlslab.pki.root_names import RootName
from tlslab.pki.store import Pki
from tlslab.scenario.issuers import issuer_names
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import Keys, apply, path_text, resolve
from tlslab.scenario.schema import BindingModel, Scenario, Setup
from tlslab.scenario.setup import setup_of
from tlslab.scenario.stores import trusted
from tlslab.scenario.windows_names import understood
from tlslab.schannel.cipher_suites import openssl_names
from tlslab.schannel.issuer_list import issuer_list
from tlslab.schannel.settings import Schannel
from tlslab.tls.context import Protocol, ServerSettings

LAST_PORT = 65535


class Issuers(NamedTuple):
    """The issuers that a binding names in its CertificateRequest, and those for which there is no room."""

    fitting: tuple[RootName, ...]
    dropped: tuple[RootName, ...]


def build(
    loaded: LoadedScenario,
    fixes: Sequence[str],
    overrides: Mapping[str, Any],
    pki: Pki,
    *,
    host: str | None = None,
    sans: Sequence[str] = (),
    port: int | None = None,
) -> LabPlan:
    """Lay `fixes` and then `overrides` (path -> plain data) over a scenario and plan the lab that results.

    `host` replaces every address to listen on, `sans` are further names for the certificate, `port` is where the
    first binding goes (0: free ones). UsageProblem: an unknown fix or path, fixes that contradict each other, an
    invalid value, a port or address that cannot be listened on.
    """
    chosen = tuple(dict.fromkeys(fixes))
    merged = _merged(loaded, chosen)
    ours = understood(apply(loaded.data, merged, ground=loaded.ground), overrides, loaded.ground)
    setup = setup_of(loaded.data, merged, ours, ground=loaded.ground)
    issuers = {name: _issuers(setup, model, pki) for name, model in setup.bindings.items()}
    return LabPlan(
        scenario=loaded.name,
        fixes=chosen,
        listeners=_listeners(setup.bindings, host, port),
        tls=_tls(setup, pki, issuers, (*_certificate_names(setup.bindings, host), *sans)),
        cut_issuers=_cut(issuers, setup.schannel),
        sites=setup.sites,
        setup=setup,
        landing=_landing(loaded.name, loaded.scenario, setup, chosen),
    )


# --- what is set up ------------------------------------------------------------------------------------------


def _merged(loaded: LoadedScenario, fixes: Sequence[str]) -> dict[str, Any]:
    """Everything the fixes set; contradictions are errors, never silent precedence."""
    merged: dict[str, Any] = {}
    owners: dict[Keys, tuple[str, str]] = {}
    for name in fixes:
        if name not in loaded.scenario.fixes:
            raise UsageProblem(f"{loaded.name} has no fix {name!r}", suggestion(name, loaded.scenario.fixes))
        for path, value in loaded.scenario.fixes[name].set.items():
            keys = _area(resolve(loaded.data, path, loaded.ground))
            for other, (owner, other_path) in owners.items():
                if owner != name and _overlap(keys, other) and (keys != other or merged[other_path] != value):
                    place = path_text(loaded.data, max(keys, other, key=len))
                    raise UsageProblem(f"the fixes {owner} and {name} both set {place}", "use one of them, or --set")
            owners[keys] = (name, path)
            merged[path] = value
    return merged


def _area(keys: Keys) -> Keys:
    """What setting these keys touches: a kind brings new siblings with it."""
    return keys[:-1] if keys[0] == "sites" and keys[-1] == "kind" else keys


def _overlap(one: Keys, other: Keys) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _landing(name: str, scenario: Scenario, setup: Setup, fixes: Sequence[str]) -> Landing:
    return Landing(
        scenario=name,
        title=scenario.title,
        story=scenario.story,
        paths=tuple((site.path, _demand(site.ssl_flags)) for site in setup.sites),
        fixes=tuple((fix, model.title, fix in fixes) for fix, model in scenario.fixes.items()),
    )


def _demand(flags: Sequence[SslFlag]) -> str:
    if not wants_certificate(flags):
        return "needs no client certificate"
    if SslFlag.SSL_REQUIRE_CERT in flags:
        return "requires a client certificate (403.7 without one)"
    return "takes a client certificate if there is one"


# --- certificates --------------------------------------------------------------------------------------------


def _tls(setup: Setup, pki: Pki, issuers: Mapping[str, Issuers], names: Sequence[str]) -> dict[str, ServerSettings]:
    kinds = {model.certificate for model in setup.bindings.values() if model.certificate.unusable is None}
    credentials = {kind: pki.server_credential(names, kind) for kind in kinds}
    return {
        name: _server_settings(setup, model, credentials[model.certificate], pki, issuers[name].fitting)
        for name, model in setup.bindings.items()
        if model.certificate in credentials
    }


def _server_settings(
    setup: Setup, binding: BindingModel, credential: Credential, pki: Pki, issuers: tuple[RootName, ...]
) -> ServerSettings:
    fetches = setup.cert_chain_url_retrieval and setup.aia_answers
    anchors = trusted(setup.stores, binding.ctl_store, setup.schannel.client_auth_trust_mode, fetches=fetches)
    return ServerSettings(
        chain=credential.chain,
        key=credential.key,
        protocols=frozenset(Protocol[protocol.replace(".", "_")] for protocol in binding.protocols),
        asks_in_handshake=binding.client_cert_negotiation is Toggle.ENABLE,
        client_authorities=tuple(map(pki.authority, anchors)),
        issuer_names=issuers,
        ciphers=openssl_names(setup.schannel.cipher_suites),
        message_limit=setup.schannel.message_limit_server,
        message_limit_client_auth=setup.schannel.message_limit_server_client_auth,
    )


def _issuers(setup: Setup, binding: BindingModel, pki: Pki) -> Issuers:
    names = issuer_names(setup.stores, binding.ctl_store, lambda name: pki.authority(name).subject)
    chosen = issuer_list([name.public_bytes() for name in names], setup.schannel)
    fitting = len(chosen.sent)
    return Issuers(names[:fitting], names[fitting:] if chosen.dropped else ())


def _cut(issuers: Mapping[str, Issuers], settings: Schannel) -> dict[str, CutIssuers]:
    return {
        name: CutIssuers(tuple(one.rfc4514_string() for one in lists.dropped), settings.trusted_issuer_list_limit)
        for name, lists in issuers.items()
        if lists.dropped
    }


def _certificate_names(bindings: Mapping[str, BindingModel], host: str | None) -> list[str]:
    """Host names of bindings and exact addresses; the wildcards 0.0.0.0 and :: are no names."""
    hosts = [model.endpoint.host for model in bindings.values()]
    hosts += [_address(host)] if host is not None else []
    return [name for name in hosts if name not in ("0.0.0.0", "::")]


# --- where it listens ----------------------------------------------------------------------------------------


def _listeners(bindings: Mapping[str, BindingModel], host: str | None, port: int | None) -> tuple[Listener, ...]:
    first = next(iter(bindings.values())).endpoint.port
    shared: dict[tuple[str, int], list[Binding]] = {}
    for name, model in bindings.items():
        address = _address(host) if host is not None else _listening_address(name, model.endpoint)
        shared.setdefault((address, model.endpoint.port), []).append(Binding(name, model))
    for (address, _), sharing in shared.items():
        _refuse_shadowed(address, sharing, host)
    return tuple(
        Listener(address, _port(scenario_port, first, port), tuple(sharing))
        for (address, scenario_port), sharing in shared.items()
    )


def _address(host: str) -> str:
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        hint = "give 0.0.0.0 or :: for all, or one of this machine's addresses; names go into --san"
        raise UsageProblem(f"cannot listen on {host!r}: it is not an IP address", hint) from None


def _listening_address(name: str, endpoint: Endpoint) -> str:
    """Loopback for the wildcards and for names, whose records stand for the IPv4 wildcard (sdk-api, SNI key)."""
    if endpoint.is_name:
        return "127.0.0.1"
    address = ip_address(endpoint.host)
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    if address.is_loopback:
        return endpoint.host
    message = f"the binding {name} is for {endpoint}, and the lab listens on loopback unless it is told otherwise"
    raise UsageProblem(message, f"say --host {endpoint.host} (or an address of this machine)")


def _refuse_shadowed(address: str, bindings: Sequence[Binding], host: str | None) -> None:
    """With one address for all, records that differed by their address alone could no longer be told apart."""
    by_address = [binding.name for binding in bindings if not binding.record.endpoint.is_name]
    if host is not None and len(by_address) > 1:
        message = (
            f"with --host {address} the bindings {' and '.join(by_address)} would listen on the same address and port"
        )
        raise UsageProblem(message, "leave --host out: this scenario needs them apart")


def _port(scenario_port: int, first: int, wanted: int | None) -> int:
    if wanted is None:
        return scenario_port
    if wanted == 0:
        return 0
    moved = scenario_port - first + wanted
    if not 1 <= moved <= LAST_PORT:
        distance = (
            f" (the scenario keeps it {scenario_port - first:+} from its first)" if scenario_port != first else ""
        )
        raise UsageProblem(f"there is no port {moved}{distance}", f"--port takes 1 to {LAST_PORT}, or 0 for free ones")
    return moved
