"""What pydantic says of a scenario, in plain words: what is wrong, where, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from tlslab.scenario.fields import fields_at
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import Keys, path_text, value_at
from tlslab.scenario.vocabulary import OUTCOME

_KIND = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", type(None): "nothing"}
_WANTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text (put a number or a word such as true in quotes)",
    "bool_type": "true or false",
    "int_type": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong at `keys` of the data; `on_key` means the key itself, not its value."""

    keys: Keys
    message: str
    on_key: bool = False


def complaints(error: ValidationError, model: type[BaseModel], data: Any) -> list[Complaint]:
    """Turn a validation error of `data` into complaints whose keys are the data's own."""
    # Bad items are missing from what pydantic counts: a list that holds something is not too short.
    errors = (item for item in error.errors(include_url=False) if item["type"] != "too_short" or not item["input"])
    return [_complaint(details, model, data) for details in errors]


def at(data: Any, keys: Keys, message: str, *, on_key: bool = False) -> Complaint:
    """Make a complaint that begins with the place it speaks of."""
    return Complaint(keys, f"{path_text(data, keys)}: {message}" if keys else message, on_key)


def _complaint(details: Mapping[str, Any], model: type[BaseModel], data: Any) -> Complaint:
    location = details["loc"]
    if details["type"] == "missing":
        return at(data, _without_tags(location[:-1], data), _missing(str(location[-1])))
    if details["type"] == "extra_forbidden":
        keys = (*_without_tags(location[:-1], data), location[-1])
        known = fields_at(model, location[:-1])
        return at(data, keys, f"there is no such key here; {suggestion(str(location[-1]), known)}", on_key=True)
    keys = _without_tags(location, data)
    return at(data, keys, _describe(details), on_key=location[-1:] == ("[key]",))


def _without_tags(location: Keys, data: Any) -> Keys:
    """Drop what pydantic puts between the keys: the tags of unions, and the word [key]."""
    keys: Keys = ()
    for key in location:
        if _leads_on(value_at(data, keys), key):
            keys = (*keys, key)
    return keys


def _leads_on(container: Any, key: str | int) -> bool:
    if isinstance(container, dict):
        return key in container
    return isinstance(container, list) and isinstance(key, int) and key < len(container)


def _missing(name: str) -> str:
    more = f": what is seen on the wire, {OUTCOME}" if name == "outcome" else ""
    return f"{name!r} is missing{more}"


def _describe(details: Mapping[str, Any]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in _WANTED:
        return f"expected {_WANTED[kind]}, found {_shown(details['input'])}"
    describe = _DESCRIBE.get(kind)
    return describe(context, details["input"]) if describe else f"{details['msg']}, found {_shown(details['input'])}"


def _choice(context: dict[str, Any], value: Any) -> str:
    text = context.get("expected") or context.get("expected_tags", "")
    known = re.findall(r"'([^']+)'", text) or [text]
    near = suggestion(value, known) if isinstance(value, str) else f"known: {', '.join(known)}"
    return f"{_shown(value)} is not known here; {near}"


def _untagged(context: dict[str, Any], value: Any) -> str:
    if isinstance(value, dict):
        return f"{context['discriminator']} is missing"
    return f"expected a mapping, found {_shown(value)}"


def _tag(context: dict[str, Any], value: Any) -> str:
    return _choice(context, context["tag"])


def _wrong(context: dict[str, Any], value: Any) -> str:
    found = "" if isinstance(value, dict) else f", found {_shown(value)}"
    return f"{context['error']}{found}"


def _bound(words: str, name: str) -> Callable[[dict[str, Any], Any], str]:
    return lambda context, value: f"expected {words} {context[name]:,.12g}, found {_shown(value)}"


_DESCRIBE: dict[str, Callable[[dict[str, Any], Any], str]] = {
    "enum": _choice,
    "literal_error": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _untagged,
    "value_error": _wrong,
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": lambda context, value: "at least one is needed here",
    "string_too_short": lambda context, value: "is empty",
}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _KIND[type(value)]
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:56] + "..."
