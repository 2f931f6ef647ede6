"""`tlslab schema`."""

from __future__ import annotations

import json
from dataclasses import fields
from enum import EnumType
from typing import get_args, get_type_hints

from tlslab.events import ALL
from tlslab.lab.event_schema import events_schema
from tlslab.lab.sinks import EVENTS_VERSION, event_lines
from tlslab.scenario.schema import json_schema


def test_it_is_json(run):
    """What is printed is the JSON Schema and nothing else; that docs/ has it too is tested with the schema."""
    assert json.loads(run("schema").output) == json_schema()


def test_every_event_is_in_the_schema(run):
    """Each type of event with exactly the keys that its line has, each documented; and the version of all that."""
    schema = json.loads(run("schema", "events").output)
    assert schema == events_schema()
    assert schema["version"] == EVENTS_VERSION
    assert {one["$ref"].rpartition("/")[2] for one in schema["oneOf"]} == {kind.__name__ for kind in ALL}
    for kind in ALL:
        described = schema["$defs"][kind.__name__]
        line = json.loads(event_lines([kind(*range(len(fields(kind))))]))
        assert described["required"] == list(described["properties"]) == list(line)
        assert described["properties"]["event"]["const"] == line["event"]
        assert described["description"]


def test_every_value_that_has_a_name_is_in_the_schema():
    """A field whose values are an enumeration's says which there are."""
    definitions = events_schema()["$defs"]
    kinds = {hint for kind in ALL for hint in get_type_hints(kind).values() if isinstance(hint, EnumType)}
    assert kinds
    for kind in kinds:
        values: list[str] = [member.value for member in kind]  # type: ignore[var-annotated]  # of any enumeration
        assert definitions[kind.__name__]["enum"] == values
    assert not [hint for kind in ALL for hint in get_type_hints(kind).values() if any(map(_is_enum, get_args(hint)))]


def _is_enum(kind: object) -> bool:
    return isinstance(kind, EnumType)
