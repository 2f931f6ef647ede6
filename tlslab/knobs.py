"""What every knob is made of: a frozen model, sizes written `40KiB`, durations written `120s`, and two marks.

The marks stand in the `Annotated` of a field: what its number counts (`Unit`) and what it is in
Windows (`WindowsSetting`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.fields import FieldInfo

T = TypeVar("T")

BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SECOND_UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


class Knob(BaseModel):
    """A setting of a scenario: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- what a knob says of itself -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """What the number of a knob counts. Sizes, times and ports have a way of their own; of others the noun is said."""

    noun: str


BYTES, SECONDS, PORT = Unit("bytes"), Unit("seconds"), Unit("port")
PLAIN = Unit("")  # a number that is said alone


class Tool(StrEnum):
    """What an administrator sets a knob with in Windows."""

    NETSH = "netsh"
    REGISTRY = "registry"
    CONFIGURATION = "appcmd or IIS Manager"
    CERTIFICATE_STORES = "certlm.msc or certutil"
    GROUP_POLICY = "group policy"
    EVENT_VIEWER = "Event Viewer or wevtutil"
    NONE = "no tool"  # the lab's own; or fixed in Windows; or set by the program that http.sys serves


class TakesEffect(StrEnum):
    """When Windows notices a changed value. LAB_START: Windows has no such setting."""

    NEXT_CONNECTION = "next connection"
    NEXT_REQUEST = "next request"
    RESTART = "restart"
    LAB_START = "lab start"


@dataclass(frozen=True, slots=True)
class WindowsSetting:
    """What a knob is in Windows: its name as people know it, what sets it there, and when a change takes effect.

    `effect_source` is the document that says when; without one it is an assumption. `in_milliseconds`: that is how
    Windows writes what the lab writes as a duration.
    """

    name: str
    tool: Tool
    takes_effect: TakesEffect
    effect_source: str = ""
    in_milliseconds: bool = False

    @property
    def is_effect_verified(self) -> bool:
        """Whether a document says when a change takes effect, or there is nothing in Windows to change."""
        return bool(self.effect_source) or self.takes_effect is TakesEffect.LAB_START


def declared(field: FieldInfo, kind: type[T]) -> T | None:
    """What a field says of itself in a mark of this kind, wherever in its annotation the mark stands."""
    marks = (*field.metadata, *_marks(field.annotation))
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _marks(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _marks(argument)


# --- how values are written -----------------------------------------------------------------------------------


def parse_bytes(value: Any) -> Any:
    """Turn `40KiB`, `2 MiB` or `1000` into a count of bytes; ValueError says what would be right."""
    return _parse(value, r"(\d{1,15})\s*([A-Za-z]*)", int, BYTE_UNITS, "a size such as 40KiB, 1MiB or 49152")


def parse_seconds(value: Any) -> Any:
    """Turn `120s`, `500ms`, `5min`, `10h` or `2.5` into seconds; ValueError says what would be right."""
    return _parse(
        value,
        r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)",
        float,
        SECOND_UNITS,
        "a duration such as 120s, 500ms, 5min or 10h",
    )


def _parse(value: Any, pattern: str, number: type[int] | type[float], units: dict[str, Any], wanted: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = re.fullmatch(pattern, value.strip(), re.ASCII) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"expected {wanted}")
    return number(match[1]) * units[match[2]]


def matching(pattern: str, wanted: str) -> Callable[[str], str]:
    """Make a validator of texts that match `pattern` from end to end; its ValueError says what is `wanted`."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"expected {wanted}")
        return value

    return check


ByteCount = Annotated[
    int,
    BYTES,
    BeforeValidator(parse_bytes),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+\s*(B|KB|MB|KiB|MiB|GiB)?$"}]}
    ),
]
Seconds = Annotated[
    float,
    SECONDS,
    BeforeValidator(parse_seconds),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|min|h)?$"}]}
    ),
]
