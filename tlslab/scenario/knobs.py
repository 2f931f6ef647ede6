"""The knobs of a lab for people: what Windows calls each, and their values in words, as each knob says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tlslab.knobs import BYTE_UNITS, BYTES, PLAIN, PORT, SECOND_UNITS, SECONDS, Knob, Unit, WindowsSetting, declared
from tlslab.text import format_bytes, format_seconds


@dataclass(frozen=True, slots=True)
class KnobAt:
    """A knob of a lab: its path for --set, its value as JSON (sizes in bytes, times in seconds) and in words.

    `as_set` is the value as --set takes it. `model` is the value itself where that has settings inside.
    """

    path: str
    value: Any
    text: str
    as_set: str
    setting: WindowsSetting
    model: Knob | None

    @property
    def windows_name(self) -> str:
        """What Windows calls it."""
        return self.setting.name


def knobs_of(model: Knob, prefix: str = "") -> Iterator[KnobAt]:
    """List every knob in a model, such as a `Setup`, in the order of its fields, which is that of a scenario file."""
    for name, setting, unit in _marks(type(model)):
        value = getattr(model, name)
        if setting is None:
            for path, inner in _models_in(name, value):
                yield from knobs_of(inner, f"{prefix}{path}.")
        else:
            plain = model.model_dump(mode="json", include={name})[name]
            inside = value if isinstance(value, Knob) else None
            yield KnobAt(f"{prefix}{name}", plain, value_text(value, unit), as_set(value, unit), setting, inside)


@cache
def _marks(model: type[Knob]) -> tuple[tuple[str, WindowsSetting | None, Unit | None], ...]:
    """What each field of a model says of itself; a scenario has its models many times over."""
    fields = model.model_fields.items()
    return tuple((name, declared(field, WindowsSetting), declared(field, Unit)) for name, field in fields)


def _models_in(name: str, value: Any) -> Iterator[tuple[str, Knob]]:
    """The models in the value of a field, each with its path; an item of a list is called by its own `path`."""
    match value:
        case Knob():
            yield name, value
        case dict():
            yield from ((f"{name}.{key}", inner) for key, inner in value.items() if isinstance(inner, Knob))
        case tuple():
            yield from ((f"{name}.{inner.path}", inner) for inner in value if hasattr(inner, "path"))


def value_text(value: Any, unit: Unit | None = None) -> str:
    """Write the value of a knob in words; `unit` is what its number counts."""
    match value:
        case None | ():
            return "none"
        case bool():
            return "true" if value else "false"
        case Knob():
            inner = ((name, getattr(value, name), unit) for name, _, unit in _marks(type(value)))
            return ", ".join(f"{name} {value_text(one, unit)}" for name, one, unit in inner if one is not None)
        case tuple():
            return ("; " if isinstance(value[0], Knob) else ", ").join(value_text(one, unit) for one in value)
        case int() | float():
            return _quantity(value, unit or PLAIN)
    return str(value)


def _quantity(number: float, unit: Unit) -> str:
    if unit == BYTES:
        return format_bytes(int(number))
    if unit == SECONDS:
        return format_seconds(number) if number else "0 s"
    return str(number) if unit == PORT else f"{number:,} {unit.noun}".strip()


def as_set(value: Any, unit: Unit | None = None) -> str:
    """Write the value of a knob as --set takes it, and as a person would: `16KiB`, `{kind: after_body, max: 4MiB}`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Knob():
            return f"{{{', '.join(_fields_to_set(value, all_of_them=True))}}}"
        case tuple() if value and isinstance(value[0], Knob):
            groups = (", ".join(_fields_to_set(one, all_of_them=False)) for one in value)
            return f"[{', '.join(f'{{{group}}}' for group in groups)}]"
        case tuple():
            return f"[{', '.join(as_set(one, unit) for one in value)}]"
        case int() | float():
            return _exactly(value, unit or PLAIN)
    text = str(value)
    return text if _PLAIN_TEXT.fullmatch(text) else json.dumps(text)


# YAML reads such a text as itself, wherever it stands: it is no number and no word for true, false or nothing.
_PLAIN_TEXT = re.compile(
    r"(?!(?:true|false|null)\b)[A-Za-z][\w./-]*(?::\d+)?|\d+(?:\.\d+){3}:\d+", re.ASCII | re.IGNORECASE
)


def _fields_to_set(value: Knob, *, all_of_them: bool) -> Iterator[str]:
    """Of one of many, such as a group of roots, what is not as usual; of another all that is there."""
    for name, field in type(value).model_fields.items():
        inner = getattr(value, name)
        if inner != field.default or (all_of_them and inner is not None):
            yield f"{name}: {as_set(inner, declared(field, Unit))}"


def _exactly(number: float, unit: Unit) -> str:
    """The number in the largest unit in which it is whole."""
    units = BYTE_UNITS if unit == BYTES else SECOND_UNITS if unit == SECONDS else {}
    for name in ("GiB", "MiB", "KiB", "h", "s", "ms"):
        size = units.get(name)
        if size and number and (whole := round(number / size)) * size == number:
            return f"{whole}{name}"
    return f"{number:.15g}" if isinstance(number, float) else str(int(number))
