"""Settings laid over one another: a profile under a scenario, fixes and `--set` over it. All on plain data.

A path names a place in the part of a scenario that `schema.Setup` describes: `timers.ssl_renegotiation`,
`bindings.site.protocols`, `sites./upload.ssl_flags`. A site is called by its path or its index; of paths with dots in
them the longest that fits is meant. What is set replaces what was there, wholly; setting a `.kind` drops its siblings,
which belong to the kind that was. A binding and a store of a new name are added by setting them whole.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlslab.errors import UsageProblem
from tlslab.scenario import yaml_nodes
from tlslab.scenario.fields import fields_at
from tlslab.scenario.names import nearest, suggestion
from tlslab.scenario.schema import Setup
from tlslab.schannel.profiles import PROFILES, WINDOWS_SERVER_2012_R2, Profile

Keys = tuple[str | int, ...]
_APPCMD = re.compile(r"\s*/?[A-Za-z]+:[^:]")
# Whatever has names of a scenario's own, and how another one is added.
NAMED: Mapping[Keys, str] = {
    ("bindings",): 'bindings.{}={{endpoint: "0.0.0.0:8444"}}',
    ("stores",): "stores.{}={{roots: [{{authority: client}}]}}",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What settings are laid over. `model`: which knobs there are. `profiles`: their defaults, by version."""

    model: type[Setup]
    profiles: Mapping[str, Profile]


WINDOWS = Ground(Setup, PROFILES)


def with_profile(data: Mapping[str, Any], ground: Ground = WINDOWS) -> dict[str, Any]:
    """Lay the defaults of its profile under what a scenario says; data of a wrong shape is left as it is."""
    return apply(data, ground=ground)


def apply(data: Mapping[str, Any], *layers: Mapping[str, Any], ground: Ground = WINDOWS) -> dict[str, Any]:
    """Lay the profile under a copy of `data`, then set each layer's paths in it. UsageProblem: an unknown path."""
    changed = {key: copy.deepcopy(value) if key in ground.model.model_fields else value for key, value in data.items()}
    _lay_profile_under(changed, ground)
    for settings in layers:
        for path in sorted(settings, key=_parents_and_kinds_first):
            _set(changed, resolve(changed, path, ground), settings[path], ground)
        # The next layer may speak of what this one has left to the profile.
        _lay_profile_under(changed, ground)
    return changed


def _set(data: dict[str, Any], keys: Keys, value: object, ground: Ground) -> None:
    *parents, last = keys
    if tuple(parents) in NAMED and data.get(str(parents[0])) is None:
        data[str(parents[0])] = {}
    container = value_at(data, parents)
    if last == "kind" and fields_at(ground.model, parents):
        container.clear()
    container[last] = copy.deepcopy(value)


def resolve(data: Mapping[str, Any], path: str, ground: Ground = WINDOWS) -> Keys:
    """Turn a path into the keys that lead to its value, which need not be there yet. UsageProblem: an unknown path."""
    keys = _split(data, path)
    for end, key in enumerate(keys):
        known = _known(data, keys[:end], ground)
        if key not in known and not (_takes_names(data, keys[:end]) and keys[end:] == (key,)):
            place = f"in {path_text(data, keys[:end])}" if end else "that can be set"
            hint = _meant(data, keys[: end + 1], ground)
            if keys[:end] in NAMED:
                hint += f"; to add one, set it whole: {NAMED[keys[:end]].format(key)}"
            raise UsageProblem(f"cannot set {path}: there is no {key!a} {place}", hint)
    return keys


def _takes_names(data: Mapping[str, Any], keys: Keys) -> bool:
    return keys in NAMED and isinstance(value_at(data, keys), Mapping | None)


def paths(data: Mapping[str, Any], ground: Ground = WINDOWS, keys: Keys = ()) -> Iterator[str]:
    """Every knob of `data`, its profile laid under it, by its path; what others are in, such as `timers`, is none."""
    for key in _known(data, keys, ground):
        here = (*keys, key)
        below = list(paths(data, ground, here))
        yield from below or (() if value_at(data, here) == {} else (path_text(data, here),))


