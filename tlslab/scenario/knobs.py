"""The knobs of a lab for people: what Windows calls each, and their values in words, as each knob says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tlslab.knobs import BYTES, PLAIN, PORT, SECONDS, Knob, Unit, WindowsSetting, declared
from tlslab.text import format_bytes, format_seconds


@dataclass(frozen=True, slots=True)
class KnobAt:
    """A knob of a lab: its path for --set, its value as JSON (sizes in bytes, times in seconds) and in words."""

    path: str
    value: Any
    text: str
    setting: WindowsSetting

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
            yield KnobAt(f"{prefix}{name}", plain, value_text(value, unit), setting)


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
