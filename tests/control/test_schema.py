"""The API's description holds what it does."""

from __future__ import annotations

import json
from pathlib import Path

from tlslab.control.app import CALLS
from tlslab.control.schema import openapi
from tlslab.text import json_text

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_schema_is_current():
    """`make docs` writes it."""
    assert json.loads((DOCS / "control-api.json").read_text()) == json.loads(json_text(openapi()))


def test_every_call_is_on_the_page():
    """The page names each request, with the same path."""
    page = (DOCS / "control-api.md").read_text()
    missing = [call for call in CALLS if f"`{call.method} {call.path.replace(':int', '')}`" not in page]
    assert missing == []


def test_every_model_that_is_named_is_there():
    """No reference leads nowhere."""
    text = json.dumps(openapi())
    schemas = openapi()["components"]["schemas"]
    named = {piece.partition('"')[0] for piece in text.split("#/components/schemas/")[1:]}
    assert named <= schemas.keys()
