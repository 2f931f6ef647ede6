"""Writes docs/events.md and docs/events.schema.json anew, from the events themselves: `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlslab import events
from tlslab.lab.event_schema import events_schema

HERE = Path(__file__).parent
COMMON = ("event", *events.Event.__annotations__)
WORDS = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "null": "null"}
HEAD = """# Every event

A lab has one stream of facts, and `tlslab serve --events FILE` writes all of it, a line of JSON for each event, at
once. The timeline, the logs, the comments in a capture and the tests read the same events. This is what is in them.

Each line has `event`, the name; `at`, the lab's time in seconds since it began; `connection`, a number from 1, or 0 for
the lab itself; and `binding`, "" until one is chosen. With `--speed` the time is the lab's. A size is in bytes and a
duration in seconds, of the lab's time too. Names in certificates are RFC 4514.

This is version {version}, the `events_version` of the ready file. It rises when an event or a field goes, or means
something else. New events, fields and values may come at any time: let a program that reads them pass over what it does
not know. `tlslab schema events` prints all of this as JSON Schema, which is also [a file](events.schema.json).

"""


def page(schema: Mapping[str, Any]) -> str:
    """Make the page."""
    return HEAD.format(version=schema["version"]) + "\n".join([*_events(schema), *_values(schema)])


def _events(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| event | what happened | its fields |\n|---|---|---|"
    for name in (name for name, kind in vars(events).items() if isinstance(kind, type) and kind in events.ALL):
        one = schema["$defs"][name]
        own = [f"`{key}`: {_of(value)}" for key, value in one["properties"].items() if key not in COMMON]
        yield f"| `{name}` | {' '.join(one['description'].split())} | {'<br>'.join(own)} |"


def _values(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Values that have names\n\n| of | one of |\n|---|---|"
    for name, one in schema["$defs"].items():
        if "enum" in one:
            yield f"| {name} | {', '.join(f'`{value}`' for value in one['enum'])} |"
    yield ""


def _of(value: Mapping[str, Any]) -> str:
    """What a field holds, in words."""
    if "anyOf" in value:
        return " or ".join(map(_of, value["anyOf"]))
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    return f"list of {_of(value['items'])}s" if value["type"] == "array" else WORDS[value["type"]]


if __name__ == "__main__":
    made = events_schema()
    (HERE / "events.schema.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    (HERE / "events.md").write_text(page(made), encoding="utf-8")
