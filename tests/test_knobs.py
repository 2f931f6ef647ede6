"""Sizes and durations as scenarios write them, and models that take nothing they do not know."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from tlslab.knobs import (
    BYTES,
    PORT,
    SECONDS,
    ByteCount,
    Knob,
    Seconds,
    TakesEffect,
    Tool,
    Unit,
    WindowsSetting,
    declared,
    matching,
    parse_bytes,
    parse_seconds,
)


class Example(Knob):
    """A knob with one of each."""

    size: ByteCount = 0
    time: Seconds = 0.0


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (1000, 1000),
        ("1000", 1000),
        ("1000B", 1000),
        ("40KiB", 40_960),
        ("40 KB", 40_000),
        (" 2 MiB ", 2 * 2**20),
        ("1MB", 10**6),
        ("1GiB", 2**30),
        ("0", 0),
    ],
)
def test_bytes(written, count):
    """Decimal and binary units, with or without a space."""
    assert Example.model_validate({"size": written}).size == count


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(2, 2.0), (2.5, 2.5), ("2.5", 2.5), ("120s", 120.0), ("500ms", 0.5), ("5 min", 300.0), ("10h", 36_000.0)],
)
def test_seconds(written, seconds):
    """A bare number is seconds."""
    assert Example.model_validate({"time": written}).time == seconds


@pytest.mark.parametrize(
    "written", ["", "KiB", "-1", "1.5KiB", "1 kib", "40 K", "٤٠", "1e3", True, None, [], "9" * 16, "1KiB\n2", b"1"]
)
def test_what_is_no_size(written):
    """It is refused with a word on what would be right."""
    with pytest.raises(ValueError, match="expected a size such as 40KiB"):
        parse_bytes(written)
    with pytest.raises(ValidationError, match="expected a size such as 40KiB"):
        Example.model_validate({"size": written})


@pytest.mark.parametrize("written", ["", "s", "-1s", "1 week", "1,5s", "1m", "inf", "nan", False, None, {}, "1."])
def test_what_is_no_duration(written):
    """`1m` is refused because it could be a minute, a metre or a milli-something."""
    with pytest.raises(ValueError, match="expected a duration such as 120s"):
        parse_seconds(written)
    with pytest.raises(ValidationError, match="expected a duration such as 120s"):
        Example.model_validate({"time": written})


@pytest.mark.parametrize(("field", "value"), [("size", -1), ("time", -0.5), ("size", 1.5)])
def test_numbers_out_of_range(field, value):
    """A number is taken as it stands, and still has to make sense."""
    with pytest.raises(ValidationError):
        Example.model_validate({field: value})


def test_a_knob_is_closed_and_frozen():
    """An unknown key is an error, and nothing changes afterwards."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        Example.model_validate({"sizes": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Example().size = 1


@given(st.text())
def test_any_text_is_a_value_or_an_error(text):
    """Whatever stands in a file, it is a number or a ValueError."""
    for parse in (parse_bytes, parse_seconds):
        with suppress(ValueError):
            assert parse(text) >= 0


SETTING = WindowsSetting("netsh", Tool.NETSH, TakesEffect.NEXT_CONNECTION)


class Marked(Knob):
    """Fields whose marks stand in different places."""

    bare: int = 0
    size: ByteCount = 0
    limited: Annotated[Seconds, Field(le=9), SETTING] = Field(0.0, gt=0)
    perhaps: Annotated[Annotated[int, PORT] | None, SETTING] = None
    several: tuple[ByteCount, ...] = ()
    inner: Example | None = None


@pytest.mark.parametrize(
    ("field", "unit", "setting"),
    [
        ("bare", None, None),
        ("size", BYTES, None),
        ("limited", SECONDS, SETTING),
        ("perhaps", PORT, SETTING),
        ("several", BYTES, None),
        ("inner", None, None),
    ],
)
def test_what_a_field_says_of_itself(field, unit, setting):
    """Marks are found beside others, inside unions and lists; a model's own are its fields'."""
    found = Marked.model_fields[field]
    assert (declared(found, Unit), declared(found, WindowsSetting)) == (unit, setting)


@pytest.mark.parametrize(
    ("effect", "source", "verified"),
    [
        (TakesEffect.RESTART, "KB260729", True),
        (TakesEffect.RESTART, "", False),
        (TakesEffect.NEXT_CONNECTION, "", False),
        (TakesEffect.LAB_START, "", True),
    ],
)
def test_when_a_change_takes_effect(effect, source, verified):
    """It is verified by a document, or because there is nothing in Windows to change."""
    assert WindowsSetting("x", Tool.REGISTRY, effect, source).is_effect_verified is verified


@pytest.mark.parametrize(("text", "fits"), [("ab", True), ("abc", False), ("ab\n", False), ("xab", False)])
def test_matching(text, fits):
    """A text fits from end to end, or is refused with what would be right."""
    check = matching("ab", "the letters ab")
    if fits:
        assert check(text) == text
    else:
        with pytest.raises(ValueError, match="expected the letters ab"):
            check(text)
