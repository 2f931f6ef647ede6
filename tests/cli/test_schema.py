"""`tlslab schema`."""

from __future__ import annotations

import json

from tlslab.scenario.schema import json_schema


def test_it_is_json(run):
    """What is printed is the JSON Schema and nothing else; that docs/ has it too is tested with the schema."""
    assert json.loads(run("schema").output) == json_schema()
