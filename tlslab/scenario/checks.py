"""What no single field can tell: whether the parts of a scenario fit one another.

Works on plain data, whatever its shape, so that these problems are found together with those of the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlslab.errors import LabError
from tlslab.iis.sites import match_path
from tlslab.scenario.complaints import Complaint, at
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import Keys, apply, path_text, resolve, value_at
from tlslab.scenario.schema import Setup, Step
from tlslab.scenario.setup import items, lay, misfits
from tlslab.scenario.windows_names import paths_of

START_PAGE = "/"
# What makes a step's client another one, and what else its connection began with.
CLIENT = ("identity", "renegotiation", "filters_by_issuer", "filters_by_usage", "sends", "post_handshake_auth")
CONNECTION = ("binding", "sni", *CLIENT)


def cross_check(data: dict[str, Any], *, valid: bool) -> Iterator[Complaint]:
    """Find what does not fit in a scenario's data, which a profile lies under.

    `valid` says that the schema has no complaint about it.
    """
    unfitting = list(misfits(data))
    yield from unfitting
    # Where the schema has complaints, they may be of the other half: the steps, fixes and texts.
    sound = not unfitting if valid else isinstance(lay(data), Setup)
    yield from _settings(data, sound)
    if isinstance(data.get("symptom"), dict) and "client" not in data["symptom"]:
        yield at(data, ("symptom",), "'client' is missing: the steps that show the symptom")
    for keys, fix in items(data, ("fixes",)):
        if fix.get("deterministic") is False and not fix.get("defeated_by"):
            message = "a fix that is not deterministic needs a defeated_by: how it fails, and what is seen then"
            yield at(data, keys, message, on_key=True)
    for keys, laid, client in _trials(data):
        yield from _steps(data, keys, laid)
        yield from _left_without(data, keys, laid, client)


def _trials(data: dict[str, Any]) -> Iterator[tuple[Keys, dict[str, Any], Keys]]:
    """Each trial, the data with its settings laid over, which is what its steps find, and where those steps are."""
    symptom: Keys = ("symptom",)
    for keys in (symptom, *(keys for keys, _ in items(data, ("cases",)))):
        yield keys, _laid(data, keys), _client(data, keys, symptom)
    for keys, _ in items(data, ("fixes",)):
        fixed, client = _laid(data, keys), _client(data, keys, symptom)
        yield keys, fixed, client
        for defeat, _ in items(data, (*keys, "defeated_by")):
            yield defeat, _laid(fixed, defeat), _client(data, defeat, client[:-1])


def _client(data: dict[str, Any], trial: Keys, otherwise: Keys) -> Keys:
    return (*(trial if value_at(data, (*trial, "client")) else otherwise), "client")


def _laid(data: dict[str, Any], trial: Keys) -> dict[str, Any]:
    """The data with the settings of a trial; as it is where those are unknown, which is told elsewhere."""
    settings = _settings_of(value_at(data, trial))
    if not settings or any(_unknown(data, settings)):
        return data
    return apply(data, settings)


# --- settings of cases and fixes -----------------------------------------------------------------------------


def _settings(data: dict[str, Any], sound: bool) -> Iterator[Complaint]:
    for keys in (("symptom",), *(keys for keys, _ in items(data, ("cases",)))):
        yield from _overlay(data, keys, data, sound)
    for keys, _ in items(data, ("fixes",)):
        wrong = list(_overlay(data, keys, data, sound))
        yield from wrong
        fixed = data if wrong else _laid(data, keys)
        for defeat, _ in items(data, (*keys, "defeated_by")):
            yield from _overlay(data, defeat, fixed, sound)


def _settings_of(trial: Any) -> dict[str, Any]:
    settings = trial.get("set") if isinstance(trial, dict) else None
    return settings if isinstance(settings, dict) else {}


def _overlay(data: dict[str, Any], trial: Keys, base: dict[str, Any], sound: bool) -> Iterator[Complaint]:
    """Lay the settings of one trial over `base`, and tell of each what does not fit."""
    settings = _settings_of(value_at(data, trial))
    unknown = dict(_unknown(base, settings))
    for path, problem in unknown.items():
        yield _at_setting(data, trial, (path,), problem, on_key=True)
    if unknown or not settings or not sound:
        return
    try:
        found = lay(base, settings)
    except LabError as error:
        yield _at_setting(data, trial, (), str(error))
        return
    for complaint in () if isinstance(found, Setup) else found:
        behind = _setting_behind(base, settings, complaint.keys)
        yield _at_setting(data, trial, behind, complaint.message)


def _at_setting(data: Any, trial: Keys, path: Keys, message: str, *, on_key: bool = False) -> Complaint:
    """Stand at the path among the settings of a trial; the message names that path itself."""
    settings = (*trial, "set")
    return Complaint((*settings, *path), f"{path_text(data, settings)}: {message}", on_key)


def _unknown(base: dict[str, Any], settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The paths among `settings` that lead nowhere in `base`, each with what is wrong."""
    for path in settings:
        try:
            resolve(base, path)
        except LabError as error:
            ours = paths_of(base, path)
            hint = f"in a lab it is {' or '.join(ours)}" if ours else error.hint
            yield path, f"{error}; {hint}"


