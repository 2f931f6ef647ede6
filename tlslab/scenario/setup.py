"""From a scenario's data to what a server is built from: settings are laid over it, and the result is validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tlslab.errors import UsageProblem
from tlslab.httpsys.bindings import Endpoint
from tlslab.scenario.complaints import Complaint, at, complaints
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import WINDOWS, Ground, Keys, apply, value_at
from tlslab.scenario.schema import Setup


def lay(data: Mapping[str, Any], *layers: Mapping[str, Any], ground: Ground = WINDOWS) -> Setup | list[Complaint]:
    """Lay settings (path -> plain data) over a scenario's data, one layer after another, and validate what results.

    The profile of the data is laid under, before and after each layer. What is wrong with the result comes back as
    complaints, whose keys are those of the result. UsageProblem: an unknown path.
    """
    changed = apply(data, *layers, ground=ground)
    half = {key: changed[key] for key in ground.model.model_fields if key in changed}
    try:
        setup = ground.model.model_validate(half)
    except ValidationError as error:
        return complaints(error, ground.model, changed)
    return list(misfits(changed)) or setup


def setup_of(data: Mapping[str, Any], *layers: Mapping[str, Any], ground: Ground = WINDOWS) -> Setup:
    """`lay`, for callers that can use nothing but a sound setup.

    UsageProblem: an unknown path, or every complaint, one a line.
    """
    found = lay(data, *layers, ground=ground)
    if isinstance(found, Setup):
        return found
    raise UsageProblem("\n".join(complaint.message for complaint in found), "look at what --set and the fixes set")


def misfits(data: dict[str, Any]) -> Iterator[Complaint]:
    """Find bindings, sites and stores that are sound alone and do not fit one another; the data may have any shape."""
    yield from _duplicates(data)
    yield from _ctl_stores(data)


def items(data: Any, keys: Keys) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """The mappings in a mapping or list, each with its keys."""
    container = value_at(data, keys)
    pairs: Any = ()
    if isinstance(container, dict | list):
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
    yield from (((*keys, key), value) for key, value in pairs if isinstance(value, dict))


def _duplicates(data: dict[str, Any]) -> Iterator[Complaint]:
    endpoints = [((*keys, "endpoint"), _endpoint(item)) for keys, item in items(data, ("bindings",))]
    yield from _twice(data, endpoints, "endpoint")
    paths = [((*keys, "path"), item.get("path")) for keys, item in items(data, ("sites",))]
    yield from _twice(data, paths, "path")


def _ctl_stores(data: dict[str, Any]) -> Iterator[Complaint]:
    stores = data.get("stores", {})
    for keys, binding in items(data, ("bindings",)):
        name = binding.get("ctl_store")
        if isinstance(name, str) and isinstance(stores, dict) and name not in stores:
            yield at(data, (*keys, "ctl_store"), f"there is no store {name!a}; {suggestion(name, stores)}")


def _endpoint(binding: dict[str, Any]) -> str | None:
    try:
        return str(Endpoint.parse(str(binding.get("endpoint"))))
    except ValueError:
        return None


def _twice(data: dict[str, Any], places: list[tuple[Keys, Any]], what: str) -> Iterator[Complaint]:
    first: dict[str, Keys] = {}
    for keys, value in places:
        if isinstance(value, str) and first.setdefault(value, keys) != keys:
            owner = ".".join(map(str, first[value][:-1]))
            yield at(data, keys, f"the {what} {value} is taken already, by {owner}")
