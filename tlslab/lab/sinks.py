"""What a lab tells programs: events as JSON, and the sign that it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from math import isfinite
from pathlib import Path
from secrets import token_hex
from typing import Any

from tlslab.capture.files import NAME_A_FILE, STANDARD_OUTPUT
from tlslab.errors import in_words
from tlslab.events import Event
from tlslab.text import json_text, without_del

# Of the events file, for programs that read it: rises when an event or a field goes, or means something else.
EVENTS_VERSION = 1


def event_lines(events: Iterable[Event]) -> str:
    """Write events as JSON objects with an `event` key, a line each; values that are not JSON's own are their text."""
    lines: list[str] = []
    at, moment = None, ""
    for event in events:
        if event.at is not at:  # those of a step have it in common
            at, moment = event.at, _moment(event.at)
        lines.append(_WRITERS[type(event)](event, moment))
    return without_del("".join(lines))


class _Writers(dict[type[Event], Callable[[Event, str], str]]):
    """What makes a line of an event of a type (and of its time, in JSON): made when the first of them comes.

    It is an f-string with the names of the type's fields, compiled as dataclasses compile an __init__. An event costs
    1.3 microseconds; it was 11 with json.dumps, and 4 with a function for each value's type, the best without `eval`.
    """

    def __missing__(self, kind: type[Event]) -> Callable[[Event, str], str]:
        values = {one.name: _USUALLY.get(str(one.type), _OTHERWISE).format(f"event.{one.name}") for one in fields(kind)}
        values["at"] = "moment"
        content = "".join(f', "{name}": {{{value}}}' for name, value in values.items())
        line = f'{{{{"event": "{kind.__name__}"{content}}}}}\n'
        known = {"quoted": json.encoder.encode_basestring_ascii, "value": _value}
        self[kind] = eval(f"lambda event, moment: f{line!r}", known)
        return self[kind]


_WRITERS = _Writers()
_NUMBER = "{0} if type({0}) is int else value({0})"
_FLAG = '"true" if {0} is True else "false" if {0} is False else value({0})'
_USUALLY = {"int": _NUMBER, "int | None": f'"null" if {{0}} is None else {_NUMBER}', "bool": _FLAG}
_OTHERWISE = "quoted({0}) if isinstance({0}, str) else value({0})"  # an enumeration's value is text
_ENCODE = json.JSONEncoder(default=str).encode


def _moment(at: float) -> str:
    """Write a time, rounded to microseconds.

    Up to 15 digits are what stands for a number in JSON as well, and finding them is half of what `round` and `repr`
    take. Below a thousandth `repr` goes over to powers of ten.
    """
    if type(at) is float and 0.001 <= at < 1e9:
        digits = f"{at:.6f}".rstrip("0")
        return f"{digits}0" if digits[-1] == "." else digits
    return _value(round(at, 6))


def _value(value: object) -> str:
    """Write one value as JSON: what stands for it most often, made directly, and anything else."""
    if value is None:
        return "null"
    if type(value) is float and isfinite(value):
        return repr(value)
    if type(value) is tuple:
        return f"[{', '.join(map(_value, value))}]"
    return _ENCODE(value)


def tell_ready(place: str, content: dict[str, Any]) -> None:
    """Say that the lab is ready: a line of JSON on standard output (`-`), or a file.

    What holds a token is for its owner alone. LabError: see `write_ready_file`.
    """
    if place != STANDARD_OUTPUT:
        write_ready_file(Path(place), content, private="control" in content)
        return
    with in_words("cannot write to standard output that the lab is ready", NAME_A_FILE):
        sys.stdout.write(json_text(content) + "\n")
        sys.stdout.flush()


def write_ready_file(path: Path, content: dict[str, Any], *, private: bool = False) -> None:
    """Write JSON so that whoever waits for the file never sees half of it.

    LabError: it cannot be written, or something that is no file (a device, a pipe) stands in its place.
    """
    draft = path.with_name(f".{path.name}.{token_hex(8)}")  # a name nobody knows, in a folder that others write to
    with in_words(f"cannot write the ready file {path}", NAME_A_FILE):
        if path.exists() and not path.is_file():
            raise OSError(0, "it is there, and no file")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
            with open(descriptor, "w", encoding="utf-8") as file:  # new, and no link to somewhere else
                file.write(json_text(content, indent=1) + "\n")
            os.replace(draft, path)
        finally:
            with contextlib.suppress(OSError, ValueError):
                draft.unlink(missing_ok=True)