def _setting_behind(base: dict[str, Any], settings: dict[str, Any], keys: Keys) -> Keys:
    """The path among `settings` that set what is at `keys`, or a part of it."""
    for path in settings:
        resolved = resolve(base, path)
        shorter = min(len(resolved), len(keys))
        if resolved[:shorter] == keys[:shorter]:
            return (path,)
    return tuple(settings) if len(settings) == 1 else ()


# --- steps ---------------------------------------------------------------------------------------------------


def _steps(data: dict[str, Any], trial: Keys, laid: dict[str, Any]) -> Iterator[Complaint]:
    """Look at the steps of a trial, which go to a server that was set up as `laid` says."""
    content = value_at(data, trial)
    may_be_missing = isinstance(content, dict) and "404" in _outcomes(content.get("expect"))
    previous: dict[str, Any] | None = None
    for keys, step in items(data, (*trial, "client")):
        yield from _binding(laid, keys, step)
        yield from _same_connection(data, keys, step, previous)
        yield from _resumes(data, keys, step, previous)
        if not may_be_missing:
            yield from _path(laid, keys, step)
        previous = step


def _outcomes(expect: Any) -> set[str]:
    if not isinstance(expect, dict):
        return set()
    return {str(expect.get("outcome"))}.union(*map(_outcomes, expect.values()))


def _binding(data: dict[str, Any], keys: Keys, step: dict[str, Any]) -> Iterator[Complaint]:
    name, bindings = step.get("binding"), data.get("bindings")
    if isinstance(name, str) and isinstance(bindings, dict) and name not in bindings:
        yield at(data, (*keys, "binding"), f"there is no binding {name!a}; {suggestion(name, bindings)}")


def _left_without(data: dict[str, Any], trial: Keys, laid: dict[str, Any], client: Keys) -> Iterator[Complaint]:
    """Steps that a trial has from elsewhere may go to a binding that its own settings have taken away."""
    if client[:-1] == trial:
        return
    for keys, step in items(data, client):
        for complaint in _binding(laid, keys, step):
            message = f"takes away what {path_text(data, keys)} goes to: {complaint.message.partition(': ')[2]}"
            yield _at_setting(data, trial, (), message)


def _path(data: dict[str, Any], keys: Keys, step: dict[str, Any]) -> Iterator[Complaint]:
    request = step.get("request")
    path = request.partition(" ")[2].partition("?")[0] if isinstance(request, str) else ""
    sites = [site["path"] for _, site in items(data, ("sites",)) if isinstance(site.get("path"), str)]
    if path[:1] == "/" and path[:2] != "//" and path != START_PAGE and match_path(path, sites) is None:
        yield at(data, (*keys, "request"), f"no site serves {path}; {suggestion(path, sites)}")


def _same_connection(
    data: dict[str, Any], keys: Keys, step: dict[str, Any], previous: dict[str, Any] | None
) -> Iterator[Complaint]:
    place = (*keys, "same_connection")
    if step.get("same_connection") is not True:
        return
    if previous is None:
        yield at(data, place, "the first step has no connection before it to go on with")
        return
    for name in _differing(data, step, previous, *CONNECTION):
        yield at(data, place, f"the step before has another {name}, and a connection keeps its own")


def _resumes(
    data: dict[str, Any], keys: Keys, step: dict[str, Any], previous: dict[str, Any] | None
) -> Iterator[Complaint]:
    place = (*keys, "resumes")
    if step.get("resumes") is not True:
        return
    if previous is None:
        yield at(data, place, "the first step has no connection before it whose session it could offer")
        return
    for name in _differing(data, step, previous, *CLIENT):
        yield at(data, place, f"the step before has another {name}, and a client has its own sessions only")


def _differing(data: dict[str, Any], step: dict[str, Any], previous: dict[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        if step.get(name, _default(data, name)) != previous.get(name, _default(data, name)):
            yield name


def _default(data: dict[str, Any], name: str) -> Any:
    bindings = data.get("bindings")
    if name == "binding":
        return next(iter(bindings), None) if isinstance(bindings, dict) else None
    return Step.model_fields[name].default
