r"""Settings by the names that Windows has for them: `MaximumCacheSize`, `clientcertnegotiation`, `uploadReadAheadSize`.

A name is found in what each knob says of itself (`WindowsSetting.name`), in any case and behind any path:
`HKLM\...\SCHANNEL\MaximumCacheSize` too. Values are taken as Windows writes them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tlslab.errors import LabError, UsageProblem
from tlslab.httpsys.client_certificate import ReadAhead413
from tlslab.knobs import Knob, WindowsSetting, declared
from tlslab.scenario.knobs import knobs_of
from tlslab.scenario.overlay import WINDOWS, Ground, resolve
from tlslab.scenario.setup import setup_of

ON, OFF = (
    frozenset({"1", "true", "enable", "enabled", "yes", "on"}),
    frozenset({"0", "false", "disable", "disabled", "no", "off"}),
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*=?")
_LAST = re.compile(r"(?P<place>.*?)[./\\:\s]*(?P<name>[A-Za-z0-9_]+)", re.DOTALL)
# What netsh http show sslcert prints in front of a value, in words.
LABELS = {
    "certificatehash": "certificate",
    "negotiateclientcertificate": "client_cert_negotiation",
    "ctlstorename": "ctl_store",
}
LONG = 12  # letters: so long is no word of the sentence around it, but netsh's name for something


@dataclass(frozen=True, slots=True)
class _Place:
    """A knob of this lab: its path, its value as JSON, and what it is in Windows."""

    path: str
    value: Any
    setting: WindowsSetting


def understood(data: Mapping[str, Any], overrides: Mapping[str, Any], ground: Ground = WINDOWS) -> dict[str, Any]:
    """Give paths of the lab's own for those that are names of Windows', and their values as the lab writes them.

    What is unknown under either name is left as it is. UsageProblem: a name that is more than one knob here, or none.
    """
    found: dict[str, Any] = {}
    for path, value in overrides.items():
        places = [] if _is_known(data, path, ground) else list(_places(data, path, ground))
        if len(places) > 1:
            paths = " or ".join(place.path for place in places)
            raise UsageProblem(f"cannot set {path}: it is more than one setting here", f"say which: {paths}")
        if places:
            found[places[0].path] = _as_ours(places[0], path, value)
        elif _fold(path).endswith(READ_AHEAD):
            raise UsageProblem(f"cannot set {path}: no site here reads ahead as IIS does", _read_ahead(data))
        else:
            _refuse_near_miss(data, path, ground)
            found[path] = value
    return found


def _refuse_near_miss(data: Mapping[str, Any], path: str, ground: Ground) -> None:
    """UsageProblem: a single word that looks like a name of Windows', and is none."""
    if not re.fullmatch(r"\w{4,64}", path) or _is_known(data, path, ground):
        return
    names: dict[str, str] = {}
    for place in _all_places(setup_of(data, ground=ground)):
        for word in (*_words(place.setting.name), place.path.rpartition(".")[2]):
            names.setdefault(_fold(word), f"{word.rstrip('=')} ({place.path})")
    near = difflib.get_close_matches(_fold(path), names, n=2, cutoff=0.8)
    if near:
        hint = f"did you mean {' or '.join(names[name] for name in near)}?"
        raise UsageProblem(f"cannot set {path}: neither the lab nor Windows has a setting of that name", hint)


def paths_of(data: Mapping[str, Any], name: str, ground: Ground = WINDOWS) -> list[str]:
    """List the paths that a name of Windows' has in a lab; none where there is no sound lab to look at."""
    try:
        return [place.path for place in _places(data, name, ground)]
    except LabError:
        return []


def _is_known(data: Mapping[str, Any], path: str, ground: Ground) -> bool:
    try:
        resolve(data, path, ground)
    except LabError:
        return False
    return True


def _places(data: Mapping[str, Any], name: str, ground: Ground) -> Iterator[_Place]:
    match = _LAST.fullmatch(name.strip())
    if match is None:
        return
    label = LABELS.get(_fold(name))
    if label is None and " " in name.strip():
        return
    wanted = _fold(label or match["name"])
    below = f"{match['place']}." if _is_known(data, match["place"], ground) else ""
    for place in _all_places(setup_of(data, ground=ground)):
        names = {*_names(place.setting.name), _fold(place.path.rpartition(".")[2])}
        holds_it = isinstance(place.value, dict) and wanted == READ_AHEAD  # what it speaks of is a part of its value
        if wanted in names and place.path.startswith(below) and not holds_it:
            yield place


def _all_places(setup: Knob) -> Iterator[_Place]:
    """Every knob, and what in the value of one has a name in Windows itself."""
    for knob in knobs_of(setup):
        yield _Place(knob.path, knob.value, knob.setting)
        inner = knob.model
        for name, field in type(inner).model_fields.items() if inner is not None else ():
            setting = declared(field, WindowsSetting)
            if setting is not None:
                yield _Place(f"{knob.path}.{name}", knob.value[name], setting)


def _names(text: str) -> set[str]:
    return set(map(_fold, _words(text)))


def _words(text: str) -> list[str]:
    """The names in what a knob says of itself: written in one word with capitals inside, or a parameter of netsh's."""
    words = _WORD.findall(text)
    return [word for word in words if word.endswith("=") or len(word) >= LONG or _has_capitals_inside(word)]


def _has_capitals_inside(word: str) -> bool:
    return word != word.upper() and word[1:] != word[1:].lower()


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


READ_AHEAD = _fold("uploadReadAheadSize")


def _as_ours(place: _Place, name: str, value: Any) -> Any:
    """Turn a value as Windows writes it into the lab's."""
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", value):
        value = int(value, 16)
    word = str(value).lower()
    if isinstance(place.value, bool) and word in ON | OFF:
        return word in ON
    if place.value in ("enable", "disable") and word in ON | OFF:
        return "enable" if word in ON else "disable"
    if isinstance(place.value, list) and isinstance(value, str):
        return [] if word == "none" else [part.strip() for part in value.split(",")]
    if place.setting.in_milliseconds and "_" not in name and isinstance(value, int):
        return value / 1000
    return value


def _read_ahead(data: Mapping[str, Any]) -> str:
    sites = [site.get("path") for site in data.get("sites", ()) if isinstance(site, Mapping)]
    kind = ReadAhead413().kind
    return f"it is the size of that way to ask: sites.{sites[0]}.client_cert_retrieval={{kind: {kind}, size: 48KiB}}"
