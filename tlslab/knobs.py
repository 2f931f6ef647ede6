"""What every knob is made of: a frozen model, sizes written `40KiB`, durations written `120s`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SECOND_UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


class Knob(BaseModel):
    """A setting of a scenario: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


ByteCount = Annotated[
    int,
    BeforeValidator(parse_bytes),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+\s*(B|KB|MB|KiB|MiB|GiB)?$"}]}
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|min|h)?$"}]}
    ),
]