def _meant(data: Mapping[str, Any], keys: Keys, ground: Ground) -> str:
    """Say what an unknown last key was probably meant to be; of an unknown first one, where there is such a knob."""
    *above, key = keys
    known = list(map(str, _known(data, tuple(above), ground)))
    if above or nearest(str(key), known):
        return suggestion(str(key), known)
    knobs = {path.rpartition(".")[2]: path for path in reversed(list(paths(data, ground)))}
    near = [knobs[knob] for knob in nearest(str(key), knobs)]
    return f"did you mean {' or '.join(near)}?" if near else suggestion(str(key), known)


def parse_set(text: str) -> tuple[str, Any]:
    """Read the `PATH=YAML` of `--set` into the path and plain data. UsageProblem says what would be right."""
    path, equals, value = text.partition("=")
    if not equals and _APPCMD.match(text):  # /uploadReadAheadSize:204800
        path, equals, value = text.partition(":")
    if not (path.strip() and equals and value.strip()):
        example = "write it like timers.ssl_renegotiation=30s or bindings.site.client_cert_negotiation=enable"
        raise UsageProblem(f"{text!r} is not PATH=VALUE", example)
    node, problems = yaml_nodes.parse(value.strip(), "--set")
    if node is None or problems:
        hint = "lists are written [a, b], mappings {key: value}"
        if value.strip().startswith("["):
            hint += f""", and a text that begins with a bracket in quotes: '{path.strip()}="{value.strip()}"'"""
        raise UsageProblem(f"cannot set {path.strip()}: {problems[0].message}", hint)
    return path.strip(), node.plain()


def path_text(data: Any, keys: Sequence[str | int]) -> str:
    """Write keys as a person does: `sites./upload.ssl_flags`, `symptom.client[0].body`."""
    text = ""
    for end, key in enumerate(keys):
        name = _site_path(data, keys[: end + 1]) or key
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else name
    return text


def value_at(data: Any, keys: Sequence[str | int]) -> Any:
    """The value that keys lead to, or None."""
    for key in keys:
        if isinstance(data, dict) and isinstance(key, str):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def _lay_profile_under(data: dict[str, Any], ground: Ground) -> None:
    # Where the file names no profile that there is, it has a problem of its own; the others are found with any.
    profile = ground.profiles.get(str(data.get("profile")), WINDOWS_SERVER_2012_R2)
    for path, default in profile.defaults.items():
        _lay_under(data, path.split("."), default.value)


def _lay_under(node: Any, path: Sequence[str], value: object) -> None:
    key, *rest = path
    if key == "*":
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            _lay_under(child, rest, value)
    elif isinstance(node, dict) and not rest:
        node.setdefault(key, copy.deepcopy(value))
    elif isinstance(node, dict) and (key in node or rest[0] != "*"):  # for every item of nothing there is nothing to do
        _lay_under(node.setdefault(key, {}), rest, value)


def _parents_and_kinds_first(path: str) -> tuple[int, bool]:
    return len(path.removesuffix(".kind")), path.endswith(".kind")


def _split(data: Mapping[str, Any], path: str) -> Keys:
    head, _, rest = path.partition(".")
    if head != "sites" or not rest:
        return tuple(path.split("."))
    first, _, below = rest.partition(".")
    if first.isascii() and first.isdigit() and len(first) < 6:
        return ("sites", int(first), *(below.split(".") if below else ()))
    sites = {site: index for index, site in reversed(list(enumerate(_site_paths(data))))}
    fitting = [site for site in sites if site and (rest + ".").startswith(site + ".")]
    if not fitting:
        raise UsageProblem(f"cannot set {path}: there is no such site", suggestion(first, filter(None, sites)))
    site = max(fitting, key=len)
    below = rest[len(site) + 1 :]
    return ("sites", sites[site], *(below.split(".") if below else ()))


def _site_paths(data: Mapping[str, Any]) -> list[str]:
    sites = data.get("sites")
    return [_site_path(data, ("sites", index)) for index in range(len(sites))] if isinstance(sites, list) else []


def _site_path(data: Any, keys: Sequence[str | int]) -> str:
    """The path of the site at these keys; empty where there is none."""
    path = value_at(data, (*keys, "path")) if len(keys) == 2 and keys[0] == "sites" else None
    return path if isinstance(path, str) else ""


def _known(data: Mapping[str, Any], keys: Keys, ground: Ground) -> list[str | int]:
    container = value_at(data, keys)
    if isinstance(container, list):
        return list(range(len(container))) if keys == ("sites",) else []
    if not isinstance(container, Mapping):
        return []
    return list(fields_at(ground.model, keys) or container)
