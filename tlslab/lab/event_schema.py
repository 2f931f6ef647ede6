"""What programs that read the events file may rely on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from pydantic import TypeAdapter

from tlslab.events import ALL, Event
from tlslab.lab.sinks import EVENTS_VERSION


def events_schema() -> dict[str, Any]:
    """The JSON Schema of a line of the events file: one of the types of `events.ALL`, by its name under `event`."""
    adapters = [(kind, TypeAdapter(kind)) for kind in sorted(ALL, key=attrgetter("__name__"))]
    _, found = TypeAdapter.json_schemas([(kind.__name__, "serialization", adapter) for kind, adapter in adapters])
    definitions = found["$defs"]
    for kind, _adapter in adapters:
        _describe(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a line of tlslab's events file",
        "description": "Rises when an event or a field goes or means something else; new ones may come at any time.",
        "version": EVENTS_VERSION,
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind, _adapter in adapters],
        "$defs": definitions,
    }


def _describe(kind: type[Event], definitions: Mapping[str, Any]) -> None:
    """Add what the line has and the class has not, in the words of its docstring."""
    schema = definitions[kind.__name__]
    schema["description"] = (inspect.getdoc(kind) or "").replace("None", "null")
    for one in schema["properties"].values():
        one.pop("title", None)  # the key once more
        one.pop("default", None)
    schema["properties"] = {"event": {"const": kind.__name__}, **schema["properties"]}
    schema["required"] = list(schema["properties"])  # a line has all of them, those with a default too
